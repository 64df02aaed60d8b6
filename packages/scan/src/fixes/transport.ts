import type { Fix } from "./fix.ts";

/** The smallest fix of transport. */
export const transport: Fix = {
  summary:
    "Serve https only, with TLS 1.2 at the very least and better 1.3, refuse plain http to an API instead of redirecting it, and say HSTS on https.",
  portcullis: `await api.listen({ port: 8443, tls: { cert, key } });`,
  express: `createServer({ cert, key, minVersion: "TLSv1.3" }, app).listen(8443);
app.use((req, res, next) => {
  if (!req.secure) return void res.status(421).json({ title: "https only" });
  res.set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
  next();
});`,
  fastify: `const app = fastify({ https: { cert, key, minVersion: "TLSv1.3" } });
app.addHook("onSend", async (_request, reply) => {
  reply.header("strict-transport-security", "max-age=31536000; includeSubDomains");
});`,
  hono: `serve({ fetch: app.fetch, port: 8443, createServer, serverOptions: { cert, key, minVersion: "TLSv1.3" } });
app.use(secureHeaders({ strictTransportSecurity: "max-age=31536000; includeSubDomains" }));`,
  next: `const config: NextConfig = {
  headers: async () => [
    {
      source: "/:path*",
      headers: [{ key: "Strict-Transport-Security", value: "max-age=31536000; includeSubDomains" }],
    },
  ],
};
export default config; // and https only, at the proxy in front`,
};
