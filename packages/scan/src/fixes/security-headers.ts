import type { Fix } from "./fix.ts";

/** The smallest fix of security-headers. */
export const securityHeaders: Fix = {
  summary: "Say the headers of an API on every answer, refusals and errors too, and take the version banner out.",
  portcullis: `const headed = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [tokens] }); // nothing to set`,
  express: `const headers = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};
app.disable("x-powered-by");
app.use((_req, res, next) => {
  res.set(headers);
  next();
});`,
  fastify: `const headers = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};
app.addHook("onSend", async (_request, reply) => {
  reply.headers(headers);
});`,
  hono: `const headers = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};
app.use(async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
});`,
  next: `const headers = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};
const config: NextConfig = {
  poweredByHeader: false,
  headers: async () => [
    { source: "/api/:path*", headers: Object.entries(headers).map(([key, value]) => ({ key, value })) },
  ],
};
export default config;`,
};
