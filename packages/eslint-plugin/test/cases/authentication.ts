import { type Case, finds, inExpress, leaves } from "../case.ts";

const prisma = 'import { prisma } from "@/lib/prisma";\n';
const guarded = `
  router.get("/projects/:id", requireAuth, (req, res) => { res.json({}); });
  router.put("/projects/:id", requireAuth, (req, res) => { res.json({}); });`;

export const authentication: readonly Case[] = [
  finds(
    "nextRoute",
    "a route of Next.js that changes data for anybody",
    `${prisma}export async function DELETE(request: Request, { params }) { await prisma.post.delete({ where: { id: params.id } }); return new Response(null); }`,
    "src/app/api/posts/[id]/route.ts",
  ),
  finds(
    "nextRoute",
    "one that reads it, as a constant",
    `${prisma}export const GET = async () => Response.json(await prisma.order.count());`,
    "app/api/orders/route.ts",
  ),
  finds(
    "nextRoute",
    "one of pages/api",
    `${prisma}export default async function handler(req, res) { res.json({ n: await prisma.order.count() }); }`,
    "pages/api/orders.ts",
  ),
  finds(
    "nextRoute",
    "one whose helper reads it",
    `${prisma}const load = () => prisma.order.count();\nexport async function GET() { return Response.json(await load()); }`,
    "app/orders/route.ts",
  ),
  finds(
    "forgotten",
    "a route below an id that its neighbours guard",
    inExpress(`${guarded}\nrouter.get("/projects/:id/comments", (req, res) => { res.json({}); });`),
  ),
  finds(
    "forgotten",
    "a delete where everything else is guarded",
    inExpress(`${guarded}\nrouter.delete("/projects/:id", (req, res) => { res.end(); });`),
  ),
  leaves(
    "a route that asks who is calling",
    `${prisma}import { auth } from "@/auth";\nexport async function GET() { const session = await auth(); if (!session) return new Response(null, { status: 401 }); return Response.json(await prisma.order.count()); }`,
    "app/api/orders/route.ts",
  ),
  leaves(
    "Supabase's user, and a secret in a header",
    `export async function GET() { const { data } = await supabase.auth.getUser(); return Response.json(await db.orders.count()); }\nexport async function POST(request: Request) { if (request.headers.get("authorization") !== expected) return deny(); await db.orders.clear(); }`,
    "app/api/orders/route.ts",
  ),
  leaves(
    "a guard in a helper of this file",
    `${prisma}async function me() { return await getServerSession(options); }\nexport async function GET() { const user = await me(); return Response.json(await prisma.order.count()); }`,
    "app/api/orders/route.ts",
  ),
  leaves(
    "a handler inside a wrapper, ours among them",
    `${prisma}import { toNext } from "portcullis/next";\nexport const { GET, POST } = toNext(api);\nexport const PUT = withAuth(async () => prisma.order.count());`,
    "app/api/orders/route.ts",
  ),
  leaves(
    "a route that touches no data",
    "export async function GET() { return Response.json({ now: Date.now() }); }",
    "app/api/time/route.ts",
  ),
  leaves(
    "paths that strangers are meant to call",
    `${prisma}export async function POST() { await prisma.user.count(); }`,
    "app/api/auth/sign-up/route.ts",
  ),
  leaves(
    "a file that is no route",
    `${prisma}export async function GET() { return prisma.order.count(); }`,
    "src/lib/orders.ts",
  ),
  leaves(
    "reading that is free where changing is not",
    inExpress(
      'router.put("/posts/:id", requireAuth, put);\nrouter.delete("/posts/:id", requireAuth, remove);\nrouter.get("/posts/:id", (req, res) => { res.json({}); });',
    ),
  ),
  leaves(
    "a router that is guarded as a whole",
    inExpress(
      `router.use(requireAuth);${guarded}\nrouter.get("/projects/:id/comments", (req, res) => { res.json({}); });`,
    ),
  ),
  leaves(
    "a route with another middleware, and one without an id",
    inExpress(
      `${guarded}\nrouter.delete("/projects/:id", mayDelete, (req, res) => { res.end(); });\nrouter.post("/sign-in", (req, res) => { res.end(); });`,
    ),
  ),
];
