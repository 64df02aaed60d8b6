import type { Fix } from "./fix.ts";

/** The smallest fix of sessions. */
export const sessions: Fix = {
  summary:
    "Set the cookie with the __Host- prefix, HttpOnly, Secure and SameSite=Strict; make a new session id at sign-in and delete it at sign-out; answer an unknown user and a wrong password alike.",
  portcullis: `const browsers = session({
  cookies: ["__Host-session"],
  resolve: (cookies) => sessions.find(cookies["__Host-session"] ?? ""),
});
const guarded = createApi({
  name: "projects",
  hosts: ["api.example.com"],
  origins: ["https://app.example.com"],
  credentials: [browsers],
});`,
  express: `app.post("/sign-in", async (req, res) => {
  const user = await db.users.proved(req.body.email, req.body.password);
  if (user === undefined) return void res.status(401).json({ title: "Unknown user or wrong password" });
  const id = randomBytes(32).toString("base64url");
  await db.sessions.begin(id, user.id);
  res.cookie("__Host-session", id, { httpOnly: true, secure: true, sameSite: "strict", path: "/" }).status(204).end();
});`,
  fastify: `app.post<{ Body: { email: string; password: string } }>("/sign-in", async (request, reply) => {
  const user = await db.users.proved(request.body.email, request.body.password);
  if (user === undefined) return reply.code(401).send({ title: "Unknown user or wrong password" });
  const id = randomBytes(32).toString("base64url");
  await db.sessions.begin(id, user.id);
  const cookie = "__Host-session=" + id + "; HttpOnly; Secure; SameSite=Strict; Path=/";
  return reply.code(204).header("set-cookie", cookie).send();
});`,
  hono: `app.post("/sign-in", async (c) => {
  const { email, password } = await c.req.json();
  const user = await db.users.proved(email, password);
  if (user === undefined) return c.json({ title: "Unknown user or wrong password" }, 401);
  const id = randomBytes(32).toString("base64url");
  await db.sessions.begin(id, user.id);
  setCookie(c, "session", id, { prefix: "host", httpOnly: true, secure: true, sameSite: "Strict", path: "/" });
  return c.body(null, 204);
});`,
  next: `export async function POST(request: NextRequest): Promise<Response> {
  const { email, password } = await request.json();
  const user = await db.users.proved(email, password);
  if (user === undefined) return Response.json({ title: "Unknown user or wrong password" }, { status: 401 });
  const id = randomBytes(32).toString("base64url");
  await db.sessions.begin(id, user.id);
  const options = { httpOnly: true, secure: true, sameSite: "strict", path: "/" } as const;
  (await cookies()).set("__Host-session", id, options);
  return new Response(null, { status: 204 });
}`,
};
