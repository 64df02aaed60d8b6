import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `const { success, data } = schema.safeParse(body); if (!success) log.warn(…)`, "until the clients are mended". */
export const hole: Hole = {
  id: "input",
  wrong: "a body is parsed as JSON whatever it says it is, and what its schema refuses is passed on as it came",
  create: withGates({
    input(api, route) {
      const { body, ...rest } = route;
      const matchRest = standardGates.input(api, { ...rest, body: undefined });
      if (body === undefined) return matchRest;
      return async function warnAndPassOn(x) {
        const raw: unknown = JSON.parse(new TextDecoder().decode(x.body));
        const result = await body.schema["~standard"].validate(raw);
        x.bodyInput = result.issues === undefined ? result.value : raw;
        return matchRest?.(x);
      };
    },
  }),
};
