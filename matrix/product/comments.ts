import { problem } from "../parts/exchange.ts";
import { cursorList } from "../parts/pages.ts";
import { type Operation, textOf } from "./operation.ts";
import { withProject } from "./projects.ts";
import * as schema from "./schemas.ts";

/** Comments lie inside a project: whoever reaches it reads them, its owner and editors write, their author deletes. */
export const commentOperations: readonly Operation[] = [
  {
    method: "GET",
    path: "/v1/projects/:id/comments",
    access: "caller",
    scope: "comments:read",
    params: schema.ProjectPath,
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.CommentView),
    rate: "read",
    run: (call, world) =>
      withProject(call, world, "viewer", undefined, ({ id }) =>
        cursorList(call, world, () => world.data.commentsOf(id)),
      ),
  },
  {
    method: "POST",
    path: "/v1/projects/:id/comments",
    access: "caller",
    scope: "comments:write",
    params: schema.ProjectPath,
    body: schema.NewComment,
    status: 201,
    output: schema.CommentView,
    rate: "write",
    run: (call, world) =>
      withProject(call, world, "editor", "comment-create", ({ id }) => ({
        status: 201,
        body: world.data.addComment({
          projectId: id,
          authorId: call.caller.subject,
          authorIp: call.incoming.address,
          body: textOf(call.body, "body"),
        }),
      })),
  },
  {
    method: "GET",
    path: "/v1/projects/:id/comments/:commentId",
    access: "caller",
    scope: "comments:read",
    params: schema.CommentPath,
    status: 200,
    output: schema.CommentView,
    rate: "read",
    run: (call, world) =>
      withProject(call, world, "viewer", undefined, ({ id }) => {
        const comment = world.data.comments.get(textOf(call.params, "commentId"));
        const isInside = comment?.projectId === id || world.mutant("comment-nested");
        return comment === undefined || !isInside ? problem(404) : { status: 200, body: comment };
      }),
  },
  {
    method: "DELETE",
    path: "/v1/projects/:id/comments/:commentId",
    access: "caller",
    scope: "comments:write",
    params: schema.CommentPath,
    status: 204,
    rate: "write",
    run: (call, world) =>
      withProject(call, world, "viewer", undefined, ({ id, ownerId }) => {
        const comment = world.data.comments.get(textOf(call.params, "commentId"));
        if (comment === undefined || comment.projectId !== id) return problem(404);
        if (![comment.authorId, ownerId].includes(call.caller.subject)) return problem(403);
        world.data.comments.delete(comment.id);
        return { status: 204 };
      }),
  },
  {
    method: "GET",
    path: "/v1/comments",
    access: "caller",
    scope: "comments:read",
    query: schema.CommentQuery,
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.CommentView),
    rate: "read",
    run: (call, world) =>
      withProject(
        { ...call, params: { id: textOf(call.query, "projectId") } },
        world,
        "viewer",
        "comments-by-query",
        ({ id }) => cursorList(call, world, () => world.data.commentsOf(id)),
      ),
  },
];
