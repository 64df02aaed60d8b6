import { createSecretKey, randomBytes } from "node:crypto";
import cors from "cors";
import express, { type NextFunction, type Request, type Response } from "express";
import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import jsonwebtoken from "jsonwebtoken";
import { ampleLimit, bodyMaxBytes, host, insertProject, loadProject, origin, tokenRules } from "../world.ts";
import { NewProjectInput, ProjectParams, ProjectView } from "../zod-schemas.ts";
import { lineWriter, logPath, portOf, serving } from "./serving.ts";

/**
 * Express with what its users add: helmet, cors, express-rate-limit, jsonwebtoken (a prepared key, or it would cost half
 * a millisecond a call; it keeps no cache), express.json, Zod for input and output, the log line by hand.
 */
interface Caller {
  readonly subject: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
}

const key = createSecretKey(Buffer.from(tokenRules.secret));
const log = lineWriter(logPath);
const callers = new WeakMap<object, Caller>();
const app = express();

app.set("trust proxy", "loopback");
app.disable("x-powered-by");
app.disable("etag");

app.use((req, res, next) => {
  const startedAt = performance.now();
  const requestId = randomBytes(16).toString("base64url");
  res.setHeader("x-request-id", requestId);
  res.setHeader("cache-control", "no-store");
  res.on("finish", () => {
    const caller = callers.get(req);
    const line = {
      time: Date.now(),
      requestId,
      account: caller?.subject,
      tenant: caller?.tenant,
      address: req.ip,
      userAgent: req.headers["user-agent"],
      method: req.method,
      route: req.path.startsWith("/v1/projects/") ? "/v1/projects/:id" : "/v1/projects",
      status: res.statusCode,
      durationMs: performance.now() - startedAt,
    };
    log.write(`${JSON.stringify(line)}\n`);
  });
  next();
});
app.use(
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] },
    },
    frameguard: { action: "deny" },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  }),
);
app.use(cors({ origin: [origin] }));
app.use((req, res, next) => {
  if (req.host === host && req.protocol === "https") next();
  else refuse(res, 421);
});
app.use(rateLimit({ windowMs: 60_000, limit: ampleLimit, standardHeaders: "draft-8", legacyHeaders: false }));

app.use((req, res, next) => {
  const { authorization } = req.headers;
  if (authorization === undefined || !authorization.startsWith("Bearer ")) return refuse(res, 401);
  try {
    const { header, payload } = jsonwebtoken.verify(authorization.slice(7), key, {
      algorithms: [tokenRules.algorithm],
      issuer: tokenRules.issuer,
      audience: tokenRules.audience,
      clockTolerance: tokenRules.clockSkewSeconds,
      maxAge: tokenRules.maxAgeSeconds,
      complete: true,
    });
    if (header.typ !== tokenRules.typ || typeof payload === "string") return refuse(res, 401);
    const { sub, exp, tid, scope }: Readonly<Record<string, unknown>> = payload;
    if (typeof sub !== "string" || typeof exp !== "number") return refuse(res, 401);
    callers.set(req, {
      subject: sub,
      tenant: typeof tid === "string" ? tid : "",
      scopes: typeof scope === "string" ? scope.split(" ") : [],
    });
  } catch {
    return refuse(res, 401);
  }
  next();
});

function requireScope(scope: string) {
  return function hasScope(req: Request, res: Response, next: NextFunction): void {
    if (callers.get(req)?.scopes.includes(scope) === true) next();
    else refuse(res, 403);
  };
}

function refuse(res: Response, status: number): void {
  if (status === 401) res.setHeader("www-authenticate", "Bearer");
  res
    .status(status)
    .type("application/problem+json")
    .send(JSON.stringify({ title: "Refused", status }));
}

app.get("/v1/projects/:id", requireScope("projects:read"), (req, res, next) => {
  const params = ProjectParams.safeParse(req.params);
  if (!params.success) return refuse(res, 400);
  loadProject(params.data.id)
    .then((project) => {
      const caller = callers.get(req);
      if (project === undefined || project.ownerId !== caller?.subject || project.tenantId !== caller.tenant) {
        return refuse(res, 404);
      }
      res.json(ProjectView.parse(project));
    })
    .catch(next);
});

app.post(
  "/v1/projects",
  requireScope("projects:write"),
  express.json({ limit: bodyMaxBytes, type: "application/json" }),
  (req: Request<unknown, unknown, unknown>, res, next) => {
    const body = NewProjectInput.safeParse(req.body);
    if (!body.success) return refuse(res, 400);
    const caller = callers.get(req);
    insertProject(body.data, caller?.subject ?? "", caller?.tenant ?? "")
      .then((project) => res.status(201).json(ProjectView.parse(project)))
      .catch(next);
  },
);
app.use((_req, res) => refuse(res, 404));
app.use((error: { readonly status?: number }, _req: Request, res: Response, _next: NextFunction) =>
  refuse(res, error.status ?? 500),
);

const server = app.listen(0, "127.0.0.1", () => serving({ port: portOf(server) }));
