import { type Case, finds, inExpress, leaves } from "../case.ts";

export const injection: readonly Case[] = [
  finds(
    "request",
    "a parameter of the path in a template, whatever the database",
    inExpress(
      "app.get(\"/p/:id\", async (req, res) => { await db.query(`SELECT id FROM p WHERE id = '${req.params.id}'`); });",
    ),
  ),
  finds(
    "request",
    "a field of the body put in with +, by a name",
    inExpress(
      'app.post("/p", (req, res) => { const { name } = req.body; const sql = "SELECT id FROM p WHERE name = \'" + name + "\'"; db.all(sql); });',
    ),
  ),
  finds(
    "request",
    "a sort order taken from the query",
    inExpress('app.get("/p", (req, res) => { db.query(`SELECT id FROM p ORDER BY ${req.query.sort}`); });'),
  ),
  finds(
    "request",
    "a condition handed to a function of this file that puts it into SQL",
    inExpress(`
      const find = (where: string) => db.query(\`SELECT * FROM users WHERE \${where}\`);
      app.post("/sign-in", (req, res) => { find(\`email = '\${req.body.email}'\`); });`),
  ),
  finds(
    "request",
    "Prisma's unsafe call in a route of Next.js",
    `import { prisma } from "@/lib/prisma";
     export async function POST(request: Request) {
       const { name } = await request.json();
       return Response.json(await prisma.$queryRawUnsafe(\`SELECT id FROM p WHERE name = '\${name}'\`));
     }`,
    "app/api/p/route.ts",
  ),
  finds(
    "request",
    "a search parameter of Next.js in sql.raw of Drizzle",
    `import { sql } from "drizzle-orm";
     export async function GET(request: Request) {
       const { searchParams } = new URL(request.url);
       const order = searchParams.get("order");
       await run(sql.raw(\`ORDER BY \${order}\`));
     }`,
    "app/api/p/route.ts",
  ),
  finds(
    "request",
    "a field of Hono's body in Knex's raw",
    `import { Hono } from "hono";
     import knex from "knex";
     const db = knex({ client: "pg" });
     const app = new Hono();
     app.post("/p", async (c) => { const body = await c.req.json(); return c.json(await db.raw(\`SELECT id FROM p WHERE name = '\${body.name}'\`)); });`,
  ),
  finds(
    "request",
    "a controller in a file of its own, known by how it answers",
    "exports.search = async (req, res) => { const rows = await db.search(`SELECT id FROM p WHERE name = '${req.query.q}'`); res.json({ rows }); };",
    "controllers/search.js",
  ),
  finds(
    "request",
    "the same made by an exported function",
    "module.exports = function search (db) { return (req, res, next) => { db.search(`SELECT id FROM p WHERE name = '${req.query.q}'`).then((rows) => { res.status(200).json(rows); }, next); }; };",
    "controllers/search.js",
  ),
  leaves(
    "the same names where nothing answers as Express does",
    "export const copy = (req, res) => { res.write(`SELECT id FROM p WHERE id = '${req.params.id}'`); };",
    "src/copy.js",
  ),
  finds(
    "value",
    "a parameter of a function in quotes, for pg",
    `import { Pool } from "pg";
     const pool = new Pool();
     export async function byName(name: string) { return pool.query(\`SELECT id FROM p WHERE name = '\${name}'\`); }`,
  ),
  finds(
    "value",
    "a value after = without quotes, for mysql2's promises",
    `import mysql from "mysql2/promise";
     const pool = mysql.createPool(process.env.DATABASE_URL);
     export const byId = (id: string) => pool.execute("SELECT id FROM p WHERE id = " + id);`,
  ),
  finds(
    "value",
    "a statement that is prepared around a value",
    `import Database from "better-sqlite3";
     const db = new Database("x.db");
     export const byId = (id: string) => db.prepare(\`DELETE FROM p WHERE id = '\${id}'\`).run();`,
  ),
  leaves(
    "values that travel as parameters",
    inExpress(`
      import { Pool } from "pg";
      const pool = new Pool();
      app.get("/p/:id", async (req, res) => { await pool.query("SELECT id FROM p WHERE id = $1", [req.params.id]); });`),
  ),
  leaves(
    "tagged templates, which send values as parameters",
    inExpress(`
      import { sql } from "kysely";
      app.get("/p/:id", async (req, res) => { await sql\`SELECT id FROM p WHERE id = \${req.params.id}\`.execute(db); });`),
  ),
  leaves(
    "numbers made of what the client sent",
    inExpress(
      'app.get("/p", (req, res) => { const limit = Number(req.query.limit); db.query(`SELECT id FROM p LIMIT ${limit}`); });',
    ),
  ),
  leaves(
    "columns out of a table of constants, and tables by a constant",
    inExpress(`
      const ORDERS = { name: "name", created: "created_at" };
      const TABLE = "p";
      app.get("/p", (req, res) => { db.query(\`SELECT id FROM \${TABLE} WHERE x = '\${ORDERS[req.query.sort]}' ORDER BY \${ORDERS[req.query.sort]}\`); });`),
  ),
  leaves(
    "placeholders that are counted out, and conditions that were put together elsewhere",
    `import { Pool } from "pg";
     const pool = new Pool();
     export const many = (ids: string[], where: string) =>
       pool.query(\`SELECT id FROM p WHERE id IN (\${ids.map((_, i) => \`$\${i + 1}\`).join(", ")}) AND \${where}\`, ids);`,
  ),
  leaves(
    "a number by its type, and what an escaping function made",
    `import mysql from "mysql2";
     const db = mysql.createConnection({});
     export const one = (id: number, name: string) => db.query(\`SELECT id FROM p WHERE id = \${id} AND name = '\${mysql.escape(name)}'\`, done);`,
  ),
  leaves(
    "a sentence that has SQL's words in it",
    inExpress(
      'app.get("/p", (req, res) => { res.render("p", { title: `Select a seat from ${req.query.from}` }); log(`Update: ${req.query.q}`); });',
    ),
  ),
  leaves(
    "SQL that is told, and goes to no database",
    inExpress(
      "app.get('/p', (req, res) => { console.log(`DELETE FROM p WHERE id = '${req.params.id}'`); res.send(`SELECT id FROM p WHERE id = '${req.params.id}'`); });",
    ),
  ),
  leaves(
    "a req that is no handler's",
    "export function build(req: { params: { id: string } }) { return explain(`SELECT id FROM p WHERE id = '${req.params.id}'`); }",
  ),
  leaves(
    "a value that was parsed first",
    inExpress(
      'app.get("/p/:id", (req, res) => { const { id } = Params.parse(req.params); db.query(`SELECT id FROM p WHERE id = ${id}`); });',
    ),
  ),
];
