import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `Object.assign(project, req.body); await project.save()`: the form has three fields, the row has nine. */
export const hole: Hole = {
  id: "mass-assignment",
  wrong: "the body of a change is merged into the row, declared fields or not",
  create(config) {
    // The rows as they were saved. The example's own queries name each column, so they are kept here.
    const saved = new Map<string, Row>();
    const create = withGates({
      input(api, route) {
        if (route.name !== change) return standardGates.input(api, route);
        const matchRest = standardGates.input(api, { ...route, body: undefined });
        return function passBodyOn(x) {
          x.bodyInput = JSON.parse(new TextDecoder().decode(x.body));
          return matchRest?.(x);
        };
      },
      handler(api, route) {
        const run = standardGates.handler(api, route);
        return function runOnSavedRow(x) {
          const loaded = x.objects["project"];
          if (!isRow(loaded)) return run?.(x);
          const project: Row = { ...loaded, ...saved.get(loaded.id) };
          if (route.name === change) saved.set(loaded.id, Object.assign(project, x.bodyInput));
          x.objects = { ...x.objects, project };
          return run?.(x);
        };
      },
    });
    return create(config);
  },
};

const change = "PATCH /v1/projects/:id";

interface Row {
  readonly id: string;
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}
