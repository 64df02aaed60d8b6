import type { Fix } from "./fix.ts";

/** The smallest fix of versioning. */
export const versioning: Fix = {
  summary:
    "Declare every route and answer what is not declared with 404, or 405 and Allow; delete an old version on its day and answer 410 from then on.",
  portcullis: `api.route(
  {
    path: "GET /v1/projects",
    access: anyCaller,
    page: cursorPages(),
    output: list(ProjectView, project),
    deprecated: { since: "2026-01-01", sunset: "2026-07-01", link: "https://docs.example.com/v2" },
  },
  ({ caller, page }) => projects.list(caller, page),
);`,
  express: `app.use("/v0", (_req, res) => void res.status(410).json({ title: "This version is gone" }));
app.all("/v1/projects", (_req, res) => void res.status(405).set("Allow", "GET, POST").json({ title: "Not here" }));
app.use((_req, res) => void res.status(404).json({ title: "Not found" }));`,
  fastify: `app.all("/v0/*", async (_request, reply) => reply.code(410).send({ title: "This version is gone" }));
app.route({
  method: ["PUT", "PATCH", "DELETE"],
  url: "/v1/projects",
  handler: async (_request, reply) => reply.code(405).header("allow", "GET, POST").send({ title: "Not here" }),
});
app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ title: "Not found" }));`,
  hono: `app.all("/v0/*", (c) => c.json({ title: "This version is gone" }, 410));
app.all("/v1/projects", (c) => c.json({ title: "Not here" }, 405, { Allow: "GET, POST" }));
app.notFound((c) => c.json({ title: "Not found" }, 404));`,
  next: `// app/api/v0/[[...path]]/route.ts; what a route file does not export is answered 405 already
const gone = () => Response.json({ title: "This version is gone" }, { status: 410 });
export const GET = gone;
export const POST = gone;`,
};
