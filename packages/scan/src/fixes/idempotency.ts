import type { Fix } from "./fix.ts";

/** The smallest fix of idempotency. */
export const idempotency: Fix = {
  summary:
    "Keep the answer under the caller and the key together, with a fingerprint of the payload, and claim it before the work, so that two at once do it once.",
  portcullis: `// The route option is planned. Until then keep the answer yourself, as in the other frameworks.
const answers = new Map<string, { readonly payload: string; readonly answer: unknown }>();`,
  express: `app.post("/payments", async (req, res) => {
  const claim = await db.answers.claim(requireCaller(req).id, req.get("idempotency-key") ?? "", JSON.stringify(req.body));
  if (claim.state === "other payload") return void res.status(422).json({ title: "This key was used for something else" });
  if (claim.state === "running") return void res.status(409).json({ title: "It is being done" });
  res.json(claim.state === "done" ? claim.answer : await claim.keep(await work(req.body)));
});`,
  fastify: `app.post("/payments", async (request, reply) => {
  const key = String(request.headers["idempotency-key"] ?? "");
  const claim = await db.answers.claim(requireCaller(request).id, key, JSON.stringify(request.body));
  if (claim.state === "other payload") return reply.code(422).send({ title: "This key was used for something else" });
  if (claim.state === "running") return reply.code(409).send({ title: "It is being done" });
  return claim.state === "done" ? claim.answer : claim.keep(await work(request.body));
});`,
  hono: `app.post("/payments", async (c) => {
  const body = await c.req.text();
  const claim = await db.answers.claim(requireCaller(c.req.raw).id, c.req.header("idempotency-key") ?? "", body);
  if (claim.state === "other payload") return c.json({ title: "This key was used for something else" }, 422);
  if (claim.state === "running") return c.json({ title: "It is being done" }, 409);
  return c.json(claim.state === "done" ? claim.answer : await claim.keep(await work(JSON.parse(body))));
});`,
  next: `export async function POST(request: NextRequest): Promise<Response> {
  const body = await request.text();
  const key = request.headers.get("idempotency-key") ?? "";
  const claim = await db.answers.claim(requireCaller(request).id, key, body);
  if (claim.state === "other payload") return Response.json({ title: "Used for something else" }, { status: 422 });
  if (claim.state === "running") return Response.json({ title: "It is being done" }, { status: 409 });
  return Response.json(claim.state === "done" ? claim.answer : await claim.keep(await work(JSON.parse(body))));
}`,
};
