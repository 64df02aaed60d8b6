import { answer, type Api, type ApiConfig, apiKeys, type ApiKeyStore, by, jwt, secret, view } from "portcullis";
import type { Project } from "./world.ts";
import { ampleLimit, bodyMaxBytes, host, insertProject, loadProject, origin, tokenRules } from "./world.ts";
import { NewProjectInput, ProjectParams, ProjectView } from "./zod-schemas.ts";

/** What differs between the server of the bench and the measuring of single gates. */
export interface ProjectsParts {
  readonly create: (config: ApiConfig) => Api;
  readonly keys: ApiKeyStore;
  readonly audit: NonNullable<ApiConfig["audit"]>;
}

/**
 * The API of the bench under Portcullis, as its own README would have it: every gate, nothing switched off, nothing
 * tuned; only the limits are so high that they count and never refuse.
 */
export function declareProjects({ create, keys, audit }: ProjectsParts): Api {
  const ample = { limit: ampleLimit, windowMs: 60_000 };
  const api = create({
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
    audit,
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
  return api;
}
