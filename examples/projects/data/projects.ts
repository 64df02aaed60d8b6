import { randomBytes, randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { type Asked, pageOf, timeAfter } from "./pages.ts";
import type { Member, ProjectRow, Tables } from "./schema.ts";

/** A project as it is loaded: with its members, so that who may reach it is known without another query. */
export interface Project extends ProjectRow {
  readonly members: readonly Member[];
}

/** What a client may say of a project. */
export type ProjectFields = Pick<Project, "name" | "url" | "backendType">;

/** Whose projects are asked for; a caller is one. */
interface Reader {
  readonly subject: string;
  readonly tenant: string | undefined;
}

type Owner = Reader & { readonly tenant: string };

/** Projects together with who is in them. */
export function projectData(db: Kysely<Tables>) {
  /** What a reader owns or was let into; all lists are made of it. No row has an empty tenant, so no tenant is no rows. */
  const reachable = ({ subject, tenant }: Reader) =>
    db
      .selectFrom("projects")
      .where("tenantId", "=", tenant ?? "")
      .where("id", "in", (from) => from.selectFrom("members").select("projectId").where("userId", "=", subject));

  async function withMembers(rows: readonly ProjectRow[]): Promise<readonly Project[]> {
    const ids = rows.map(({ id }) => id);
    const members = await db.selectFrom("members").selectAll().where("projectId", "in", ids).execute();
    return rows.map((row) => ({ ...row, members: members.filter(({ projectId }) => projectId === row.id) }));
  }

  return {
    async byId(id: string): Promise<Project | undefined> {
      const rows = await db.selectFrom("projects").selectAll().where("id", "=", id).execute();
      return (await withMembers(rows))[0];
    },

    /** Newest first, a cursor's page. @param name  a part of the name, any project if it is empty */
    async list(reader: Reader, { limit, after }: Asked, name = "") {
      let query = reachable(reader).selectAll();
      if (name !== "") query = query.where(sql<boolean>`name LIKE ${containing(name)} ESCAPE '\\'`);
      const last = timeAfter(after);
      if (last !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple("createdAt", "id"), "<", tuple(last.createdAt, last.id)),
        );
      }
      const rows = await query
        .orderBy("createdAt", "desc")
        .orderBy("id", "desc")
        .limit(limit + 1)
        .execute();
      return pageOf(await withMembers(rows), limit, ({ createdAt, id }) => ({ createdAt, id }));
    },

    /** Newest first, a page by its number. */
    async listByOffset(reader: Reader, { limit, offset }: { readonly limit: number; readonly offset: number }) {
      const { total } = await reachable(reader)
        .select(({ fn }) => fn.countAll<number>().as("total"))
        .executeTakeFirstOrThrow();
      const rows = await reachable(reader)
        .selectAll()
        .orderBy("createdAt", "desc")
        .orderBy("id", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return { items: await withMembers(rows), total };
    },

    /** A new project, with those who may read it from the start. */
    async create(owner: Owner, fields: ProjectFields, viewerIds: readonly string[]): Promise<Project> {
      const project: ProjectRow = {
        ...fields,
        id: randomUUID(),
        tenantId: owner.tenant,
        ownerId: owner.subject,
        backendSecret: `service_role_${randomBytes(16).toString("hex")}`,
        internalNotes: "",
        createdAt: new Date().toISOString(),
      };
      const roles = new Map<string, Member["role"]>(viewerIds.map((id) => [id, "viewer"]));
      roles.set(owner.subject, "owner");
      const members = [...roles].map(([userId, role]): Member => ({ projectId: project.id, userId, role }));
      await insert([project], members);
      return { ...project, members };
    },

    /** Writes the fields a client may change, those it named; the others stay as they are. */
    async change(
      project: Project,
      { name = project.name, url = project.url, backendType = project.backendType }: Changes,
    ): Promise<Project> {
      await db.updateTable("projects").set({ name, url, backendType }).where("id", "=", project.id).execute();
      return { ...project, name, url, backendType };
    },

    async remove(id: string): Promise<void> {
      await db.deleteFrom("projects").where("id", "=", id).execute();
    },

    insert,
  };

  async function insert(projects: readonly ProjectRow[], members: readonly Member[]): Promise<void> {
    await db.transaction().execute(async (transaction) => {
      await transaction.insertInto("projects").values(projects).execute();
      await transaction.insertInto("members").values(members).execute();
    });
  }
}

type Changes = { readonly [Field in keyof ProjectFields]?: ProjectFields[Field] | undefined };

/** A LIKE pattern for texts that contain `part`, in which nothing of `part` is a wildcard. */
function containing(part: string): string {
  return `%${part.replaceAll(/[\\%_]/g, "\\$&")}%`;
}
