import cookieParser from "cookie-parser";
import cors from "cors";
import express, { type ErrorRequestHandler } from "express";
import { accountRoutes } from "./accounts.ts";
import { createAuth } from "./auth.ts";
import type { Db } from "./db.ts";
import { debugRoutes } from "./debug.ts";
import { projectRoutes } from "./projects.ts";

/** The Express application, put together in the order that most samples show. */
export function createApp(db: Db) {
  const app = express();
  // hole: security-headers: no helmet, no header at all, and X-Powered-By says what to look for.
  // hole: audit: nothing is written down: no sign-in, no refusal, no call.

  // hole: host: every Host is served, and every X-Forwarded-* is believed.
  app.set("trust proxy", true);
  // hole: canonical-request: a query value may be an array or an object, paths match in any case.
  app.set("query parser", "extended");

  // hole: cors: every origin is reflected, with credentials.
  app.use(cors({ origin: true, credentials: true }));

  // hole: canonical-request: double slashes are tidied up, and a header or the query changes the method.
  app.use((req, _res, next) => {
    req.url = req.url.replace(/\/{2,}/g, "/");
    const method = req.get("x-http-method-override") ?? req.query._method;
    if (method) req.method = String(method).toUpperCase();
    next();
  });

  // hole: body-size: 50 MB for everybody, before anybody has been asked who they are.
  // hole: csrf: text/plain and forms are read as if they were JSON, so a page anywhere can send them with the cookie.
  // hole: canonical-request: the last of two equal JSON keys wins.
  app.use(express.json({ limit: "50mb", type: ["json", "text/plain"] }));
  app.use(express.urlencoded({ limit: "50mb", extended: true }));
  app.use(cookieParser());

  // hole: versioning: TRACE reads the request back, cookies and credentials included.
  app.trace("/*path", (req, res) => {
    const headers = Object.entries(req.headers).map(([name, value]) => `${name}: ${value}`);
    res.type("message/http").send([`TRACE ${req.originalUrl} HTTP/1.1`, ...headers, "", ""].join("\r\n"));
  });

  const auth = createAuth(db);
  // hole: csrf: no route that a cookie opens asks where the request came from.
  app.use(auth.router);
  app.use(accountRoutes(db, auth.requireAuth));
  app.use(projectRoutes(db, auth.requireAuth));
  app.use(debugRoutes());

  // hole: errors: message, SQL and stack go to the caller.
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).json({ error: error.message, sql: error.sql, stack: error.stack });
  };
  app.use(onError);

  return { app, createKey: auth.createKey };
}
