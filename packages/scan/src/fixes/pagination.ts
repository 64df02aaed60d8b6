import type { Fix } from "./fix.ts";

/** The smallest fix of pagination. */
export const pagination: Fix = {
  summary: "Bound every list: a default, a maximum, and the maximum or 400 for whoever asks for more.",
  portcullis: `api.route(
  { path: "GET /v1/projects", access: anyCaller, page: cursorPages(), output: list(ProjectView, project) },
  ({ caller, page }) => projects.list(caller, page),
);`,
  express: `const Limit = z.coerce.number().int().min(1).max(100).default(20);
app.get("/projects", async (req, res) => {
  const limit = Limit.safeParse(req.query["limit"]);
  if (!limit.success) return void res.status(400).json({ title: "limit is 1 to 100" });
  res.json({ items: await db.projects.list({ ownerId: requireCaller(req).id }, limit.data) });
});`,
  fastify: `const Limit = z.coerce.number().int().min(1).max(100).default(20);
app.get<{ Querystring: { limit?: string } }>("/projects", async (request, reply) => {
  const limit = Limit.safeParse(request.query.limit);
  if (!limit.success) return reply.code(400).send({ title: "limit is 1 to 100" });
  return { items: await db.projects.list({ ownerId: requireCaller(request).id }, limit.data) };
});`,
  hono: `const Limit = z.coerce.number().int().min(1).max(100).default(20);
app.get("/projects", async (c) => {
  const limit = Limit.safeParse(c.req.query("limit"));
  if (!limit.success) return c.json({ title: "limit is 1 to 100" }, 400);
  return c.json({ items: await db.projects.list({ ownerId: requireCaller(c.req.raw).id }, limit.data) });
});`,
  next: `const Limit = z.coerce.number().int().min(1).max(100).default(20);
export async function GET(request: NextRequest): Promise<Response> {
  const limit = Limit.safeParse(request.nextUrl.searchParams.get("limit") ?? undefined);
  if (!limit.success) return Response.json({ title: "limit is 1 to 100" }, { status: 400 });
  return Response.json({ items: await db.projects.list({ ownerId: requireCaller(request).id }, limit.data) });
}`,
};
