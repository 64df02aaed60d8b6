import { randomBytes, randomUUID } from "node:crypto";
import { type Request, type RequestHandler, Router } from "express";
import type { Db } from "./db.ts";

/** Projects with their members and comments, the search, the report and the old version. */
export function projectRoutes(db: Db, requireAuth: RequestHandler) {
  const router = Router();

  router.post("/v1/projects", requireAuth, (req, res) => {
    // hole: input: no schema: missing, unknown and wrongly typed fields are all the same to it.
    // hole: mass-assignment: the body comes last and wins: ownerId, tenantId, createdAt.
    const project = {
      id: randomUUID(),
      tenantId: req.user.tenantId,
      ownerId: req.user.id,
      backendSecret: `service_role_${randomBytes(16).toString("hex")}`,
      internalNotes: "",
      createdAt: new Date().toISOString(),
      ...req.body,
    };
    db.insert("projects", project);
    db.insert("members", { projectId: project.id, userId: project.ownerId, role: "owner" });
    res.status(201).location(link(req, project.id)).json(project);
  });

  // hole: versioning: .all answers every method nobody declared.
  router.all("/v1/projects", requireAuth, (req, res) => {
    // hole: pagination: any limit, -1 is everything; the cursor is an offset anybody can write.
    const limit = Number(req.query.limit) || 20;
    const offset = Number(req.query.cursor) || 0;
    // hole: object-access: the whole tenant instead of what the caller may reach, and any tenant for the asking.
    const tenantId = req.query.tenantId ?? req.user.tenantId;
    // hole: output: raw rows, backendSecret and internalNotes among them.
    const items = db.query(
      `SELECT * FROM projects WHERE tenantId = '${tenantId}' ORDER BY createdAt DESC, rowid DESC LIMIT ${limit} OFFSET ${offset}`,
    );
    res.json({ items, next: items.length === limit ? String(offset + limit) : null });
  });

  router.all("/v1/project-pages", requireAuth, (req, res) => {
    const limit = Number(req.query.limit) || 20;
    const page = Number(req.query.page) || 1;
    const mine = `FROM projects WHERE tenantId = '${req.user.tenantId}'`;
    const total = Number(db.get(`SELECT count(*) AS total ${mine}`)?.total);
    const items = db.query(`SELECT * ${mine} ORDER BY createdAt DESC LIMIT ${limit} OFFSET ${(page - 1) * limit}`);
    res.json({ items, page, limit, total, pages: Math.ceil(total / limit) });
  });

  router.patch("/v1/projects/:id", requireAuth, (req, res) => {
    // hole: object-access: looked up by id alone.
    const project = db.get(`SELECT * FROM projects WHERE id = '${req.params.id}'`);
    if (!project) {
      res.status(404).json({ error: `Project ${req.params.id} not found` });
      return;
    }
    const { id } = project;
    // hole: mass-assignment: the body is merged into the row.
    Object.assign(project, req.body);
    db.save("projects", String(id), project);
    res.json(project);
  });

  router.delete("/v1/projects/:id", requireAuth, (req, res) => {
    const project = db.get(`SELECT * FROM projects WHERE id = '${req.params.id}'`);
    if (!project) {
      res.status(404).json({ error: `Project ${req.params.id} not found` });
      return;
    }
    db.query(`DELETE FROM comments WHERE projectId = '${project.id}'`);
    db.query(`DELETE FROM members WHERE projectId = '${project.id}'`);
    db.query(`DELETE FROM projects WHERE id = '${project.id}'`);
    res.sendStatus(204);
  });

  router.all("/v1/projects/:id", requireAuth, (req, res) => {
    // hole: object-access: the classic: signed in, so any id will do.
    const project = db.get(`SELECT * FROM projects WHERE id = '${req.params.id}'`);
    if (!project) {
      res.status(404).json({ error: `Project ${req.params.id} not found` });
      return;
    }
    res.json({ ...project, links: { self: link(req, String(project.id)) } });
  });

  router.get("/v1/projects/:id/members", requireAuth, (req, res) => {
    const items = db.query(`SELECT * FROM members WHERE projectId = '${req.params.id}'`);
    res.json({ items, next: null });
  });

  router.put("/v1/projects/:id/members/:userId", requireAuth, (req, res) => {
    // hole: object-access: everybody may make anybody the owner of anything.
    const { id: projectId, userId } = req.params;
    db.query(`DELETE FROM members WHERE projectId = '${projectId}' AND userId = '${userId}'`);
    db.insert("members", { projectId, userId, role: req.body.role });
    res.json({ userId, role: req.body.role });
  });

  router.delete("/v1/projects/:id/members/:userId", requireAuth, (req, res) => {
    db.query(`DELETE FROM members WHERE projectId = '${req.params.id}' AND userId = '${req.params.userId}'`);
    res.sendStatus(204);
  });

  // hole: authentication: forgotten on this route.
  router.get("/v1/projects/:id/comments", (req, res) => {
    const items = db.query(`SELECT * FROM comments WHERE projectId = '${req.params.id}' ORDER BY createdAt`);
    res.json({ items, next: null });
  });

  router.post("/v1/projects/:id/comments", requireAuth, (req, res) => {
    const comment = {
      id: randomUUID(),
      projectId: req.params.id,
      authorId: req.user.id,
      authorIp: req.ip,
      createdAt: new Date().toISOString(),
      ...req.body,
    };
    db.insert("comments", comment);
    res.status(201).json(comment);
  });

  router.get("/v1/projects/:id/comments/:commentId", requireAuth, (req, res) => {
    // hole: object-access: the comment need not even belong to the project in the path.
    const comment = db.get(`SELECT * FROM comments WHERE id = '${req.params.commentId}'`);
    if (!comment) {
      res.status(404).json({ error: `Comment ${req.params.commentId} not found` });
      return;
    }
    res.json(comment);
  });

  // hole: authentication: and on this one, which deletes.
  router.delete("/v1/projects/:id/comments/:commentId", (req, res) => {
    const comment = db.get(`SELECT * FROM comments WHERE id = '${req.params.commentId}'`);
    if (!comment) {
      res.status(404).json({ error: `Comment ${req.params.commentId} not found` });
      return;
    }
    db.query(`DELETE FROM comments WHERE id = '${comment.id}'`);
    res.sendStatus(204);
  });

  router.all("/v1/search", requireAuth, (req, res) => {
    // hole: injection: ' OR 1=1 -- reads every tenant, UNION SELECT reads every table.
    const items = db.query(
      `SELECT * FROM projects WHERE tenantId = '${req.user.tenantId}' AND name LIKE '%${req.query.q}%'`,
    );
    res.json({ items, next: null });
  });

  // hole: rate-limit: none, on the most expensive route of all.
  router.all("/v1/reports/slow-export", requireAuth, (_req, res) => {
    res.json({ id: randomUUID(), createdAt: new Date().toISOString() });
  });

  // hole: versioning: the old version is still there, with nothing in the answer that says it is old.
  router.get("/v0/projects", requireAuth, (_req, res) => {
    res.json({ items: db.query("SELECT * FROM projects ORDER BY createdAt DESC"), next: null });
  });

  return router;
}

// hole: host: a link made from whatever Host or X-Forwarded-Host the client sent.
function link(req: Request, id: string) {
  return `${req.protocol}://${req.host}/v1/projects/${id}`;
}
