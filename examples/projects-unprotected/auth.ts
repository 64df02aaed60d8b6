import { randomUUID } from "node:crypto";
import { type RequestHandler, Router } from "express";
import jwt from "jsonwebtoken";
import { type Db, md5, type User } from "./db.ts";

export type Caller = { id: string; tenantId: string; role: string; scope: string };

declare module "express-serve-static-core" {
  interface Request {
    user: Caller;
  }
}

// hole: jwt: a secret out of a tutorial, short enough to be guessed offline.
export const JWT_SECRET = "secret";
const SCOPE = "projects:read projects:write comments:read comments:write keys:read keys:write";
const THIRTY_DAYS_IN_SECONDS = 30 * 24 * 3600;

/** A bearer token for a user. */
export function signToken(user: { id: string; tenantId: string; role: string }) {
  // hole: jwt: one token is good for thirty days.
  return jwt.sign({ tid: user.tenantId, role: user.role, scope: SCOPE }, JWT_SECRET, {
    header: { alg: "HS256", typ: "at+jwt" },
    issuer: "https://id.projects.example",
    audience: "https://api.projects.example",
    subject: user.id,
    expiresIn: THIRTY_DAYS_IN_SECONDS,
  });
}

/** The sign-in routes, the API keys, and the middleware that says who is calling. */
export function createAuth(db: Db) {
  const findUser = (where: string) => db.query<User>(`SELECT * FROM users WHERE ${where}`)[0];

  const sessions = new Map<string, string>();
  // hole: api-keys: every key in plain text, compared in a Set.
  const validKeys = new Set<string>();

  const requireAuth: RequestHandler = (req, res, next) => {
    const userId = sessions.get(req.cookies.session);
    const user = userId && findUser(`id = '${userId}'`);
    if (user) {
      req.user = { id: user.id, tenantId: user.tenantId, role: user.role, scope: SCOPE };
      return next();
    }

    // hole: exposure: the credential may stand in the URL, where every log and every proxy keeps it.
    const credential = req.headers.authorization ?? req.query.api_key ?? req.query.token;
    // hole: jwt: a bare token passes, without its scheme.
    const token = String(credential ?? "").replace("Bearer ", "");

    if (token.startsWith("prj_")) {
      if (!validKeys.has(token)) {
        res.status(403).json({ error: "Unknown API key" });
        return;
      }
      // hole: api-keys: nobody looks at an expiry, at revokedAt or at the scopes of the key.
      const owner = findUser(`id = (SELECT userId FROM keys WHERE key = '${token}')`);
      if (owner) req.user = { id: owner.id, tenantId: owner.tenantId, role: owner.role, scope: SCOPE };
      return next();
    }

    // hole: jwt: decoded, never verified: any signature, alg none, expired, any issuer and audience.
    const payload = jwt.decode(token) as jwt.JwtPayload | null;
    if (!payload?.sub) {
      res.status(401).json({ error: "Please sign in" });
      return;
    }
    req.user = { id: payload.sub, tenantId: payload.tid, role: payload.role, scope: payload.scope };
    next();
  };

  const router = Router();

  // hole: rate-limit: a fixed window in a Map that never shrinks, keyed by a header the client writes.
  const attempts = new Map<string, { count: number; resetAt: number }>();
  const limitSignIn: RequestHandler = (req, res, next) => {
    const ip = String(req.headers["x-forwarded-for"] ?? "unknown");
    let window = attempts.get(ip);
    if (!window || window.resetAt < Date.now()) {
      window = { count: 0, resetAt: Date.now() + 60_000 };
      attempts.set(ip, window);
    }
    window.count++;
    if (window.count > SIGN_INS_PER_MINUTE) {
      res.status(429).json({ error: "Too many attempts" });
      return;
    }
    next();
  };

  const checkPassword: RequestHandler = (req, res, next) => {
    const { email, password } = req.body;
    // hole: injection: the e-mail address is part of the SQL.
    const user = findUser(`email = '${email}'`);
    // hole: sessions: a stranger learns who has an account. (A disabled user gets in, too: nobody reads the column.)
    if (!user) {
      res.status(404).json({ error: `There is no account for ${email}` });
      return;
    }
    if (user.passwordHash !== md5(password)) {
      res.status(401).json({ error: `Wrong password for ${user.name}` });
      return;
    }
    req.user = { id: user.id, tenantId: user.tenantId, role: user.role, scope: SCOPE };
    res.locals.user = user;
    next();
  };

  router.post("/v1/sign-in", limitSignIn, checkPassword, (req, res) => {
    res.json({ token: signToken(req.user), expiresIn: THIRTY_DAYS_IN_SECONDS });
  });

  router.post("/v1/session", limitSignIn, checkPassword, (req, res) => {
    // hole: sessions: a session id that the browser brought along is kept (fixation), and it lives for ever.
    const sessionId = req.cookies.session ?? randomUUID();
    sessions.set(sessionId, req.user.id);
    // hole: sessions: no HttpOnly, no Secure, no SameSite, no __Host- prefix.
    res.cookie("session", sessionId);
    // hole: output: the whole row, password hash and all.
    res.status(201).json({ user: res.locals.user });
  });

  router.get("/v1/session", requireAuth, (req, res) => {
    res.json(db.get(`SELECT * FROM users WHERE id = '${req.user.id}'`));
  });

  router.delete("/v1/session", requireAuth, (_req, res) => {
    // hole: sessions: the browser forgets the cookie, the server never does.
    res.clearCookie("session");
    res.sendStatus(204);
  });

  router.get("/v1/keys", requireAuth, (req, res) => {
    // hole: api-keys: the keys can be read again at any time.
    const keys = db.query(`SELECT * FROM keys WHERE userId = '${req.user.id}' AND revokedAt IS NULL`);
    res.json({ items: keys.map((key) => ({ ...key, scopes: JSON.parse(String(key.scopes)) })), next: null });
  });

  router.post("/v1/keys", requireAuth, (req, res) => {
    const { name, scopes } = req.body;
    res.status(201).json(createKey(req.user.id, name, scopes));
  });

  router.delete("/v1/keys/:keyId", requireAuth, (req, res) => {
    // hole: object-access: anybody's key. hole: api-keys: it stays in the Set and goes on working.
    db.save("keys", String(req.params.keyId), { revokedAt: new Date().toISOString() });
    res.sendStatus(204);
  });

  function createKey(userId: string, name: string, scopes: string[] = []) {
    const id = randomUUID();
    // hole: api-keys: predictable randomness, no checksum, no expiry.
    const prefix = `prj_test_${Math.random().toString(36).slice(2, 10)}`;
    const key = `${prefix}_${Math.random().toString(36).slice(2)}`;
    validKeys.add(key);
    db.insert("keys", { id, userId, key, prefix, name, scopes, createdAt: new Date().toISOString() });
    return { id, key, prefix, name, scopes };
  }

  return { requireAuth, router, createKey };
}

const SIGN_INS_PER_MINUTE = 300;
