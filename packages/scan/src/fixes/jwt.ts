import type { Fix } from "./fix.ts";

/** The smallest fix of jwt. */
export const jwt: Fix = {
  summary:
    "Verify, never decode: pin the algorithm, the issuer, the audience and the type; demand exp and sub; take keys from your own configuration and never from the token.",
  portcullis: `const bearer = jwt({
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  keys: jwksUrl("https://id.example.com/.well-known/jwks.json"),
});
const guarded = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [bearer] });`,
  express: `const keys = createRemoteJWKSet(new URL("https://id.example.com/.well-known/jwks.json"));
const rules = {
  algorithms: ["EdDSA"],
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  typ: "at+jwt",
  maxTokenAge: "1h",
  requiredClaims: ["exp", "sub"],
};
app.use(async (req, res, next) => {
  const token = /^Bearer (\\S+)$/.exec(req.get("authorization") ?? "")?.[1] ?? "";
  const proved = await jwtVerify(token, keys, rules).catch(() => undefined);
  if (proved === undefined) return void res.status(401).json({ title: "Authentication required" });
  res.locals["caller"] = proved.payload.sub;
  next();
});`,
  fastify: `const keys = createRemoteJWKSet(new URL("https://id.example.com/.well-known/jwks.json"));
const rules = {
  algorithms: ["EdDSA"],
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  typ: "at+jwt",
  maxTokenAge: "1h",
  requiredClaims: ["exp", "sub"],
};
app.addHook("onRequest", async (request, reply) => {
  const token = /^Bearer (\\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const proved = await jwtVerify(token, keys, rules).catch(() => undefined);
  if (proved === undefined) return reply.code(401).send({ title: "Authentication required" });
});`,
  hono: `const keys = createRemoteJWKSet(new URL("https://id.example.com/.well-known/jwks.json"));
const rules = {
  algorithms: ["EdDSA"],
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  typ: "at+jwt",
  maxTokenAge: "1h",
  requiredClaims: ["exp", "sub"],
};
app.use(async (c, next) => {
  const token = /^Bearer (\\S+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  const proved = await jwtVerify(token, keys, rules).catch(() => undefined);
  if (proved === undefined) return c.json({ title: "Authentication required" }, 401);
  await next();
});`,
  next: `const keys = createRemoteJWKSet(new URL("https://id.example.com/.well-known/jwks.json"));
const rules = {
  algorithms: ["EdDSA"],
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  typ: "at+jwt",
  maxTokenAge: "1h",
  requiredClaims: ["exp", "sub"],
};
export async function GET(request: NextRequest): Promise<Response> {
  const token = /^Bearer (\\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const proved = await jwtVerify(token, keys, rules).catch(() => undefined);
  if (proved?.payload.sub === undefined) return Response.json({ title: "Authentication required" }, { status: 401 });
  return Response.json(await db.projects.list({ ownerId: proved.payload.sub }, 20));
}`,
};
