import type { Fix } from "./fix.ts";

/** The smallest fix of rate-limit. */
export const rateLimit: Fix = {
  summary:
    "Count per caller where one is proved and per address where none is, in one store for all processes; believe forwarded addresses of your own proxies only; and count wrong passwords apart.",
  portcullis: `const limited = createApi({
  name: "projects",
  hosts: ["api.example.com"],
  credentials: [tokens],
  proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" },
  limits: { address: "300/min", caller: "600/min", failures: "60/5min" },
});`,
  express: `app.set("trust proxy", ["10.0.0.0/8"]);
app.use(async (req, res, next) => {
  const left = await counter.take(callerOf(req)?.id ?? req.ip ?? "", { limit: 100, windowMs: 60_000 });
  if (left.allowed) return next();
  res.status(429).set("Retry-After", String(left.retryAfterSeconds)).json({ title: "Too many requests" });
});`,
  fastify: `app.addHook("onRequest", async (request, reply) => {
  // Made with fastify({ trustProxy: "10.0.0.0/8" }), so that request.ip is an address nobody made up.
  const left = await counter.take(callerOf(request)?.id ?? request.ip, { limit: 100, windowMs: 60_000 });
  if (left.allowed) return;
  return reply.code(429).header("retry-after", String(left.retryAfterSeconds)).send({ title: "Too many requests" });
});`,
  hono: `app.use(async (c, next) => {
  const address = getConnInfo(c).remote.address ?? "";
  const left = await counter.take(callerOf(c.req.raw)?.id ?? address, { limit: 100, windowMs: 60_000 });
  if (left.allowed) return next();
  return c.json({ title: "Too many requests" }, 429, { "Retry-After": String(left.retryAfterSeconds) });
});`,
  next: `export async function POST(request: NextRequest): Promise<Response> {
  // Next.js knows no address by itself: count by what your platform guarantees, never by what a client may send.
  const left = await counter.take(requireCaller(request).id, { limit: 10, windowMs: 60_000 });
  if (left.allowed) return Response.json(await db.projects.list({ ownerId: requireCaller(request).id }, 20));
  const headers = { "retry-after": String(left.retryAfterSeconds) };
  return Response.json({ title: "Too many requests" }, { status: 429, headers });
}`,
};
