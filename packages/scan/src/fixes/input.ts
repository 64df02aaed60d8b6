import type { Fix } from "./fix.ts";

/** The smallest fix of input. */
export const input: Fix = {
  summary:
    "Match params, query and body against a schema that refuses unknown fields and bounds every text and number, before anything is done with them.",
  portcullis: `api.route(
  {
    path: "POST /v1/projects",
    access: anyCaller,
    input: { body: z.strictObject({ name: z.string().min(1).max(100) }) },
    output: { 201: view(ProjectView, project) },
  },
  ({ caller, body }) => projects.create(caller, body),
);`,
  express: `const NewProject = z.strictObject({ name: z.string().min(1).max(100), url: z.url().max(2000) });
app.post("/projects", async (req, res) => {
  const body = NewProject.safeParse(req.body);
  if (!body.success) return void res.status(422).json({ title: "The body does not match" });
  res.status(201).json(await db.projects.insert({ ...body.data, ownerId: requireCaller(req).id }));
});`,
  fastify: `const NewProject = z.strictObject({ name: z.string().min(1).max(100), url: z.url().max(2000) });
app.post("/projects", async (request, reply) => {
  const body = NewProject.safeParse(request.body);
  if (!body.success) return reply.code(422).send({ title: "The body does not match" });
  return reply.code(201).send(await db.projects.insert({ ...body.data, ownerId: requireCaller(request).id }));
});`,
  hono: `const NewProject = z.strictObject({ name: z.string().min(1).max(100), url: z.url().max(2000) });
app.post("/projects", async (c) => {
  const body = NewProject.safeParse(await c.req.json());
  if (!body.success) return c.json({ title: "The body does not match" }, 422);
  return c.json(await db.projects.insert({ ...body.data, ownerId: requireCaller(c.req.raw).id }), 201);
});`,
  next: `const NewProject = z.strictObject({ name: z.string().min(1).max(100), url: z.url().max(2000) });
export async function POST(request: NextRequest): Promise<Response> {
  const body = NewProject.safeParse(await request.json());
  if (!body.success) return Response.json({ title: "The body does not match" }, { status: 422 });
  const created = await db.projects.insert({ ...body.data, ownerId: requireCaller(request).id });
  return Response.json(created, { status: 201 });
}`,
};
