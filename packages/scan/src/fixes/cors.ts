import type { Fix } from "./fix.ts";

/** The smallest fix of cors. */
export const cors: Fix = {
  summary:
    "List the origins that may read answers, as exact texts; never reflect, never `null`, never `*` with credentials; and say `Vary: Origin` always.",
  portcullis: `const forBrowsers = createApi({
  name: "projects",
  hosts: ["api.example.com"],
  origins: ["https://app.example.com"],
  credentials: [browsers],
});`,
  express: `app.use(cors({ origin: ["https://app.example.com"], credentials: true, methods: ["GET", "POST"], maxAge: 7200 }));`,
  fastify: `await app.register(cors, { origin: ["https://app.example.com"], credentials: true, methods: ["GET", "POST"] });`,
  hono: `app.use(cors({ origin: ["https://app.example.com"], credentials: true, allowMethods: ["GET", "POST"], maxAge: 7200 }));`,
  next: `const origins = new Set(["https://app.example.com"]);
export async function GET(request: NextRequest): Promise<Response> {
  const origin = request.headers.get("origin") ?? "";
  const answer = Response.json(await db.projects.list({ ownerId: requireCaller(request).id }, 20));
  answer.headers.append("vary", "origin");
  if (origins.has(origin)) answer.headers.set("access-control-allow-origin", origin);
  return answer;
}`,
};
