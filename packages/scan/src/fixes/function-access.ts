import type { Fix } from "./fix.ts";

/** The smallest fix of function-access. */
export const functionAccess: Fix = {
  summary:
    "Say on the route itself which role or scope may call it, and refuse everybody else with 403 before anything is read.",
  portcullis: `api.route(
  {
    path: "GET /v1/admin/projects",
    access: { roles: ["admin"] },
    page: cursorPages(),
    output: list(ProjectView, project),
  },
  ({ caller, page }) => projects.list(caller, page),
);`,
  express: `app.use("/admin", (req, res, next) => {
  if (requireCaller(req).roles.includes("admin")) return next();
  res.status(403).json({ title: "Not allowed" });
});`,
  fastify: `app.register(async (admin) => {
  admin.addHook("onRequest", async (request, reply) => {
    if (!requireCaller(request).roles.includes("admin")) return reply.code(403).send({ title: "Not allowed" });
  });
  admin.get("/admin/projects", () => db.projects.list({}, 20));
});`,
  hono: `app.use("/admin/*", async (c, next) => {
  if (!requireCaller(c.req.raw).roles.includes("admin")) return c.json({ title: "Not allowed" }, 403);
  await next();
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  if (!requireCaller(request).roles.includes("admin")) return Response.json({ title: "Not allowed" }, { status: 403 });
  return Response.json(await db.projects.list({}, 20));
}`,
};
