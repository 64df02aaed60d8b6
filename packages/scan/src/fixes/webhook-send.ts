import type { Fix } from "./fix.ts";

/** The smallest fix of webhook-send. */
export const webhookSend: Fix = {
  summary:
    "Sign the bytes with the time inside, send to public addresses only and follow no redirect, and retry under the same id.",
  portcullis: `async function deliver(url: URL, id: string, body: string): Promise<boolean> {
  const headers = await signWebhook({ style: "standard", secrets: [webhookSecret], id, body });
  const answer = await vettedFetch(url, { method: "POST", headers, body, redirect: "error" });
  return answer.ok;
}`,
  express: `async function deliver(url: URL, id: string, body: string): Promise<boolean> {
  const headers = await signWebhook({ style: "standard", secrets: [webhookSecret], id, body });
  const answer = await vettedFetch(url, { method: "POST", headers, body, redirect: "error" });
  return answer.ok;
}`,
  fastify: `async function deliver(url: URL, id: string, body: string): Promise<boolean> {
  const headers = await signWebhook({ style: "standard", secrets: [webhookSecret], id, body });
  const answer = await vettedFetch(url, { method: "POST", headers, body, redirect: "error" });
  return answer.ok;
}`,
  hono: `async function deliver(url: URL, id: string, body: string): Promise<boolean> {
  const headers = await signWebhook({ style: "standard", secrets: [webhookSecret], id, body });
  const answer = await vettedFetch(url, { method: "POST", headers, body, redirect: "error" });
  return answer.ok;
}`,
  next: `async function deliver(url: URL, id: string, body: string): Promise<boolean> {
  const headers = await signWebhook({ style: "standard", secrets: [webhookSecret], id, body });
  const answer = await vettedFetch(url, { method: "POST", headers, body, redirect: "error" });
  return answer.ok;
}`,
};
