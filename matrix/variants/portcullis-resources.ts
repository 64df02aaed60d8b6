import type { Api } from "portcullis";
import type { Parts } from "./portcullis-api.ts";

/** Every kind of object, with how it is loaded and who may reach it; and the rules that mistakes put in their place. */
export function declareResources(api: Api, { world, store }: Parts) {
  const { data } = world;
  const projectServerSet = ["id", "tenantId", "ownerId", "createdAt", "deployToken", "internalNotes"];

  const project = api.resource("project", {
    load: (id) => data.projects.get(id),
    tenant: (project) => project.tenantId,
    owner: (project) => project.ownerId,
    grant: (project, caller) => [project.members.get(caller.subject) ?? []].flat(),
    serverSet: projectServerSet,
  });

  const comment = api.resource("comment", {
    load: (id) => data.comments.get(id),
    parent: { resource: project, id: (comment) => comment.projectId },
    owner: (comment) => comment.authorId,
    serverSet: ["id", "projectId", "authorId", "authorIp", "createdAt"],
  });

  const account = api.resource("account", {
    load: (id) => data.users.get(id),
    tenant: (account) => account.tenantId,
    owner: (account) => account.id,
    serverSet: ["id", "tenantId", "role", "passwordHash", "disabled"],
  });

  const colleague = api.resource("colleague", {
    load: (id) => data.users.get(id),
    tenant: (colleague) => colleague.tenantId,
    shared: "people of one tenant let each other into their projects",
    serverSet: ["id", "tenantId", "passwordHash", "disabled"],
  });

  const key = api.resource("key", {
    load: async (id) => {
      const record = await store.find(id);
      return record === undefined || record.revokedAt !== undefined ? undefined : record;
    },
    tenant: (key) => key.tenant,
    owner: (key) => key.subject,
    serverSet: ["id", "subject", "createdAt"],
  });

  /** A project as mistakes declare it: for everybody. */
  const anyProject = api.resource("anyProject", {
    load: (id) => data.projects.get(id),
    shared: "projects are shown to everybody",
    serverSet: projectServerSet,
  });

  /** A comment as mistakes declare it. */
  const anyComment = api.resource("anyComment", {
    load: (id) => data.comments.get(id),
    shared: "comments are shown to everybody",
    serverSet: ["id", "projectId", "authorId", "authorIp", "createdAt"],
  });

  return { project, comment, account, colleague, key, anyProject, anyComment };
}

export type Resources = ReturnType<typeof declareResources>;
