import type { Fix } from "./fix.ts";

/** The smallest fix of output. */
export const output: Fix = {
  summary:
    "Answer with named fields, never with the row: what a table gains later must not leave by itself. Send browsers on only to addresses on a list.",
  portcullis: `const PublicProject = z.object({ id: z.uuid(), name: z.string() });
api.route(
  {
    path: "GET /v1/projects/:id",
    access: anyCaller,
    input: { params: z.strictObject({ id: z.uuid() }) },
    objects: { project: by("id", project) },
    output: view(PublicProject, project),
  },
  ({ project }) => project,
);`,
  express: `app.get("/projects", async (req, res) => {
  const rows = await db.projects.list({ ownerId: requireCaller(req).id }, 20);
  res.json({ items: rows.map(({ id, name }) => ({ id, name })) });
});`,
  fastify: `const fields = { id: { type: "string" }, name: { type: "string" } };
const items = { type: "array", items: { type: "object", properties: fields } };
app.get("/projects", { schema: { response: { 200: { type: "object", properties: { items } } } } }, async (request) => ({
  items: await db.projects.list({ ownerId: requireCaller(request).id }, 20),
}));`,
  hono: `app.get("/projects", async (c) => {
  const rows = await db.projects.list({ ownerId: requireCaller(c.req.raw).id }, 20);
  return c.json({ items: rows.map(({ id, name }) => ({ id, name })) });
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  const rows = await db.projects.list({ ownerId: requireCaller(request).id }, 20);
  return Response.json({ items: rows.map(({ id, name }) => ({ id, name })) });
}`,
};
