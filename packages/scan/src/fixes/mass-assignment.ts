import type { Fix } from "./fix.ts";

/** The smallest fix of mass-assignment. */
export const massAssignment: Fix = {
  summary:
    "Write named fields that a schema allowed, never the body itself; the owner, the role and the price come from the server.",
  portcullis: `const projectOf = api.resource("owned project", {
  load: (id) => notes.byId(id),
  owner: (row) => row.ownerId,
  serverSet: ["id", "ownerId", "tenantId"],
});`,
  express: `const Change = z.strictObject({ name: z.string().min(1).max(100) });
app.patch("/projects/:id", async (req, res) => {
  const { name } = Change.parse(req.body);
  res.json(await db.projects.update({ id: req.params.id, ownerId: requireCaller(req).id }, { name }));
});`,
  fastify: `const Change = z.strictObject({ name: z.string().min(1).max(100) });
app.patch<{ Params: { id: string } }>("/projects/:id", async (request) => {
  const { name } = Change.parse(request.body);
  return db.projects.update({ id: request.params.id, ownerId: requireCaller(request).id }, { name });
});`,
  hono: `const Change = z.strictObject({ name: z.string().min(1).max(100) });
app.patch("/projects/:id", async (c) => {
  const { name } = Change.parse(await c.req.json());
  return c.json(await db.projects.update({ id: c.req.param("id"), ownerId: requireCaller(c.req.raw).id }, { name }));
});`,
  next: `const Change = z.strictObject({ name: z.string().min(1).max(100) });
export async function PATCH(request: NextRequest, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const { name } = Change.parse(await request.json());
  const mine = { id: (await params).id, ownerId: requireCaller(request).id };
  return Response.json(await db.projects.update(mine, { name }));
}`,
};
