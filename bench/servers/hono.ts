import { randomBytes } from "node:crypto";
import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { MiddlewareHandler } from "hono";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { verify } from "hono/jwt";
import { secureHeaders } from "hono/secure-headers";
import { ampleLimit, bodyMaxBytes, host, insertProject, loadProject, origin, tokenRules } from "../world.ts";
import { NewProjectInput, ProjectParams, ProjectView } from "../zod-schemas.ts";
import { createWindows } from "./fixed-window.ts";
import { lineWriter, logPath, serving } from "./serving.ts";

/**
 * Hono with its own middleware where it has one (secure headers, cors, body limit, jwt, which keeps no cache), Zod for
 * input and output, and by hand what it leaves to its users: rate limit, ownership, the log line.
 */
interface Variables {
  address: string;
  subject: string;
  tenant: string;
  scopes: readonly string[];
  requestId: string;
}

const log = lineWriter(logPath);
const windows = createWindows({ limit: ampleLimit, windowMs: 60_000 });
const app = new Hono<{ Variables: Variables }>();

app.use(async (c, next) => {
  const startedAt = performance.now();
  const requestId = randomBytes(16).toString("base64url");
  const peer = getConnInfo(c).remote.address;
  const address = peer === "127.0.0.1" ? (c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim() ?? peer) : peer;
  c.set("requestId", requestId);
  c.set("address", address ?? "unknown");
  await next();
  c.header("x-request-id", requestId);
  c.header("cache-control", "no-store");
  const line = {
    time: Date.now(),
    requestId,
    account: c.get("subject"),
    tenant: c.get("tenant"),
    address,
    userAgent: c.req.header("user-agent"),
    method: c.req.method,
    route: c.req.path.startsWith("/v1/projects/") ? "/v1/projects/:id" : "/v1/projects",
    status: c.res.status,
    durationMs: performance.now() - startedAt,
  };
  log.write(`${JSON.stringify(line)}\n`);
});

app.use(
  secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    strictTransportSecurity: "max-age=31536000; includeSubDomains",
    xFrameOptions: "DENY",
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  }),
);
app.use(cors({ origin: [origin] }));

app.use(async (c, next) => {
  if (c.req.header("host") !== host || c.req.header("x-forwarded-proto") !== "https") {
    return c.json({ title: "Misdirected request", status: 421 }, 421);
  }
  const window = windows.take(c.get("address"));
  c.header("ratelimit-limit", String(ampleLimit));
  c.header("ratelimit-remaining", String(window.remaining));
  c.header("ratelimit-reset", String(window.resetSeconds));
  if (window.remaining < 0) return c.json({ title: "Too many requests", status: 429 }, 429);
  return next();
});

app.use(async (c, next) => {
  const authorization = c.req.header("authorization");
  if (authorization === undefined || !authorization.startsWith("Bearer ")) return unauthorized();
  try {
    const claims = await verify(authorization.slice(7), tokenRules.secret, {
      alg: tokenRules.algorithm,
      iss: tokenRules.issuer,
      aud: tokenRules.audience,
      typ: tokenRules.typ,
    });
    const { sub, tid, scope, iat, exp } = claims;
    if (typeof sub !== "string" || typeof iat !== "number" || typeof exp !== "number") return unauthorized();
    if (Date.now() / 1_000 - iat > tokenRules.maxAgeSeconds) return unauthorized();
    c.set("subject", sub);
    c.set("tenant", typeof tid === "string" ? tid : "");
    c.set("scopes", typeof scope === "string" ? scope.split(" ") : []);
  } catch {
    return unauthorized();
  }
  return next();

  function unauthorized(): Response {
    c.header("www-authenticate", "Bearer");
    return c.json({ title: "Authentication required", status: 401 }, 401);
  }
});

function requireScope(scope: string): MiddlewareHandler<{ Variables: Variables }> {
  return async (c, next) =>
    c.get("scopes").includes(scope) ? next() : c.json({ title: "Forbidden", status: 403 }, 403);
}

app.get("/v1/projects/:id", requireScope("projects:read"), async (c) => {
  const params = ProjectParams.safeParse(c.req.param());
  if (!params.success) return c.json({ title: "Invalid request", status: 400 }, 400);
  const project = await loadProject(params.data.id);
  if (project === undefined || project.ownerId !== c.get("subject") || project.tenantId !== c.get("tenant")) {
    return c.json({ title: "Not found", status: 404 }, 404);
  }
  return c.json(ProjectView.parse(project));
});

app.post("/v1/projects", requireScope("projects:write"), bodyLimit({ maxSize: bodyMaxBytes }), async (c) => {
  if (c.req.header("content-type") !== "application/json") return c.json({ title: "Refused", status: 415 }, 415);
  const raw: unknown = await c.req.json().catch(() => undefined);
  const body = NewProjectInput.safeParse(raw);
  if (!body.success) return c.json({ title: "Invalid request", status: 400 }, 400);
  const project = await insertProject(body.data, c.get("subject"), c.get("tenant"));
  return c.json(ProjectView.parse(project), 201);
});

serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => serving({ port }));
