import type { Switch } from "../mutants.ts";
import { problem, type Reply } from "./exchange.ts";

/**
 * Previews a page. Only hosts on a list are ever asked; this machine has none of them, so that they answer nothing. The
 * mistakes dial what the caller wrote, and even they leave this machine alone with itself.
 */
export async function reach(url: string, mutant: Switch): Promise<Reply> {
  const { hostname, protocol } = new URL(url);
  const isLocalName = hostname === "localhost" || hostname === "127.0.0.1";
  const isDialled =
    mutant("ssrf-any") ||
    (mutant("ssrf-spelling") && !spelt(url).some((name) => name === "localhost" || name === "127.0.0.1"));
  if (isDialled && (isLocalName || hostname === "[::1]") && protocol === "http:") return await dial(url);
  if (mutant("ssrf-any") || mutant("ssrf-spelling")) return { status: 200, body: { reachable: false, title: "" } };
  return allowed.includes(hostname) ? { status: 200, body: { reachable: false, title: "" } } : problem(400);
}

const allowed: readonly string[] = ["www.projects.example", "status.projects.example"];

/** The host as it was written, before a URL parser has made 127.0.0.1 of 127.1. */
function spelt(url: string): readonly string[] {
  return [/^https?:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url)?.[1] ?? ""];
}

async function dial(url: string): Promise<Reply> {
  try {
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(2000) });
    return { status: 200, body: { reachable: answer.ok, title: (await answer.text()).slice(0, 200) } };
  } catch {
    return { status: 200, body: { reachable: false, title: "" } };
  }
}
