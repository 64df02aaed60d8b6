import { type Case, finds, inExpress, leaves } from "../case.ts";

export const rateLimit: readonly Case[] = [
  finds(
    "address key",
    "a counter by X-Forwarded-For",
    inExpress(
      'app.use((req, res, next) => { const ip = req.headers["x-forwarded-for"] ?? "unknown"; const n = hits.get(ip); next(n); });',
    ),
  ),
  finds(
    "key",
    "a limiter that is asked with it in Next.js",
    'export async function POST(request: Request) { await ratelimit.limit(request.headers.get("x-forwarded-for")); }',
    "app/api/x/route.ts",
  ),
  finds(
    "key",
    "the first part of it, without a name",
    inExpress(
      'app.use((req, res, next) => { limiter.consume(String(req.get("X-Forwarded-For")).split(",")[0].trim()); next(); });',
    ),
  ),
  finds(
    "key",
    "a key function of express-rate-limit",
    inExpress(
      'import { rateLimit } from "express-rate-limit";\napp.use(rateLimit({ max: 5, keyGenerator: (req) => req.headers["x-forwarded-for"] }));',
    ),
  ),
  finds(
    "address",
    "an address read from it in hono",
    'import { Hono } from "hono";\nnew Hono().get("/", (c) => { const clientIp = c.req.header("X-Forwarded-For"); return c.text(clientIp); });',
  ),
  leaves(
    "the socket's address",
    inExpress(
      "app.use((req, res, next) => { const ip = req.ip; hits.get(req.socket.remoteAddress); hits.set(ip, 1); next(); });",
    ),
  ),
  leaves(
    "a header that decides nothing",
    inExpress(
      'app.use((req, res, next) => { const forwarded = req.headers["x-forwarded-for"]; log(forwarded); next(); });',
    ),
  ),
  leaves(
    "a header that counts only from a peer that was looked at",
    inExpress(
      'app.use((req, res, next) => { const ip = isProxy(req.socket.remoteAddress) ? req.headers["x-forwarded-for"] : req.socket.remoteAddress; hits.get(ip); next(); });',
    ),
  ),
  leaves(
    "a proxy that hands the header on",
    'export const forward = (headers: Headers) => { out.set("x-forwarded-for", headers.get("x-forwarded-for")); };',
  ),
];
