import { chain } from "../../packages/portcullis/src/lib/chain.ts";
import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `res.json(await db.selectAll())`: whatever column is added next month leaves as well. */
export const hole: Hole = {
  id: "output",
  wrong: "rows are answered as they stand in the table",
  create: withGates({
    output(api, route) {
      const write = standardGates.output(api, route);
      return function writeRawRows(x) {
        return chain(write?.(x), (outcome) => {
          if (outcome === undefined && x.bodyText !== undefined) x.bodyText = rawText(x.bodyText, x.result);
          return outcome;
        });
      };
    },
  }),
};

/** A page keeps its envelope, which has the sealed cursor; its rows are raw. */
function rawText(text: string, result: unknown): string {
  const isPage = typeof result === "object" && result !== null && "items" in result;
  return JSON.stringify(isPage ? { ...JSON.parse(text), items: result.items } : result);
}
