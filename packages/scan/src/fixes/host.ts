import type { Fix } from "./fix.ts";

/** The smallest fix of host. */
export const host: Fix = {
  summary:
    "Serve the names you have and no other, and build links from configuration, never from Host or X-Forwarded-Host.",
  portcullis: `const named = createApi({
  name: "projects",
  hosts: ["api.example.com"],
  proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" },
  credentials: [tokens],
});`,
  express: `const hosts = new Set(["api.example.com"]);
app.set("trust proxy", ["10.0.0.0/8"]);
app.use((req, res, next) => (hosts.has(req.headers.host ?? "") ? next() : void res.status(421).end()));`,
  fastify: `const hosts = new Set(["api.example.com"]);
app.addHook("onRequest", async (request, reply) => {
  if (!hosts.has(request.headers.host ?? "")) return reply.code(421).send({ title: "Not served here" });
});`,
  hono: `const hosts = new Set(["api.example.com"]);
app.use(async (c, next) => {
  if (!hosts.has(c.req.header("host") ?? "")) return c.json({ title: "Not served here" }, 421);
  await next();
});`,
  next: `const hosts = new Set(["api.example.com"]);
export function proxy(request: NextRequest): Response | undefined {
  if (hosts.has(request.headers.get("host") ?? "")) return undefined;
  return Response.json({ title: "Not served here" }, { status: 421 });
}`,
};
