import { type RequestHandler, Router } from "express";
import type { Db } from "./db.ts";

/** The caller's own profile, and the administration of users. */
export function accountRoutes(db: Db, requireAuth: RequestHandler) {
  const router = Router();

  router.patch("/v1/me", requireAuth, (req, res) => {
    const user = db.get(`SELECT * FROM users WHERE id = '${req.user.id}'`);
    // hole: mass-assignment: whatever the body names is written: role, tenantId, passwordHash.
    const changed = Object.assign(user ?? {}, req.body);
    db.save("users", req.user.id, changed);
    res.json(changed);
  });

  // hole: versioning: .all answers every method nobody declared.
  router.all("/v1/me", requireAuth, (req, res) => {
    // hole: output: the raw row with passwordHash and role.
    res.json(db.get(`SELECT * FROM users WHERE id = '${req.user.id}'`));
  });

  // hole: function-access: somebody is signed in, and that is all an administrator needs to be.
  router.get("/v1/admin/users", requireAuth, (req, res) => {
    const limit = Number(req.query.limit) || 20;
    const offset = Number(req.query.cursor) || 0;
    const items = db.query(`SELECT * FROM users LIMIT ${limit} OFFSET ${offset}`);
    res.json({ items, next: items.length === limit ? String(offset + limit) : null });
  });

  // hole: function-access: the same here, for a call that changes something.
  router.post("/v1/admin/users/:userId/disable", requireAuth, (req, res) => {
    db.save("users", String(req.params.userId), { disabled: 1 });
    res.sendStatus(204);
  });

  return router;
}
