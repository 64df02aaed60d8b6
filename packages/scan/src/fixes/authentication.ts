import type { Fix } from "./fix.ts";

/** The smallest fix of authentication. */
export const authentication: Fix = {
  summary: "Put one guard in front of every route and list what is public, instead of listing what is private.",
  portcullis: `api.route(
  { path: "GET /v1/projects", access: anyCaller, page: cursorPages(), output: list(ProjectView, project) },
  ({ caller, page }) => projects.list(caller, page),
);`,
  express: `app.use((req, res, next) => {
  if (publicPaths.has(req.path) || callerOf(req) !== undefined) return next();
  res.status(401).set("WWW-Authenticate", "Bearer").json({ title: "Authentication required" });
});`,
  fastify: `app.addHook("onRequest", async (request, reply) => {
  if (publicPaths.has(request.routeOptions.url ?? "") || callerOf(request) !== undefined) return;
  return reply.code(401).header("www-authenticate", "Bearer").send({ title: "Authentication required" });
});`,
  hono: `app.use(async (c, next) => {
  if (publicPaths.has(c.req.path) || callerOf(c.req.raw) !== undefined) return next();
  return c.json({ title: "Authentication required" }, 401, { "WWW-Authenticate": "Bearer" });
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  const caller = callerOf(request);
  if (caller === undefined) return Response.json({ title: "Authentication required" }, { status: 401 });
  return Response.json(await db.projects.list({ ownerId: caller.id }, 20));
}`,
};
