import { type Case, finds, inExpress, leaves } from "../case.ts";

export const exposure: readonly Case[] = [
  finds(
    "credentialFromUrl",
    "a token from the URL where there is no header",
    inExpress("app.use((req, res, next) => { check(req.headers.authorization ?? req.query.token); next(); });"),
  ),
  finds(
    "credentialFromUrl",
    "the same for an API key, with more names",
    inExpress(
      'app.use((req, res, next) => { const key = req.get("X-Api-Key") || req.query.api_key || ""; check(key); next(); });',
    ),
  ),
  finds(
    "secretInUrl",
    "a key in the URL of a call",
    "await fetch(`https://api.example.com/v1?api_key=${process.env.KEY}`);",
  ),
  finds(
    "secretInUrl",
    "the same with axios",
    'import axios from "axios";\naxios.get(`https://api.example.com/me?x=1&access_token=${token}`);',
  ),
  finds(
    "environment",
    "the environment for whoever asks",
    inExpress('app.get("/debug", (req, res) => { res.json({ env: process.env, up: process.uptime() }); });'),
  ),
  finds(
    "environment",
    "settings with a secret among them",
    inExpress('const config = { PORT: 1, DATABASE_URL: url };\napp.get("/c", (req, res) => { res.send(config); });'),
  ),
  finds("folder", "the folder of the project as static files", inExpress('app.use(express.static("."));')),
  finds("folder", "the same by process.cwd()", inExpress("app.use(express.static(process.cwd()));")),
  leaves(
    "a token of one click in the URL",
    inExpress('app.get("/confirm", (req, res) => { confirm(req.query.token); res.end(); });'),
  ),
  leaves(
    "a header and nothing else",
    inExpress(
      "app.use((req, res, next) => { check(req.headers.authorization ?? req.headers.cookie ?? defaults.token); next(); });",
    ),
  ),
  leaves(
    "a link for a mail",
    "await mail(`https://app.example.com/reset?token=${token}`);\nawait fetch(`https://api.example.com/search?q=${q}&page=${page}`);",
  ),
  leaves(
    "one setting by name",
    inExpress(
      'app.get("/v", (req, res) => { res.json({ env: process.env.NODE_ENV, version: process.env.npm_package_version }); });',
    ),
  ),
  leaves(
    "a folder of its own",
    inExpress(
      'import { join } from "node:path";\napp.use(express.static("public"), express.static(join(import.meta.dirname, "files")));',
    ),
  ),
  leaves("a fetch that is somebody else's", 'import { fetch } from "./fake.ts";\nawait fetch(`/x?api_key=${key}`);'),
];
