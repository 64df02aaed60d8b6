import { type Case, finds, inExpress, leaves } from "../case.ts";

const nextRoute = (code: string): string =>
  `import { prisma } from "@/lib/prisma";\nexport async function GET() {\n${code}\n}`;

export const output: readonly Case[] = [
  finds(
    "row",
    "every column of a user, by a name",
    inExpress(
      'app.get("/me", async (req, res) => { const user = await db.get("SELECT * FROM users WHERE id = ?", id); res.json(user); });',
    ),
  ),
  finds(
    "row",
    "the rows of pg, in an object",
    inExpress(
      'app.get("/p", async (req, res) => { const { rows } = await pool.query("select p.* from p"); res.status(200).json({ items: rows }); });',
    ),
  ),
  finds(
    "row",
    "the row that an insert gives back, spread",
    inExpress(
      'app.post("/p", async (req, res) => { const [row] = await sql("INSERT INTO p (name) VALUES ($1) RETURNING *", [name]); res.send({ ...row, ok: true }); });',
    ),
  ),
  finds(
    "row",
    "a statement that was prepared",
    inExpress(
      'app.get("/p/:id", (req, res) => { res.json(db.prepare("SELECT * FROM p WHERE id = ?").get(req.params.id)); });',
    ),
  ),
  finds(
    "row",
    "a user of Prisma without select",
    nextRoute("return Response.json(await prisma.user.findMany({ where: { a: 1 } }));"),
    "app/users/route.ts",
  ),
  finds(
    "row",
    "a row of Kysely with all its columns",
    `import { Kysely } from "kysely";
     import { Hono } from "hono";
     const db = new Kysely({});
     const app = new Hono();
     app.get("/p", async (c) => c.json(await db.selectFrom("p").selectAll().execute()));`,
  ),
  finds(
    "row",
    "a select of Drizzle that names nothing",
    inExpress(
      'import { drizzle } from "drizzle-orm/node-postgres";\nconst db = drizzle(url);\napp.get("/p", async (req, res) => { res.json(await db.select().from(p)); });',
    ),
  ),
  finds(
    "row",
    "data of Supabase with a star",
    `import { createClient } from "@supabase/supabase-js";
     import { NextResponse } from "next/server";
     const supabase = createClient(url, key);
     export async function GET() {
       const { data } = await supabase.from("profiles").select("*");
       return NextResponse.json({ data });
     }`,
    "app/profiles/route.ts",
  ),
  leaves(
    "columns by name",
    inExpress('app.get("/me", async (req, res) => { res.json(await db.get("SELECT id, name FROM users")); });'),
  ),
  leaves(
    "what was picked from the row",
    inExpress(
      'app.get("/me", async (req, res) => { const user = await db.get("SELECT * FROM users"); const { id, name } = user; res.json({ id, name, mail: user.mail }); });',
    ),
  ),
  leaves(
    "rows that something went over",
    inExpress(
      'app.get("/p", async (req, res) => { const rows = await db.all("SELECT * FROM p"); res.json({ items: rows.map(view), total: rows.length, first: view(rows[0]) }); });',
    ),
  ),
  leaves(
    "a user of Prisma with select, or with what may be one",
    nextRoute(
      "await prisma.user.findMany({ ...args });\nreturn Response.json(await prisma.user.findMany({ select: { id: true } }));",
    ),
    "app/users/route.ts",
  ),
  leaves(
    "a count of everything",
    inExpress('app.get("/n", async (req, res) => { res.json(await db.get("SELECT count(*) AS n FROM p")); });'),
  ),
  leaves(
    "rows that stay inside",
    'const rows = await db.all("SELECT * FROM p");\nconsole.table(rows);\nexport const job = () => res.json(rows);',
  ),
];
