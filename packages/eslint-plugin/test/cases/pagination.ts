import { type Case, finds, inExpress, leaves } from "../case.ts";

export const pagination: readonly Case[] = [
  finds(
    "unbounded",
    "a LIMIT as large as the query says",
    inExpress(
      'app.get("/p", (req, res) => { const limit = Number(req.query.limit) || 20; db.query(`SELECT id FROM p LIMIT ${limit}`); });',
    ),
  ),
  finds(
    "unbounded",
    "Prisma's take in a route of Next.js",
    'import { prisma } from "@/lib/prisma";\nexport async function GET(request: Request) { const { searchParams } = new URL(request.url); return send(await prisma.p.findMany({ take: parseInt(searchParams.get("limit") ?? "20", 10) })); }',
    "app/p/route.ts",
  ),
  finds(
    "unbounded",
    "a builder's limit",
    inExpress(
      'import knex from "knex";\nconst db = knex({});\napp.get("/p", (req, res) => { db("p").select("id").limit(Number(req.query.limit)); });',
    ),
  ),
  leaves(
    "a limit with an upper bound",
    inExpress(
      'app.get("/p", (req, res) => { const limit = Math.min(Number(req.query.limit) || 20, 100); db.query(`SELECT id FROM p LIMIT ${limit}`); });',
    ),
  ),
  leaves(
    "a limit that is compared",
    inExpress(
      'app.get("/p", (req, res) => { const limit = Number(req.query.limit); if (limit > 100) return res.sendStatus(400); db.query(`SELECT id FROM p LIMIT ${limit}`); });',
    ),
  ),
  leaves(
    "a limit that a schema went over, and an offset",
    inExpress(
      'app.get("/p", (req, res) => { const { limit } = Query.parse(req.query); const offset = Number(req.query.offset); db.query(`SELECT id FROM p LIMIT ${limit} OFFSET ${offset}`); });',
    ),
  ),
  leaves(
    "a limit outside any handler",
    "export const list = (req: { query: { limit: string } }) => db.query(`SELECT id FROM p LIMIT ${Number(req.query.limit)}`);",
  ),
];
