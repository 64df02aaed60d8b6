import type { MutantName } from "../mutants.ts";
import { problem, type Reply } from "../parts/exchange.ts";
import { cursorList, numberedList } from "../parts/pages.ts";
import type { World } from "../parts/world.ts";
import type { Project } from "./data.ts";
import { type Call, type Operation, textOf } from "./operation.ts";
import * as schema from "./schemas.ts";

/** Projects: the owner does everything, editors change, viewers read. */
export const projectOperations: readonly Operation[] = [
  {
    method: "GET",
    path: "/v1/projects",
    access: "caller",
    scope: "projects:read",
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.ProjectView),
    rate: "read",
    run: (call, world) => {
      const { data, mutant } = world;
      const list = (owner: string) =>
        mutant("project-list") ? [...data.projects.values()].reverse() : data.projectsOf(owner);
      return cursorList(call, world, list);
    },
  },
  {
    method: "GET",
    path: "/v1/project-pages",
    access: "caller",
    scope: "projects:read",
    page: "pages",
    status: 200,
    output: schema.numberedPage(schema.ProjectView),
    rate: "read",
    run: (call, { data, mutant }) =>
      numberedList(
        call,
        mutant("page-list") ? [...data.projects.values()].reverse() : data.projectsOf(call.caller.subject),
      ),
  },
  {
    method: "GET",
    path: "/v1/search",
    access: "caller",
    scope: "projects:read",
    query: schema.Search,
    status: 200,
    output: schema.cursorPage(schema.ProjectView),
    rate: "read",
    run: ({ caller, query }, { data, mutant }) => {
      const words = textOf(query, "q");
      if (mutant("html-echo")) return html(`<p>Results for ${words}</p>`);
      if (mutant("search-all")) {
        const found = [...data.projects.values()].filter(({ name }) => name.includes(words));
        return { status: 200, body: { items: found.slice(-100).reverse(), next: null } };
      }
      const found = mutant("sql-search")
        ? data.searchByText(caller.subject, words)
        : data.search(caller.subject, words);
      return { status: 200, body: { items: found.slice(0, 100), next: null } };
    },
  },
  {
    method: "POST",
    path: "/v1/projects",
    access: "caller",
    scope: "projects:write",
    body: schema.ProjectFields,
    headers: ["idempotency-key"],
    status: 201,
    output: schema.ProjectView,
    rate: "write",
    run: (call, world) => {
      const { caller, body, sent, incoming } = call;
      const { data, mutant } = world;
      const create = () => {
        const fields = { name: textOf(body, "name"), url: textOf(body, "url") };
        const own = { ...fields, tenantId: caller.tenant, ownerId: caller.subject };
        const made = data.addProject(mutant("owner-from-body") ? { ...own, ...sent } : own);
        const host = mutant("forwarded-host") ? incoming.headers["x-forwarded-host"] : undefined;
        const location = `${host === undefined ? "" : `https://${host}`}/v1/projects/${made.id}`;
        return { status: 201, headers: { location }, body: made };
      };
      return world.idempotency.run(incoming.headers["idempotency-key"], caller.subject, JSON.stringify(sent), create);
    },
  },
  {
    method: "GET",
    path: "/v1/projects/:id",
    access: "caller",
    scope: "projects:read",
    params: schema.ProjectPath,
    status: 200,
    output: schema.ProjectView,
    rate: "read",
    run: (call, world) =>
      withProject(call, world, "viewer", "project-read", (project) => ({ status: 200, body: project })),
  },
  {
    method: "PATCH",
    path: "/v1/projects/:id",
    access: "caller",
    scope: "projects:write",
    params: schema.ProjectPath,
    body: schema.ProjectFields.partial(),
    status: 200,
    output: schema.ProjectView,
    rate: "write",
    run: (call, world) =>
      withProject(call, world, "editor", "project-write", (project) => ({
        status: 200,
        body: world.data.changeProject(project, world.mutant("owner-by-patch") ? call.sent : call.body),
      })),
  },
  {
    method: "DELETE",
    path: "/v1/projects/:id",
    access: "caller",
    scope: "projects:write",
    params: schema.ProjectPath,
    status: 204,
    rate: "write",
    run: (call, world) =>
      withProject(call, world, world.mutant("viewer-deletes") ? "viewer" : "owner", "project-delete", ({ id }) => {
        world.data.removeProject(id);
        return { status: 204 };
      }),
  },
  {
    method: "PUT",
    path: "/v1/projects/:id/members/:userId",
    access: "caller",
    scope: "projects:write",
    params: schema.MemberPath,
    body: schema.MemberRole,
    status: 200,
    output: schema.MemberView,
    rate: "write",
    run: (call, world) =>
      withProject(call, world, "owner", undefined, (project) => {
        const userId = textOf(call.params, "userId");
        const user = world.data.users.get(userId);
        if (user === undefined || user.tenantId !== call.caller.tenant) return problem(404);
        if (userId === project.ownerId) return problem(409);
        project.members.set(userId, textOf(call.body, "role"));
        return { status: 200, body: { userId, role: textOf(call.body, "role") } };
      }),
  },
  {
    method: "POST",
    path: "/v1/exports",
    access: "caller",
    scope: "projects:read",
    body: schema.ExportRequest,
    status: 200,
    output: schema.ExportView,
    rate: "write",
    run: (call, world) =>
      withProject(
        { ...call, params: { id: textOf(call.body, "projectId") } },
        world,
        "viewer",
        "export-by-body",
        ({ id, name }) => ({
          status: 200,
          body: { projectId: id, name, comments: world.data.commentsOf(id).length },
        }),
      ),
  },
  {
    method: "GET",
    path: "/v0/projects",
    access: "caller",
    scope: "projects:read",
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.ProjectView),
    rate: "read",
    sunset: true,
    run: (call, world) =>
      world.mutant("old-version") ? cursorList(call, world, (owner) => world.data.projectsOf(owner)) : problem(410),
  },
];

const ranks = ["none", "viewer", "editor", "owner"];

/**
 * Runs with the project of the path, if the caller reaches it: what may not be seen is missing, what may be seen and not
 * done is forbidden.
 *
 * @param hole  the mutant that forgets to ask whose it is
 */
export function withProject(
  { caller, params }: Call,
  { data, mutant }: World,
  demanded: "viewer" | "editor" | "owner",
  hole: MutantName | undefined,
  run: (project: Project) => Reply,
): Reply {
  const project = data.projects.get(textOf(params, "id"));
  if (project === undefined) {
    const isAsked = mutant("driver-text") && !/^[0-9a-f-]{36}$/i.test(textOf(params, "id"));
    return isAsked ? { status: 500, body: { error: data.sayError(textOf(params, "id")) } } : problem(404);
  }
  if (hole !== undefined && mutant(hole)) return run(project);
  const isOwner = project.ownerId === caller.subject;
  const role =
    project.tenantId !== caller.tenant ? "none" : isOwner ? "owner" : (project.members.get(caller.subject) ?? "none");
  if (role === "none") return problem(mutant("foreign-is-403") ? 403 : 404);
  return ranks.indexOf(role) < ranks.indexOf(demanded) ? problem(403) : run(project);
}

function html(text: string): Reply {
  return { status: 200, headers: { "content-type": "text/html; charset=utf-8" }, text };
}
