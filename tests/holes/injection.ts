import { DatabaseSync } from "node:sqlite";
import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import type { RoutePlan } from "../../packages/portcullis/src/plan.ts";
import { type Hole, withGates } from "../hole.ts";

/** `` db.query(`… LIKE '%${q}%'`) ``: the one query that was too dynamic for the query builder. */
export const hole: Hole = {
  id: "injection",
  wrong: "the search puts the text it was given into its SQL",
  create(config) {
    const index = new DatabaseSync(":memory:");
    index.exec("CREATE TABLE found (ownerId TEXT, name TEXT, project TEXT)");

    /** Keeps what is created, so that there is something to search in. */
    async function createIndexed(route: RoutePlan, given: Given): Promise<unknown> {
      const created = await route.handler(given);
      const project: unknown = isRecord(created) ? created["value"] : undefined;
      if (isRecord(project)) {
        const insert = index.prepare("INSERT INTO found VALUES (?, ?, ?)");
        insert.run(String(project["ownerId"]), String(project["name"]), JSON.stringify(project));
      }
      return created;
    }

    function search({ caller, query }: Given): unknown {
      const owner = isRecord(caller) ? String(caller["subject"]) : "";
      const q = isRecord(query) ? String(query["q"]) : "";
      const sql = `SELECT project FROM found WHERE ownerId = '${owner}' AND name LIKE '%${q}%'`;
      const rows = index.prepare(sql).all();
      return { items: rows.map(({ project }): unknown => JSON.parse(String(project))) };
    }

    const create = withGates({
      handler(api, route) {
        if (route.name === "GET /v1/search") return standardGates.handler(api, { ...route, handler: search });
        if (route.name !== "POST /v1/projects") return standardGates.handler(api, route);
        return standardGates.handler(api, { ...route, handler: (given) => createIndexed(route, given) });
      },
    });
    return create(config);
  },
};

type Given = Parameters<RoutePlan["handler"]>[0];

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
