import { answer, type Api, by, cursorPages, list, nothing, pages, refuse, view } from "portcullis";
import { z } from "zod";
import type { Project } from "../product/data.ts";
import * as schema from "../product/schemas.ts";
import type { Parts } from "./portcullis-api.ts";
import type { Resources } from "./portcullis-resources.ts";

/** Projects, their members and their comments. */
export function projectRoutes(api: Api, resources: Resources, { world, reading, writing }: Parts) {
  const { comment, colleague, anyProject, anyComment } = resources;
  const { data, mutant } = world;
  const { project } = resources;

  // Somebody wanted to see the notes while debugging, and the list's schema kept them.
  const Listed = mutant("raw-rows") ? schema.ProjectView.extend({ internalNotes: z.string() }) : schema.ProjectView;

  const listed = (all: readonly Project[], { limit, after }: { readonly limit: number; readonly after: unknown }) => {
    const offset = typeof after === "string" ? Number(after) : 0;
    const next = offset + limit < all.length ? String(offset + limit) : undefined;
    return { items: all.slice(offset, offset + limit), next };
  };

  api.route(
    {
      path: "GET /v1/projects",
      access: { scopes: ["projects:read"] },
      page: cursorPages(),
      output: list(Listed, project),
      limit: reading,
    },
    ({ caller, page }) => listed(data.projectsOf(caller.subject), page),
  );

  api.route(
    {
      path: "GET /v1/project-pages",
      access: { scopes: ["projects:read"] },
      page: pages(),
      output: list(schema.ProjectView, project),
      limit: reading,
    },
    ({ caller, page }) => {
      const all = data.projectsOf(caller.subject);
      return { items: all.slice(page.offset, page.offset + page.limit), total: all.length };
    },
  );

  api.route(
    {
      path: "GET /v1/search",
      access: { scopes: ["projects:read"] },
      input: { query: schema.Search },
      page: cursorPages({ size: 100 }),
      output: list(schema.ProjectView, project),
      limit: reading,
    },
    ({ caller, query, page }) => {
      const found = mutant("sql-search")
        ? data.searchByText(caller.subject, query.q)
        : data.search(caller.subject, query.q);
      return { items: found.slice(0, page.limit), next: undefined };
    },
  );

  api.route(
    {
      path: "POST /v1/projects",
      access: { scopes: ["projects:write"] },
      input: { body: schema.ProjectFields },
      output: { 201: view(schema.ProjectView, project) },
      limit: writing,
    },
    ({ caller, body }) => {
      if (caller.tenant === undefined) return refuse("forbidden", "a caller without a tenant owns nothing");
      const created = data.addProject({ ...body, tenantId: caller.tenant, ownerId: caller.subject });
      return answer(created, { headers: { location: `/v1/projects/${created.id}` } });
    },
  );

  const read = mutant("project-read") ? anyProject : project;
  api.route(
    {
      path: "GET /v1/projects/:id",
      access: { scopes: ["projects:read"] },
      input: { params: schema.ProjectPath },
      objects: { project: by("id", read) },
      output: view(schema.ProjectView, read),
      limit: reading,
    },
    ({ project }) => project,
  );

  const written = mutant("project-write") ? anyProject : project;
  const mayWrite = mutant("project-write") ? {} : { objectRole: ["owner", "editor"] };
  api.route(
    {
      path: "PATCH /v1/projects/:id",
      access: mutant("scope-forgotten")
        ? { objectRole: ["owner", "editor"] }
        : { scopes: ["projects:write"], ...mayWrite },
      input: { params: schema.ProjectPath, body: schema.ProjectFields.partial() },
      objects: { project: by("id", written) },
      output: view(schema.ProjectView, written),
      limit: writing,
    },
    ({ project, body: { name = project.name, url = project.url } }) => data.changeProject(project, { name, url }),
  );

  api.route(
    {
      path: "DELETE /v1/projects/:id",
      access: mutant("viewer-deletes")
        ? { scopes: ["projects:write"] }
        : { scopes: ["projects:write"], objectRole: "owner" },
      input: { params: schema.ProjectPath },
      objects: { project: by("id", project) },
      output: nothing,
      limit: writing,
    },
    ({ project }) => data.removeProject(project.id),
  );

  api.route(
    {
      path: "PUT /v1/projects/:id/members/:userId",
      access: { scopes: ["projects:write"], objectRole: { project: ["owner"] } },
      input: { params: schema.MemberPath, body: schema.MemberRole },
      objects: { project: by("id", project), colleague: by("userId", colleague) },
      output: view(schema.MemberView, colleague),
      limit: writing,
    },
    ({ project, colleague, body: { role } }) => {
      if (colleague.id === project.ownerId) return refuse("conflict", "the owner stays the owner");
      project.members.set(colleague.id, role);
      return { ...colleague, userId: colleague.id, role };
    },
  );

  const exported = mutant("export-by-body") ? anyProject : project;
  api.route(
    {
      path: "POST /v1/exports",
      access: { scopes: ["projects:read"] },
      input: { body: schema.ExportRequest },
      objects: { project: by("body.projectId", exported) },
      output: view(schema.ExportView, exported),
      limit: writing,
    },
    ({ project }) => ({ ...project, projectId: project.id, comments: data.commentsOf(project.id).length }),
  );

  const outdated = { since: "2025-01-01", ...(mutant("old-version") ? {} : { sunset: "2025-07-01" }) };
  api.route(
    {
      path: "GET /v0/projects",
      access: { scopes: ["projects:read"] },
      deprecated: outdated,
      page: cursorPages(),
      output: list(schema.ProjectView, project),
      limit: reading,
    },
    ({ caller, page }) => listed(data.projectsOf(caller.subject), page),
  );

  api.route(
    {
      path: "GET /v1/projects/:id/comments",
      access: { scopes: ["comments:read"] },
      input: { params: schema.ProjectPath },
      objects: { project: by("id", project) },
      page: cursorPages(),
      output: list(schema.CommentView, comment),
      limit: reading,
    },
    ({ project, page }) => ({ items: data.commentsOf(project.id).slice(0, page.limit), next: undefined }),
  );

  api.route(
    {
      path: "POST /v1/projects/:id/comments",
      access: { scopes: ["comments:write"], objectRole: { project: ["owner", "editor"] } },
      input: { params: schema.ProjectPath, body: schema.NewComment },
      objects: { project: by("id", project) },
      output: { 201: view(schema.CommentView, comment) },
      limit: writing,
    },
    ({ project, caller, body, request }) =>
      data.addComment({
        projectId: project.id,
        authorId: caller.subject,
        authorIp: request.address,
        body: body.body,
      }),
  );

  const nested = mutant("comment-nested") ? anyComment : comment;
  api.route(
    {
      path: "GET /v1/projects/:id/comments/:commentId",
      access: { scopes: ["comments:read"] },
      input: { params: schema.CommentPath },
      objects: {
        project: by("id", project),
        comment: mutant("comment-nested") ? by("commentId", nested) : by("commentId", nested, { within: "project" }),
      },
      output: view(schema.CommentView, nested),
      limit: reading,
    },
    ({ comment }) => comment,
  );

  api.route(
    {
      path: "DELETE /v1/projects/:id/comments/:commentId",
      access: { scopes: ["comments:write"], objectRole: ["owner", "project:owner"] },
      input: { params: schema.CommentPath },
      objects: { project: by("id", project), comment: by("commentId", comment, { within: "project" }) },
      output: nothing,
      limit: writing,
    },
    ({ comment }) => void data.comments.delete(comment.id),
  );

  const queried = mutant("comments-by-query") ? anyProject : project;
  api.route(
    {
      path: "GET /v1/comments",
      access: { scopes: ["comments:read"] },
      input: { query: schema.CommentQuery },
      objects: { project: by("query.projectId", queried) },
      page: cursorPages(),
      output: list(schema.CommentView, mutant("comments-by-query") ? anyComment : comment),
      limit: reading,
    },
    ({ project, page }) => ({ items: data.commentsOf(project.id).slice(0, page.limit), next: undefined }),
  );
}
