import type { Fix } from "./fix.ts";

/** The smallest fix of oauth. */
export const oauth: Fix = {
  summary:
    "Compare redirect addresses as whole texts, demand PKCE with S256, and let a code or a refresh token be used once.",
  portcullis: `// The authorization server is not a gate: take one that is maintained, and accept its tokens.
const bearer = jwt({
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  keys: jwksUrl("https://id.example.com/.well-known/jwks.json"),
});`,
  express: `app.get("/authorize", (req, res) => {
  const { redirect_uri, code_challenge, code_challenge_method } = req.query;
  const isKnown = registeredRedirects.has(String(redirect_uri));
  const isPinned = code_challenge_method === "S256" && /^[\\w-]{43}$/.test(String(code_challenge));
  if (!isKnown || !isPinned) return void res.status(400).json({ error: "invalid_request" });
  res.redirect(303, "/consent");
});`,
  fastify: `app.get<{ Querystring: Record<string, string> }>("/authorize", async (request, reply) => {
  const { redirect_uri = "", code_challenge = "", code_challenge_method } = request.query;
  const isPinned = code_challenge_method === "S256" && /^[\\w-]{43}$/.test(code_challenge);
  if (!registeredRedirects.has(redirect_uri) || !isPinned) return reply.code(400).send({ error: "invalid_request" });
  return reply.redirect("/consent", 303);
});`,
  hono: `app.get("/authorize", (c) => {
  const { redirect_uri = "", code_challenge = "", code_challenge_method } = c.req.query();
  const isPinned = code_challenge_method === "S256" && /^[\\w-]{43}$/.test(code_challenge);
  if (!registeredRedirects.has(redirect_uri) || !isPinned) return c.json({ error: "invalid_request" }, 400);
  return c.redirect("/consent", 303);
});`,
  next: `export async function GET(request: NextRequest): Promise<Response> {
  const query = request.nextUrl.searchParams;
  const isPinned = query.get("code_challenge_method") === "S256" && /^[\\w-]{43}$/.test(query.get("code_challenge") ?? "");
  if (!registeredRedirects.has(query.get("redirect_uri") ?? "") || !isPinned)
    return Response.json({ error: "invalid_request" }, { status: 400 });
  return new Response(null, { status: 303, headers: { location: "/consent" } });
}`,
};
