import { Router } from "express";
import { JWT_SECRET } from "./auth.ts";

/** What was only there "for a moment", and is reachable by everybody. Every value is made up. */
export function debugRoutes() {
  const router = Router();

  router.get("/health", (_req, res) => {
    res.json({ status: "ok", node: process.version, uptimeSeconds: process.uptime() });
  });

  // hole: exposure: the environment for whoever asks.
  router.get("/debug", (_req, res) => {
    res.json({ env: ENV, memory: process.memoryUsage(), node: process.version });
  });

  // hole: exposure: the folder of the project was served as static files.
  router.get("/.env", (_req, res) => {
    const lines = Object.entries(ENV).map(([name, value]) => `${name}=${value}`);
    res.type("text/plain").send(`${lines.join("\n")}\n`);
  });

  // hole: exposure: a map of the whole API, internal routes too.
  router.get("/openapi.json", (_req, res) => {
    const paths = Object.fromEntries(
      PATHS.map((path) => [path, { get: { responses: { 200: { description: "OK" } } } }]),
    );
    res.json({ openapi: "3.1.0", info: { title: "Projects (unprotected)", version: "1.0.0" }, paths });
  });

  // hole: exposure: metrics without a lock.
  router.get("/metrics", (_req, res) => {
    res.type("text/plain").send(`# TYPE process_uptime_seconds gauge\nprocess_uptime_seconds ${process.uptime()}\n`);
  });

  return router;
}

const ENV = {
  NODE_ENV: "production",
  JWT_SECRET,
  DATABASE_URL: "postgres://projects:example-not-real@db.internal.example:5432/projects",
  PAYMENTS_SECRET_KEY: "example-not-real",
};

const PATHS = ["/v1/projects", "/v1/search", "/v1/admin/users", "/v0/projects", "/debug", "/metrics", "/health"];
