import type { Fix } from "./fix.ts";

/** The smallest fix of canonical-request. */
export const canonicalRequest: Fix = {
  summary:
    "Refuse with 400 what can be read in two ways, before anything decides by it: odd paths, doubled headers and parameters, lengths that contradict each other, bodies that are not UTF-8.",
  portcullis: `const strict = createApi({ name: "projects", hosts: ["api.example.com"], credentials: [tokens] }); // nothing to set`,
  express: `const odd = /%(?![0-9a-f]{2})|%(?:00|2e|2f|5c|25)|\\\\|\\/\\/|\\/\\.{1,2}(?:\\/|$)/i;
const isOdd = (target: string): boolean => odd.test(target.split("?")[0] ?? "");
app.set("query parser", "simple").set("case sensitive routing", true).set("strict routing", true);
app.use((req, res, next) => {
  const fields = req.rawHeaders.filter((_field, index) => index % 2 === 0).map((field) => field.toLowerCase());
  const once = ["host", "authorization", "content-type"];
  const isDoubled = once.some((one) => fields.filter((field) => field === one).length > 1);
  if (isOdd(req.originalUrl) || isDoubled) return void res.status(400).json({ title: "Ambiguous request" });
  next();
});`,
  fastify: `const odd = /%(?![0-9a-f]{2})|%(?:00|2e|2f|5c|25)|\\\\|\\/\\/|\\/\\.{1,2}(?:\\/|$)/i;
const isOdd = (target: string): boolean => odd.test(target.split("?")[0] ?? "");
app.addHook("onRequest", async (request, reply) => {
  const fields = request.raw.rawHeaders.filter((_field, index) => index % 2 === 0).map((field) => field.toLowerCase());
  const once = ["host", "authorization", "content-type"];
  const isDoubled = once.some((one) => fields.filter((field) => field === one).length > 1);
  if (isOdd(request.raw.url ?? "") || isDoubled) return reply.code(400).send({ title: "Ambiguous request" });
});`,
  hono: `const odd = /%(?![0-9a-f]{2})|%(?:00|2e|2f|5c|25)|\\\\|\\/\\/|\\/\\.{1,2}(?:\\/|$)/i;
const isOdd = (target: string): boolean => odd.test(target.split("?")[0] ?? "");
app.use(async (c, next) => {
  // On Node the bytes that were sent are in c.env.incoming; a URL object has tidied them already.
  if (isOdd(c.env.incoming.url ?? "")) return c.json({ title: "Ambiguous request" }, 400);
  await next();
});`,
  next: `const odd = /%(?![0-9a-f]{2})|%(?:00|2e|2f|5c|25)|\\\\|\\/\\/|\\/\\.{1,2}(?:\\/|$)/i;
const isOdd = (target: string): boolean => odd.test(target.split("?")[0] ?? "");
export function proxy(request: NextRequest): Response | undefined {
  // Next.js has tidied the path by now: refuse odd spellings in the proxy in front as well.
  return isOdd(request.nextUrl.pathname) ? Response.json({ title: "Ambiguous request" }, { status: 400 }) : undefined;
}`,
};
