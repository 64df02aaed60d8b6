import type { Fix } from "./fix.ts";

/** The smallest fix of body-size. */
export const bodySize: Fix = {
  summary:
    "Count bytes as they arrive, whatever was declared; do not inflate compressed bodies; give up on a body that does not end; bound depth and keys with a schema.",
  portcullis: `api.route(
  {
    path: "POST /v1/projects",
    access: anyCaller,
    bodyMaxBytes: 10_240,
    input: { body: z.strictObject({ name: z.string().max(100) }) },
    output: { 201: view(ProjectView, project) },
  },
  ({ caller, body }) => projects.create(caller, body),
);`,
  express: `app.use(express.json({ limit: "100kb", inflate: false, strict: true }));
server.requestTimeout = 10_000; // a body that never ends ends here`,
  fastify: `const app = fastify({ bodyLimit: 102_400, requestTimeout: 10_000 });`,
  hono: `app.use(bodyLimit({ maxSize: 102_400, onError: (c) => c.json({ title: "Body too large" }, 413) }));`,
  next: `async function boundedText(request: Request, maxBytes: number): Promise<string | undefined> {
  let text = "";
  let bytes = 0;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
export async function POST(request: NextRequest): Promise<Response> {
  const text = await boundedText(request, 102_400);
  if (text === undefined) return Response.json({ title: "Body too large" }, { status: 413 });
  return Response.json(JSON.parse(text));
}`,
};
