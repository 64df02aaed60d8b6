import { randomBytes } from "node:crypto";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import { createVerifier } from "fast-jwt";
import Fastify, { type FastifyReply, type FastifyRequest, LogController } from "fastify";
import type { NewProject } from "../world.ts";
import {
  ampleLimit,
  bodyMaxBytes,
  host,
  insertProject,
  loadProject,
  newProjectJsonSchema,
  origin,
  paramsJsonSchema,
  tokenRules,
  viewJsonSchema,
} from "../world.ts";
import { lineWriter, logPath, portOf, serving } from "./serving.ts";

/**
 * Fastify as its documentation secures it: helmet, cors and rate-limit by their plugins, fast-jwt with its cache of
 * verified tokens, Ajv that refuses instead of removing, an answer schema, one line of pino per request.
 */
interface Claims {
  readonly sub: string;
  readonly tid?: string;
  readonly scope?: string;
}

declare module "fastify" {
  interface FastifyRequest {
    claims: Claims | null;
  }
}

const verify: (token: string) => Claims = createVerifier({
  key: tokenRules.secret,
  algorithms: [tokenRules.algorithm],
  allowedIss: tokenRules.issuer,
  allowedAud: tokenRules.audience,
  requiredClaims: ["iss", "sub", "aud", "exp", "iat"],
  checkTyp: tokenRules.typ,
  clockTolerance: tokenRules.clockSkewSeconds * 1_000,
  maxAge: tokenRules.maxAgeSeconds * 1_000,
  cache: 10_000,
});

const app = Fastify({
  trustProxy: "127.0.0.1",
  bodyLimit: bodyMaxBytes,
  logger: { level: "info", stream: lineWriter(logPath) },
  // One line of our own per request instead of the usual two.
  logController: new LogController({ disableRequestLogging: true }),
  requestIdHeader: false,
  genReqId: () => randomBytes(16).toString("base64url"),
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: false } },
});

app.decorateRequest("claims", null);

app.addHook("onRequest", (request, reply, done) => {
  reply.header("x-request-id", request.id);
  reply.header("cache-control", "no-store");
  if (request.host !== host || request.protocol !== "https") {
    void reply.code(421).send({ title: "Misdirected request", status: 421 });
    return;
  }
  done();
});
await app.register(helmet, {
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
});
await app.register(cors, { origin: [origin] });
await app.register(rateLimit, { max: ampleLimit, timeWindow: 60_000, cache: 16_384, enableDraftSpec: true });

app.addHook("onResponse", (request, reply, done) => {
  request.log.info({
    account: request.claims?.sub,
    tenant: request.claims?.tid,
    address: request.ip,
    userAgent: request.headers["user-agent"],
    method: request.method,
    route: request.routeOptions.url,
    status: reply.statusCode,
    durationMs: reply.elapsedTime,
  });
  done();
});

app.setErrorHandler((error: { readonly statusCode?: number }, _request, reply) => {
  const status = error.statusCode ?? 500;
  void reply.code(status).type("application/problem+json").send({ title: "Refused", status });
});

/** Before the body is read: who is not known sends nothing. */
function requireScope(scope: string) {
  return function authenticate(request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void) {
    const { authorization } = request.headers;
    if (authorization === undefined || !authorization.startsWith("Bearer ")) return refuse(reply, 401);
    try {
      request.claims = verify(authorization.slice(7));
    } catch {
      return refuse(reply, 401);
    }
    if (request.claims.scope?.split(" ").includes(scope) !== true) return refuse(reply, 403);
    done();
  };
}

function refuse(reply: FastifyReply, status: number): void {
  if (status === 401) void reply.header("www-authenticate", "Bearer");
  void reply.code(status).type("application/problem+json").send({ title: "Refused", status });
}

app.get<{ Params: { id: string } }>(
  "/v1/projects/:id",
  {
    preParsing: requireScope("projects:read"),
    schema: { params: paramsJsonSchema, response: { 200: viewJsonSchema } },
  },
  async (request, reply) => {
    const project = await loadProject(request.params.id);
    const { claims } = request;
    if (project === undefined || project.ownerId !== claims?.sub || project.tenantId !== claims.tid) {
      return reply.code(404).type("application/problem+json").send({ title: "Not found", status: 404 });
    }
    return project;
  },
);

app.post<{ Body: NewProject }>(
  "/v1/projects",
  {
    preParsing: requireScope("projects:write"),
    schema: { body: newProjectJsonSchema, response: { 201: viewJsonSchema } },
  },
  async (request, reply) => {
    reply.code(201);
    return insertProject(request.body, request.claims?.sub ?? "", request.claims?.tid ?? "");
  },
);

await app.listen({ port: 0, host: "127.0.0.1" });
serving({ port: portOf(app.server) });
