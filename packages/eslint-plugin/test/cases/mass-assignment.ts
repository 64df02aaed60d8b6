import { type Case, finds, inExpress, leaves } from "../case.ts";

export const massAssignment: readonly Case[] = [
  finds(
    "merged",
    "a body merged into a row",
    inExpress(
      'app.patch("/me", async (req, res) => { const user = await load(); Object.assign(user, req.body); await user.save(); });',
    ),
  ),
  finds(
    "written",
    "a body that is inserted with fields before it",
    inExpress(
      'app.post("/p", (req, res) => { const row = { id: newId(), ownerId: req.user.id, ...req.body }; db.insert("p", row); });',
    ),
  ),
  finds(
    "written",
    "a body that Mongoose finds and updates with",
    inExpress(
      'app.put("/u/:id", async (req, res) => { await User.findByIdAndUpdate(req.params.id, { $set: req.body }); });',
    ),
  ),
  finds(
    "written",
    "data of Prisma, in a route of Next.js",
    `import { prisma } from "@/lib/prisma";
     export async function PATCH(request: Request) {
       const body = await request.json();
       await prisma.user.update({ where: { id: 1 }, data: { ...body } });
       return new Response(null, { status: 204 });
     }`,
    "app/api/me/route.ts",
  ),
  finds(
    "written",
    "values of Drizzle",
    inExpress(
      'import { drizzle } from "drizzle-orm/node-postgres";\nconst db = drizzle(url);\napp.post("/p", async (req, res) => { await db.insert(p).values(req.body); });',
    ),
  ),
  finds(
    "written written",
    "a model of the project, made of a body and created from one",
    "const User = require('../models/user');\nexports.create = async (req, res) => { const user = new User(req.body); await user.save(); await User.create({ ...req.body, ok: true }); res.json({ id: user.id }); };",
    "controllers/users.js",
  ),
  leaves(
    "a class that is no model, made of a body",
    "const Form = require('../forms/user');\nexports.create = async (req, res) => { const form = new Form(req.body); res.json({ ok: form.valid }); };",
    "controllers/users.js",
  ),
  leaves(
    "fields by name",
    inExpress(
      'app.post("/p", (req, res) => { const { name, url } = req.body; db.insert("p", { name, url }); Object.assign(row, { name }); });',
    ),
  ),
  leaves(
    "a body that a schema went over",
    inExpress(
      'app.post("/p", (req, res) => { const body = Project.parse(req.body); db.insert("p", { ...body }); Object.assign(row, body); });',
    ),
  ),
  leaves(
    "a body that a middleware validated, or that was replaced",
    inExpress(`
      app.post("/p", validate(Project), (req, res) => { db.insert("p", req.body); });
      app.post("/q", (req, res) => { req.body = clean(req.body); db.insert("q", req.body); });`),
  ),
  leaves(
    "a copy",
    inExpress('app.post("/p", (req, res) => { const copy = Object.assign({}, req.body); use(copy); });'),
  ),
  leaves(
    "a body that is hashed, kept in a map or handed to a service",
    inExpress(
      'app.post("/p", (req, res) => { hash.update(req.body); seen.set(key, req.body); service.create(req.body); });',
    ),
  ),
  leaves(
    "options merged into a row outside any handler",
    "export const merge = (row: object, req: { body: object }) => Object.assign(row, req.body);",
  ),
];
