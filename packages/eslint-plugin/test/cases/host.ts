import { type Case, finds, inExpress, leaves } from "../case.ts";

export const host: readonly Case[] = [
  finds("trustsEverybody", "every proxy believed, in Express", inExpress('app.set("trust proxy", true);')),
  finds("trustsEverybody", "the same by enable", inExpress('app.enable("trust proxy");')),
  finds(
    "trustsEverybody",
    "the same in Fastify",
    'import Fastify from "fastify";\nexport const app = Fastify({ trustProxy: true });',
  ),
  finds(
    "link",
    "a link made of the Host header",
    inExpress('app.post("/reset", (req, res) => { mail(`${req.protocol}://${req.get("host")}/reset`); });'),
  ),
  finds(
    "link",
    "the same in a helper that takes a Request",
    'import type { Request } from "express";\nexport const link = (req: Request) => `https://${req.hostname}/x`;',
  ),
  leaves(
    "proxies by name or by number",
    inExpress('app.set("trust proxy", ["10.0.0.0/8"]);\napp.set("trust proxy", 1);\napp.set("etag", true);'),
  ),
  leaves(
    "how Node reads a path",
    'import { createServer } from "node:http";\ncreateServer((req, res) => { const { pathname } = new URL(req.url, `http://${req.headers.host}`); res.end(pathname); });',
  ),
  leaves("a setting of something else", 'const app = new Map();\napp.set("trust proxy", true);'),
  leaves(
    "a link to a configured address, and a host that is logged",
    inExpress(
      'app.get("/", (req, res) => { mail(`https://${config.host}/x`); console.log(`from ${req.hostname}`); });',
    ),
  ),
];
