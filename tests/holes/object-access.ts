import type { Exchange } from "../../packages/portcullis/src/exchange.ts";
import type { PlannedObject } from "../../packages/portcullis/src/plan.ts";
import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

/** `projects.findById(req.params.id)`: ids are long and random, so who would know somebody else's? */
export const hole: Hole = {
  id: "object-access",
  wrong: "objects are loaded by their id and nobody asks whose they are, on the way in or out",
  create: withGates({
    objectAccess: (_api, route) =>
      async function loadById(x) {
        const objects: Record<string, unknown> = {};
        for (const one of route.objects) {
          const ids = idsIn(x, one);
          const found = await Promise.all(ids.map((id) => one.resource.rule.load(id, x.caller)));
          if (found.includes(undefined)) return new Refusal("object-not-found", `no ${one.resource.name} of that id`);
          objects[one.name] = one.each ? found : found[0];
        }
        x.objects = objects;
        return undefined;
      },
    egress: () => undefined,
  }),
};

function idsIn(x: Exchange, one: PlannedObject): readonly string[] {
  const place = { path: x.params, query: x.queryInput, header: x.headerInput, body: x.bodyInput }[one.place];
  const value: unknown = typeof place === "object" && place !== null ? Reflect.get(place, one.field) : undefined;
  return [value].flat().filter((id) => typeof id === "string");
}
