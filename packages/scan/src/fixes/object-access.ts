import type { Fix } from "./fix.ts";

/** The smallest fix of object-access. */
export const objectAccess: Fix = {
  summary:
    "Look the object up by its id and its owner together, and answer what belongs to somebody else exactly as what does not exist. Do it where it is read, changed, deleted and listed.",
  portcullis: `api.route(
  {
    path: "GET /v1/projects/:id",
    access: anyCaller,
    input: { params: z.strictObject({ id: z.uuid() }) },
    objects: { project: by("id", project) },
    output: view(ProjectView, project),
  },
  ({ project }) => project,
);`,
  express: `app.get("/projects/:id", async (req, res) => {
  const project = await db.projects.find({ id: req.params.id, ownerId: requireCaller(req).id });
  if (project === undefined) return void res.status(404).json({ title: "Not found" });
  res.json({ id: project.id, name: project.name });
});`,
  fastify: `app.get<{ Params: { id: string } }>("/projects/:id", async (request, reply) => {
  const project = await db.projects.find({ id: request.params.id, ownerId: requireCaller(request).id });
  if (project === undefined) return reply.code(404).send({ title: "Not found" });
  return { id: project.id, name: project.name };
});`,
  hono: `app.get("/projects/:id", async (c) => {
  const project = await db.projects.find({ id: c.req.param("id"), ownerId: requireCaller(c.req.raw).id });
  if (project === undefined) return c.json({ title: "Not found" }, 404);
  return c.json({ id: project.id, name: project.name });
});`,
  next: `export async function GET(request: NextRequest, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await params;
  const project = await db.projects.find({ id, ownerId: requireCaller(request).id });
  if (project === undefined) return Response.json({ title: "Not found" }, { status: 404 });
  return Response.json({ id: project.id, name: project.name });
}`,
};
