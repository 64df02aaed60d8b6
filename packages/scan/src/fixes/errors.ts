import type { Fix } from "./fix.ts";

/** The smallest fix of errors. */
export const errors: Fix = {
  summary:
    "Answer every failure with the same bland problem document and a request id; the detail goes to the log, under that id.",
  portcullis: `const bland = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [tokens] }); // nothing to set`,
  express: `app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
  const requestId = randomUUID();
  log.error({ requestId, error });
  res.status(500).type("application/problem+json").json({ title: "Internal error", status: 500, requestId });
});`,
  fastify: `app.setErrorHandler((error, request, reply) => {
  log.error({ requestId: request.id, error });
  const problem = { title: "Internal error", status: 500, requestId: request.id };
  return reply.code(500).type("application/problem+json").send(problem);
});`,
  hono: `app.onError((error, c) => {
  const requestId = randomUUID();
  log.error({ requestId, error });
  const problem = { title: "Internal error", status: 500, requestId };
  return c.json(problem, 500, { "content-type": "application/problem+json" });
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  try {
    return Response.json(await db.projects.list({ ownerId: requireCaller(request).id }, 20));
  } catch (error) {
    const requestId = randomUUID();
    log.error({ requestId, error });
    return Response.json({ title: "Internal error", status: 500, requestId }, { status: 500 });
  }
}`,
};
