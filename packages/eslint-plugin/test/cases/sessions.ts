import { type Case, finds, inExpress, leaves } from "../case.ts";

export const sessions: readonly Case[] = [
  finds(
    "webStorage",
    "a token in localStorage",
    'localStorage.setItem("access_token", data.token);',
    "src/sign-in.tsx",
  ),
  finds(
    "webStorage",
    "the same in sessionStorage of window",
    'const KEY = "x";\nwindow.sessionStorage.setItem("authToken", KEY);',
  ),
  finds("webStorage", "the same by assignment", "localStorage.token = token;"),
  finds(
    "cookie",
    "a session cookie that scripts can read",
    inExpress('app.post("/s", (req, res) => { res.cookie("session", id); });'),
  ),
  finds(
    "cookie",
    "the same with options that leave it open",
    inExpress('app.post("/s", (req, res) => { res.cookie("auth_token", id, { maxAge: 1000 }); });'),
  ),
  finds(
    "password",
    "a password as MD5",
    'import { createHash } from "node:crypto";\nexport const save = (password: string) => createHash("md5").update(password).digest("hex");',
  ),
  finds(
    "password",
    "the same by a function of this file",
    'import crypto from "crypto";\nconst sha = (text) => crypto.createHash("sha256").update(text).digest("hex");\nexport const save = (user) => ({ hash: sha(user.password) });',
    "src/users.js",
  ),
  leaves(
    "what is no credential",
    'localStorage.setItem("theme", "dark");\nlocalStorage.setItem("csrf_token", x);\nlocalStorage.getItem("token");\nlocalStorage.removeItem("token");',
  ),
  leaves("a storage that is somebody else's", 'const localStorage = new Map();\nlocalStorage.setItem("token", x);'),
  leaves(
    "a cookie that scripts cannot read, and one that signs nobody in",
    inExpress(
      'app.post("/s", (req, res) => { res.cookie("session", id, { httpOnly: true }); res.cookie("session", id, options); res.cookie("remember", 1); res.cookie("XSRF-TOKEN", t); });',
    ),
  ),
  leaves(
    "a password for a slow hash, and one asked of a breach list",
    'import { createHash } from "node:crypto";\nexport const pwnedRange = (password: string) => createHash("sha1").update(password).digest("hex").slice(0, 5);',
  ),
  leaves(
    "a fast hash of what is no password",
    'import { createHash } from "node:crypto";\nexport const etag = (body: string) => createHash("md5").update(body).digest("hex");',
  ),
];
