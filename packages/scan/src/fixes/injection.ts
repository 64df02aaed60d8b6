import type { Fix } from "./fix.ts";

/** The smallest fix of injection. */
export const injection: Fix = {
  summary:
    "Hand values to the database as parameters, never inside the text of a query; in a document database take texts where texts are meant, so that no operator gets in.",
  portcullis: `api.route(
  {
    path: "GET /v1/search",
    access: anyCaller,
    input: { query: z.strictObject({ q: z.string().max(100) }) },
    page: cursorPages(),
    output: list(ProjectView, project),
  },
  // The query itself is yours: values as parameters, never in its text.
  ({ caller, page }) => projects.list(caller, page),
);`,
  express: `app.get("/search", async (req, res) => {
  const q = z.string().max(100).parse(req.query["q"]);
  const mine = requireCaller(req).id;
  res.json(await db.query("SELECT id, name FROM projects WHERE owner_id = $1 AND name ILIKE $2", [mine, q]));
});`,
  fastify: `app.get<{ Querystring: { q?: unknown } }>("/search", async (request) => {
  const q = z.string().max(100).parse(request.query.q);
  const mine = requireCaller(request).id;
  return db.query("SELECT id, name FROM projects WHERE owner_id = $1 AND name ILIKE $2", [mine, q]);
});`,
  hono: `app.get("/search", async (c) => {
  const q = z.string().max(100).parse(c.req.query("q"));
  const mine = requireCaller(c.req.raw).id;
  return c.json(await db.query("SELECT id, name FROM projects WHERE owner_id = $1 AND name ILIKE $2", [mine, q]));
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  const q = z.string().max(100).parse(request.nextUrl.searchParams.get("q"));
  const mine = requireCaller(request).id;
  const text = "SELECT id, name FROM projects WHERE owner_id = $1 AND name ILIKE $2";
  return Response.json(await db.query(text, [mine, q]));
}`,
};
