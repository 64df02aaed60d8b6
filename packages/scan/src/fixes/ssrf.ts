import type { Fix } from "./fix.ts";

/** The smallest fix of ssrf. */
export const ssrf: Fix = {
  summary:
    "Vet a caller's URL when it is dialled: https, every address it resolves to public, the socket pinned to the address that was vetted, no redirects, a bound on time and size.",
  portcullis: `// The gate is planned. Until then dial through a client that vets the address it connects to.
const answer = await vettedFetch(new URL(body.name), { redirect: "error", signal: AbortSignal.timeout(5000) });`,
  express: `app.post("/previews", async (req, res) => {
  const url = z.url({ protocol: /^https$/ }).max(2000).parse(req.body.url);
  const answer = await vettedFetch(new URL(url), { redirect: "error", signal: AbortSignal.timeout(5000) });
  res.json({ status: answer.status });
});`,
  fastify: `app.post<{ Body: { url: string } }>("/previews", async (request) => {
  const url = z.url({ protocol: /^https$/ }).max(2000).parse(request.body.url);
  const answer = await vettedFetch(new URL(url), { redirect: "error", signal: AbortSignal.timeout(5000) });
  return { status: answer.status };
});`,
  hono: `app.post("/previews", async (c) => {
  const url = z.url({ protocol: /^https$/ }).max(2000).parse((await c.req.json()).url);
  const answer = await vettedFetch(new URL(url), { redirect: "error", signal: AbortSignal.timeout(5000) });
  return c.json({ status: answer.status });
});`,
  next: `export async function POST(request: NextRequest): Promise<Response> {
  const url = z.url({ protocol: /^https$/ }).max(2000).parse((await request.json()).url);
  const answer = await vettedFetch(new URL(url), { redirect: "error", signal: AbortSignal.timeout(5000) });
  return Response.json({ status: answer.status });
}`,
};
