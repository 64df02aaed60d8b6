import type { Api } from "portcullis";
import type { Data } from "./data/data.ts";
import type { Keys } from "./keys.ts";

/**
 * Every kind of object of this API, with how it is loaded and who may reach it. All routes obey these rules: what is out
 * of a caller's reach looks missing, and an answer that holds it anyway never leaves.
 */
export function declareResources(api: Api, data: Data, keys: Keys) {
  /** Its owner and its members reach a project, inside the tenant. */
  const project = api.resource("project", {
    load: (id) => data.projects.byId(id),
    tenant: (project) => project.tenantId,
    owner: (project) => project.ownerId,
    grant: (project, caller) =>
      project.members.filter(({ userId }) => userId === caller.subject).map(({ role }) => role),
    serverSet: ["id", "tenantId", "ownerId", "backendSecret", "internalNotes", "createdAt"],
  });

  /** Whoever reaches the project reaches its comments; the author is the owner. */
  const comment = api.resource("comment", {
    load: (id) => data.comments.byId(id),
    parent: { resource: project, id: (comment) => comment.projectId },
    owner: (comment) => comment.authorId,
    serverSet: ["id", "projectId", "authorId", "authorIp", "createdAt"],
  });

  /** A user's account is the user's alone. */
  const account = api.resource("account", {
    load: (id) => data.users.byId(id),
    tenant: (account) => account.tenantId,
    owner: (account) => account.id,
    serverSet: ["id", "tenantId", "role", "passwordHash", "disabledAt"],
  });

  /** The same users as everybody else of their tenant knows them: less is loaded, and more people may see it. */
  const colleague = api.resource("colleague", {
    load: (id) => data.users.colleague(id),
    tenant: (colleague) => colleague.tenantId,
    shared: "people of one tenant let each other into their projects",
    serverSet: ["id", "tenantId"],
  });

  /** An API key is its creator's alone, and of a key nothing but its record is ever kept. */
  const key = api.resource("key", {
    load: (id) => keys.byId(id),
    tenant: (key) => key.tenantId,
    owner: (key) => key.userId,
    serverSet: ["id", "userId", "tenantId", "prefix", "createdAt", "expiresAt"],
  });

  return { project, comment, account, colleague, key };
}

export type Resources = ReturnType<typeof declareResources>;
