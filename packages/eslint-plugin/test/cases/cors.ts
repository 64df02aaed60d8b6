import { type Case, finds, inExpress, leaves } from "../case.ts";

export const cors: readonly Case[] = [
  finds(
    "everyOrigin",
    "every origin reflected with credentials",
    inExpress('import cors from "cors";\napp.use(cors({ origin: true, credentials: true }));'),
  ),
  finds(
    "everyOrigin",
    "credentials and nothing about origins",
    inExpress('import cors from "cors";\napp.use(cors({ credentials: true }));'),
  ),
  finds(
    "everyOrigin",
    "a function that says yes to everybody, in options by a name",
    inExpress(`
      import cors from "cors";
      const options = { origin: (origin, callback) => callback(null, true), credentials: true };
      app.use(cors(options));`),
  ),
  finds(
    "everyOrigin",
    "hono's cors that gives every origin back",
    `import { Hono } from "hono";
     import { cors } from "hono/cors";
     new Hono().use(cors({ origin: (origin) => origin, credentials: true }));`,
  ),
  finds(
    "everyOrigin",
    "Fastify's plugin with every origin",
    `import fastify from "fastify";
     import cors from "@fastify/cors";
     const app = fastify();
     await app.register(cors, { origin: true, credentials: true });`,
  ),
  finds(
    "reflected",
    "the Origin given back by hand",
    inExpress(`
      app.use((req, res, next) => {
        res.setHeader("Access-Control-Allow-Origin", req.headers.origin);
        res.setHeader("Access-Control-Allow-Credentials", "true");
        next();
      });`),
  ),
  finds(
    "reflected",
    "the same with the short names, and a star where there is no Origin",
    inExpress(`
      app.use((req, res, next) => {
        const origin = req.get("Origin") || "*";
        res.header("Access-Control-Allow-Origin", origin).header("Access-Control-Allow-Credentials", true);
        next();
      });`),
  ),
  finds(
    "reflected",
    "the pair in a Response of Next.js",
    `export async function GET(request: Request) {
       return new Response("x", {
         headers: {
           "Access-Control-Allow-Origin": request.headers.get("origin") ?? "",
           "Access-Control-Allow-Credentials": "true",
         },
       });
     }`,
    "app/api/x/route.ts",
  ),
  finds(
    "everyOrigin",
    "a star beside credentials",
    'export const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true" };',
  ),
  leaves(
    "every origin without credentials",
    inExpress('import cors from "cors";\napp.use(cors());\napp.use(cors({ origin: "*" }));'),
  ),
  leaves(
    "origins by name",
    inExpress('import cors from "cors";\napp.use(cors({ origin: ["https://app.example.com"], credentials: true }));'),
  ),
  leaves(
    "a function that decides",
    inExpress(`
      import cors from "cors";
      app.use(cors({ origin: (origin, done) => { if (list.has(origin)) done(null, true); else done(null, false); }, credentials: true }));
      app.use(cors({ origin: (origin, done) => done(null, list.has(origin)), credentials: true }));`),
  ),
  leaves(
    "an Origin that is compared with a list",
    inExpress(`
      app.use((req, res, next) => {
        const { origin } = req.headers;
        if (list.includes(origin)) {
          res.setHeader("Access-Control-Allow-Origin", origin);
          res.setHeader("Access-Control-Allow-Credentials", "true");
        }
        next();
      });`),
  ),
  leaves(
    "a cors that is somebody else's",
    'import { cors } from "./cors.ts";\ncors({ origin: true, credentials: true });',
  ),
  leaves(
    "options that are made elsewhere",
    'import cors from "cors";\nimport { base } from "./base.ts";\ncors({ ...base, credentials: true });',
  ),
];
