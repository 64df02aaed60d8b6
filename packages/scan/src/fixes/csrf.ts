import type { Fix } from "./fix.ts";

/** The smallest fix of csrf. */
export const csrf: Fix = {
  summary:
    "Wherever a cookie proves the caller, refuse changes that another site began: look at Sec-Fetch-Site, and at Origin where a browser does not send it.",
  portcullis: `const cookies = createApi({
  name: "projects",
  hosts: ["api.example.com"],
  origins: ["https://app.example.com"],
  credentials: [browsers], // csrf applies to every change a cookie can prove
});`,
  express: `app.use((req, res, next) => {
  const site = req.get("sec-fetch-site");
  const isOurs = site === undefined ? req.get("origin") === ourOrigin : site === "same-origin" || site === "none";
  if (["GET", "HEAD", "OPTIONS"].includes(req.method) || isOurs) return next();
  res.status(403).json({ title: "Not from here" });
});`,
  fastify: `app.addHook("onRequest", async (request, reply) => {
  const site = request.headers["sec-fetch-site"];
  const isOurs = site === undefined ? request.headers.origin === ourOrigin : site === "same-origin" || site === "none";
  if (["GET", "HEAD", "OPTIONS"].includes(request.method) || isOurs) return;
  return reply.code(403).send({ title: "Not from here" });
});`,
  hono: `app.use(async (c, next) => {
  const site = c.req.header("sec-fetch-site");
  const isOurs = site === undefined ? c.req.header("origin") === ourOrigin : site === "same-origin" || site === "none";
  if (["GET", "HEAD", "OPTIONS"].includes(c.req.method) || isOurs) return next();
  return c.json({ title: "Not from here" }, 403);
});`,
  next: `export async function POST(request: NextRequest): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  const isOurs = site === null ? request.headers.get("origin") === ourOrigin : site === "same-origin" || site === "none";
  if (!isOurs) return Response.json({ title: "Not from here" }, { status: 403 });
  return Response.json(await db.projects.insert({ ownerId: requireCaller(request).id }));
}`,
};
