import { type Api, by, byRole, cursorPages, list, nothing, refuse, view } from "portcullis";
import { z } from "zod";
import type { Data } from "../data/data.ts";
import { grantedRoles } from "../data/schema.ts";
import { reading, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";

const MemberView = z.object({ userId: z.uuid(), name: z.string(), role: z.enum(["owner", ...grantedRoles]) });

/** Whoever runs a project may write to its members. */
const MemberForOwner = MemberView.extend({ email: z.email() });

const MemberPath = z.strictObject({ id: z.uuid(), userId: z.uuid() });

/** Who is in a project: every member sees the others, the owner lets people in and out. */
export function memberRoutes(api: Api, { project, colleague }: Resources, { members }: Data) {
  api.route(
    {
      path: "GET /v1/projects/:id/members",
      access: { scopes: ["projects:read"] },
      input: { params: z.strictObject({ id: z.uuid() }) },
      objects: { project: by("id", project) },
      page: cursorPages({ size: 100 }),
      output: byRole({ owner: list(MemberForOwner, colleague), otherwise: list(MemberView, colleague) }),
      limit: reading,
    },
    ({ project, page }) => members.list(project.id, page),
  );

  api.route(
    {
      path: "PUT /v1/projects/:id/members/:userId",
      access: { scopes: ["projects:write"], objectRole: { project: ["owner"] } },
      input: { params: MemberPath, body: z.strictObject({ role: z.enum(grantedRoles) }) },
      objects: { project: by("id", project), colleague: by("userId", colleague) },
      output: view(MemberView, colleague),
      limit: writing,
    },
    async ({ project, colleague, body: { role } }) => {
      if (colleague.id === project.ownerId) return refuse("conflict", "the owner stays the owner");
      await members.put({ projectId: project.id, userId: colleague.id, role });
      return { ...colleague, userId: colleague.id, role };
    },
  );

  api.route(
    {
      path: "DELETE /v1/projects/:id/members/:userId",
      access: { scopes: ["projects:write"], objectRole: { project: ["owner"] } },
      input: { params: MemberPath },
      objects: { project: by("id", project), colleague: by("userId", colleague) },
      output: nothing,
      limit: writing,
    },
    ({ project, colleague }) =>
      colleague.id === project.ownerId
        ? refuse("conflict", "the owner stays the owner")
        : members.remove(project.id, colleague.id),
  );
}
