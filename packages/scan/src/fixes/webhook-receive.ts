import type { Fix } from "./fix.ts";

/** The smallest fix of webhook-receive. */
export const webhookReceive: Fix = {
  summary:
    "Check the signature over the bytes as they came, in constant time, with the time inside what is signed; refuse what is older than five minutes; claim the id once, before the work.",
  portcullis: `api.route(
  {
    path: "POST /v1/webhooks/ours",
    access: webhook(standardWebhooks({ secrets: [process.env["WEBHOOK_SECRET"] ?? ""] }), { claims: memoryClaimStore() }),
    input: { body: webhookEvent(z.object({ type: z.string().max(100) })) },
    output: nothing,
  },
  ({ body, delivery }) => console.log(delivery.id, body.type),
);`,
  express: `function isFromSender(raw: Buffer, id: string, time: string, signature: string): boolean {
  const right = createHmac("sha256", webhookSecret).update(id + "." + time + ".").update(raw).digest();
  const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  return isFresh && given.length === right.length && timingSafeEqual(given, right);
}
app.post("/webhooks", express.raw({ type: "*/*", limit: "100kb" }), async (req, res) => {
  const [id, time, signature] = ["id", "timestamp", "signature"].map((name) => req.get("webhook-" + name) ?? "");
  if (!isFromSender(req.body, id ?? "", time ?? "", signature ?? "")) return void res.status(401).end();
  if (await db.deliveries.claim(id ?? "")) await work(JSON.parse(req.body.toString("utf8")));
  res.status(204).end();
});`,
  fastify: `function isFromSender(raw: Buffer, id: string, time: string, signature: string): boolean {
  const right = createHmac("sha256", webhookSecret).update(id + "." + time + ".").update(raw).digest();
  const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  return isFresh && given.length === right.length && timingSafeEqual(given, right);
}
app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => body);
app.post<{ Body: Buffer }>("/webhooks", async (request, reply) => {
  const [id, time, signature] = ["id", "timestamp", "signature"].map((name) => String(request.headers["webhook-" + name]));
  if (!isFromSender(request.body, id ?? "", time ?? "", signature ?? "")) return reply.code(401).send();
  if (await db.deliveries.claim(id ?? "")) await work(JSON.parse(request.body.toString("utf8")));
  return reply.code(204).send();
});`,
  hono: `function isFromSender(raw: Buffer, id: string, time: string, signature: string): boolean {
  const right = createHmac("sha256", webhookSecret).update(id + "." + time + ".").update(raw).digest();
  const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  return isFresh && given.length === right.length && timingSafeEqual(given, right);
}
app.post("/webhooks", async (c) => {
  const raw = Buffer.from(await c.req.arrayBuffer());
  const [id, time, signature] = ["id", "timestamp", "signature"].map((name) => c.req.header("webhook-" + name) ?? "");
  if (!isFromSender(raw, id ?? "", time ?? "", signature ?? "")) return c.body(null, 401);
  if (await db.deliveries.claim(id ?? "")) await work(JSON.parse(raw.toString("utf8")));
  return c.body(null, 204);
});`,
  next: `function isFromSender(raw: Buffer, id: string, time: string, signature: string): boolean {
  const right = createHmac("sha256", webhookSecret).update(id + "." + time + ".").update(raw).digest();
  const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  return isFresh && given.length === right.length && timingSafeEqual(given, right);
}
export async function POST(request: NextRequest): Promise<Response> {
  const raw = Buffer.from(await request.arrayBuffer());
  const [id, time, signature] = ["id", "timestamp", "signature"].map((name) => request.headers.get("webhook-" + name) ?? "");
  if (!isFromSender(raw, id ?? "", time ?? "", signature ?? "")) return new Response(null, { status: 401 });
  if (await db.deliveries.claim(id ?? "")) await work(JSON.parse(raw.toString("utf8")));
  return new Response(null, { status: 204 });
}`,
};
