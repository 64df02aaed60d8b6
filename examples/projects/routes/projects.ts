import { answer, type Api, by, byEach, cursorPages, list, nothing, pages, refuse, view } from "portcullis";
import { z } from "zod";
import type { Data } from "../data/data.ts";
import { backendTypes } from "../data/schema.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";

/** What a client may write. Everything else of a project is set by the server. */
const ProjectFields = z.strictObject({
  name: z.string().min(1).max(100),
  url: z.url({ protocol: /^https$/ }).max(2000),
  backendType: z.enum(backendTypes),
});

/** Colleagues who may read a project from the start. */
const Viewers = z.strictObject({ viewerIds: z.array(z.uuid()).max(20).default([]) });

/** What leaves: `backendSecret` and `internalNotes` are in the row and not here. */
const ProjectView = z.object({
  id: z.uuid(),
  tenantId: z.string(),
  ownerId: z.uuid(),
  name: z.string(),
  url: z.string(),
  backendType: z.enum(backendTypes),
  createdAt: z.iso.datetime(),
});

const ProjectPath = z.strictObject({ id: z.uuid() });

/** Projects: who owns one or is a member reads it, editors change it, the owner deletes it. */
export function projectRoutes(api: Api, { project, colleague }: Resources, { projects }: Data) {
  api.route(
    {
      path: "GET /v1/projects",
      access: { scopes: ["projects:read"] },
      page: cursorPages(),
      output: list(ProjectView, project),
      limit: reading,
    },
    ({ caller, page }) => projects.list(caller, page),
  );

  api.route(
    {
      path: "GET /v1/project-pages",
      access: { scopes: ["projects:read"] },
      page: pages(),
      output: list(ProjectView, project),
      limit: reading,
    },
    ({ caller, page }) => projects.listByOffset(caller, page),
  );

  api.route(
    {
      path: "GET /v1/search",
      access: { scopes: ["projects:read"] },
      input: { query: z.strictObject({ q: z.string().min(1).max(100) }) },
      page: cursorPages(),
      output: list(ProjectView, project),
      limit: reading,
    },
    ({ caller, query, page }) => projects.list(caller, page, query.q),
  );

  api.route(
    {
      path: "POST /v1/projects",
      access: { scopes: ["projects:write"] },
      input: { body: ProjectFields.extend(Viewers.shape) },
      objects: { viewers: byEach("body.viewerIds", colleague) },
      output: { 201: view(ProjectView, project) },
      limit: writing,
    },
    async ({ caller: { subject, tenant }, body: { viewerIds, ...fields } }) => {
      if (tenant === undefined) return refuse("forbidden", "a caller without a tenant owns nothing");
      const created = await projects.create({ subject, tenant }, fields, viewerIds);
      return answer(created, { headers: { location: `/v1/projects/${created.id}` } });
    },
  );

  api.route(
    {
      path: "GET /v1/projects/:id",
      access: { scopes: ["projects:read"] },
      input: { params: ProjectPath },
      objects: { project: by("id", project) },
      output: view(ProjectView, project),
      limit: reading,
    },
    ({ project }) => project,
  );

  api.route(
    {
      path: "PATCH /v1/projects/:id",
      access: { scopes: ["projects:write"], objectRole: ["owner", "editor"] },
      input: { params: ProjectPath, body: ProjectFields.partial() },
      objects: { project: by("id", project) },
      output: view(ProjectView, project),
      limit: writing,
    },
    ({ project, body }) => projects.change(project, body),
  );

  api.route(
    {
      path: "DELETE /v1/projects/:id",
      access: { scopes: ["projects:write"], objectRole: "owner" },
      input: { params: ProjectPath },
      objects: { project: by("id", project) },
      output: nothing,
      limit: writing,
    },
    ({ project }) => projects.remove(project.id),
  );

  api.route(
    {
      path: "GET /v0/projects",
      access: { scopes: ["projects:read"] },
      deprecated: { since: "2025-01-01", sunset: "2025-07-01" },
      page: cursorPages(),
      output: list(ProjectView, project),
      limit: reading,
    },
    ({ caller, page }) => projects.list(caller, page),
  );
}
