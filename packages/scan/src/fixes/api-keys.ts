import type { Fix } from "./fix.ts";

/** The smallest fix of api-keys. */
export const apiKeys: Fix = {
  summary:
    "Take keys from one header only, compare a SHA-256 of the whole key in constant time, store nothing else, and look at expiry and revocation each time.",
  portcullis: `const keys = apiKeys({ prefix: "prj", store });
const guarded = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [keys] });`,
  express: `async function ownerOfKey(key: string): Promise<string | undefined> {
  const row = await db.keys.byId(key.split("_")[1] ?? "");
  const hash = createHash("sha256").update(key).digest();
  const isRight = timingSafeEqual(hash, row?.sha256 ?? Buffer.alloc(32));
  return row !== undefined && isRight && row.revokedAt === null ? row.ownerId : undefined;
}
app.use(async (req, res, next) => {
  const owner = await ownerOfKey(req.get("x-api-key") ?? "");
  if (owner === undefined) return void res.status(401).json({ title: "Authentication required" });
  next();
});`,
  fastify: `async function ownerOfKey(key: string): Promise<string | undefined> {
  const row = await db.keys.byId(key.split("_")[1] ?? "");
  const hash = createHash("sha256").update(key).digest();
  const isRight = timingSafeEqual(hash, row?.sha256 ?? Buffer.alloc(32));
  return row !== undefined && isRight && row.revokedAt === null ? row.ownerId : undefined;
}
app.addHook("onRequest", async (request, reply) => {
  const owner = await ownerOfKey(String(request.headers["x-api-key"] ?? ""));
  if (owner === undefined) return reply.code(401).send({ title: "Authentication required" });
});`,
  hono: `async function ownerOfKey(key: string): Promise<string | undefined> {
  const row = await db.keys.byId(key.split("_")[1] ?? "");
  const hash = createHash("sha256").update(key).digest();
  const isRight = timingSafeEqual(hash, row?.sha256 ?? Buffer.alloc(32));
  return row !== undefined && isRight && row.revokedAt === null ? row.ownerId : undefined;
}
app.use(async (c, next) => {
  const owner = await ownerOfKey(c.req.header("x-api-key") ?? "");
  if (owner === undefined) return c.json({ title: "Authentication required" }, 401);
  await next();
});`,
  next: `async function ownerOfKey(key: string): Promise<string | undefined> {
  const row = await db.keys.byId(key.split("_")[1] ?? "");
  const hash = createHash("sha256").update(key).digest();
  const isRight = timingSafeEqual(hash, row?.sha256 ?? Buffer.alloc(32));
  return row !== undefined && isRight && row.revokedAt === null ? row.ownerId : undefined;
}
export async function GET(request: NextRequest): Promise<Response> {
  const owner = await ownerOfKey(request.headers.get("x-api-key") ?? "");
  if (owner === undefined) return Response.json({ title: "Authentication required" }, { status: 401 });
  return Response.json(await db.projects.list({ ownerId: owner }, 20));
}`,
};
