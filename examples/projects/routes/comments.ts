import { answer, type Api, by, cursorPages, list, nothing, view } from "portcullis";
import { z } from "zod";
import type { Data } from "../data/data.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";

/** What leaves: `authorIp` is in the row and not here. */
const CommentView = z.object({
  id: z.uuid(),
  projectId: z.uuid(),
  authorId: z.uuid(),
  replyToId: z.uuid().nullable(),
  body: z.string(),
  createdAt: z.iso.datetime(),
});

const ProjectPath = z.strictObject({ id: z.uuid() });
const CommentPath = z.strictObject({ id: z.uuid(), commentId: z.uuid() });

/** Comments stand under a project: whoever reaches it reads them, its owner and editors write. */
export function commentRoutes(api: Api, { project, comment }: Resources, { comments }: Data) {
  api.route(
    {
      path: "GET /v1/projects/:id/comments",
      access: { scopes: ["comments:read"] },
      input: { params: ProjectPath },
      objects: { project: by("id", project) },
      page: cursorPages(),
      output: list(CommentView, comment),
      limit: reading,
    },
    ({ project, page }) => comments.list(project.id, page),
  );

  api.route(
    {
      path: "POST /v1/projects/:id/comments",
      access: { scopes: ["comments:write"], objectRole: { project: ["owner", "editor"] } },
      input: {
        params: ProjectPath,
        body: z.strictObject({ body: z.string().min(1).max(2000), replyToId: z.uuid().optional() }),
      },
      // An id in the body is an id like any other: who replies must reach the comment, and in this project.
      objects: { project: by("id", project), replyTo: by("body.replyToId", comment, { within: "project" }) },
      output: { 201: view(CommentView, comment) },
      limit: writing,
    },
    async ({ caller, project, replyTo, body, request }) => {
      const created = await comments.create({
        projectId: project.id,
        authorId: caller.subject,
        authorIp: request.address,
        replyToId: replyTo?.id ?? null,
        body: body.body,
      });
      return answer(created, { headers: { location: `/v1/projects/${project.id}/comments/${created.id}` } });
    },
  );

  api.route(
    {
      path: "GET /v1/projects/:id/comments/:commentId",
      access: { scopes: ["comments:read"] },
      input: { params: CommentPath },
      objects: { project: by("id", project), comment: by("commentId", comment, { within: "project" }) },
      output: view(CommentView, comment),
      limit: reading,
    },
    ({ comment }) => comment,
  );

  api.route(
    {
      path: "DELETE /v1/projects/:id/comments/:commentId",
      access: { scopes: ["comments:write"], objectRole: ["owner", "project:owner"] },
      input: { params: CommentPath },
      objects: { project: by("id", project), comment: by("commentId", comment, { within: "project" }) },
      output: nothing,
      limit: writing,
    },
    ({ comment }) => comments.remove(comment.id),
  );
}
