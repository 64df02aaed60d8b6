import { answer, apiKeys, by, createApi, issueApiKey, jwt, memoryKeyStore, secret, sinkTo, view } from "portcullis";
import { fileSink } from "portcullis/node";
import type { Project } from "../world.ts";
import {
  ampleLimit,
  bodyMaxBytes,
  callerCount,
  host,
  insertProject,
  loadProject,
  origin,
  subjectOf,
  tenantOf,
  tokenRules,
} from "../world.ts";
import { NewProjectInput, ProjectParams, ProjectView } from "../zod-schemas.ts";
import { logPath, serving } from "./serving.ts";

/** Portcullis with every gate, as its own README would have it: nothing is switched off and nothing is tuned. */
const ample = { limit: ampleLimit, windowMs: 60_000 };
const keys = memoryKeyStore();

const api = createApi({
  name: "bench",
  hosts: [host],
  origins: [origin],
  proxies: { trusted: ["127.0.0.1/32"], header: "x-forwarded-for" },
  credentials: [
    jwt({
      issuer: tokenRules.issuer,
      audience: tokenRules.audience,
      typ: tokenRules.typ,
      keys: secret(tokenRules.secret),
      tenant: ({ tid }) => (typeof tid === "string" ? tid : undefined),
      clockSkewSeconds: tokenRules.clockSkewSeconds,
      maxAgeSeconds: tokenRules.maxAgeSeconds,
    }),
    apiKeys({ prefix: "prj", store: keys }),
  ],
  limits: { global: ample, address: ample, wideAddress: ample, caller: ample, failures: ample },
  body: { maxBytes: bodyMaxBytes },
  audit: { sinks: [logPath === "" ? sinkTo("nowhere", () => undefined) : fileSink(logPath)] },
});

const project = api.resource<Project>("project", {
  load: loadProject,
  tenant: ({ tenantId }) => tenantId,
  owner: ({ ownerId }) => ownerId,
  serverSet: ["id", "tenantId", "ownerId", "createdAt", "updatedAt"],
});

api.route(
  {
    path: "GET /v1/projects/:id",
    access: { scopes: ["projects:read"] },
    input: { params: ProjectParams },
    objects: { project: by("id", project) },
    output: view(ProjectView, project),
    limit: ample,
  },
  async ({ project }) => project,
);

api.route(
  {
    path: "POST /v1/projects",
    access: { scopes: ["projects:write"] },
    input: { body: NewProjectInput },
    output: { 201: view(ProjectView, project) },
    limit: ample,
  },
  async ({ body, caller }) => answer(await insertProject(body, caller.subject, caller.tenant ?? ""), { status: 201 }),
);

const issued = await Promise.all(
  Array.from({ length: callerCount }, (_, n) =>
    issueApiKey({
      store: keys,
      prefix: "prj",
      subject: subjectOf(n),
      tenant: tenantOf(n),
      scopes: ["projects:read", "projects:write"],
      name: `key ${n}`,
    }),
  ),
);
const { port } = await api.listen({ port: 0, host: "127.0.0.1" });
serving({ port, apiKeys: issued.map(({ key }) => key) });
