import type { Fix } from "./fix.ts";

/** The smallest fix of exposure. */
export const exposure: Fix = {
  summary:
    "Serve a folder that holds public files only, keep debug routes and descriptions out of production, and take credentials from headers, never from the URL.",
  portcullis: `const closed = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [tokens] }); // serves declared routes only`,
  express: `app.use(express.static("public", { dotfiles: "ignore", index: false }));
if (process.env["NODE_ENV"] !== "production") app.use("/debug", debugRoutes);
app.use((req, res, next) => {
  const isLeaking = ["token", "access_token", "api_key", "key", "jwt"].some((name) => name in req.query);
  if (isLeaking) return void res.status(400).json({ title: "Credentials do not belong in the URL" });
  next();
});`,
  fastify: `app.addHook("onRequest", async (request, reply) => {
  const query = new URLSearchParams((request.raw.url ?? "").split("?")[1]);
  const isLeaking = ["token", "access_token", "api_key", "key", "jwt"].some((name) => query.has(name));
  if (isLeaking) return reply.code(400).send({ title: "Credentials do not belong in the URL" });
});
if (process.env["NODE_ENV"] !== "production") app.get("/debug", async () => ({ memory: process.memoryUsage() }));`,
  hono: `app.use(async (c, next) => {
  const isLeaking = ["token", "access_token", "api_key", "key", "jwt"].some((name) => c.req.query(name) !== undefined);
  if (isLeaking) return c.json({ title: "Credentials do not belong in the URL" }, 400);
  await next();
});
if (process.env["NODE_ENV"] !== "production") app.get("/debug", (c) => c.json(process.memoryUsage()));`,
  next: `export function proxy(request: NextRequest): Response | undefined {
  const query = request.nextUrl.searchParams;
  const isLeaking = ["token", "access_token", "api_key", "key", "jwt"].some((name) => query.has(name));
  return isLeaking ? Response.json({ title: "Credentials do not belong in the URL" }, { status: 400 }) : undefined;
}`,
};
