/** Loaded before an instance: opens the hole that `PORTCULLIS_SOAK_HOLE` names, by its place in the list. */
import { registerHooks } from "node:module";
import { holes } from "./holes.ts";

const hole = holes[Number(process.env["PORTCULLIS_SOAK_HOLE"])];
if (hole === undefined) throw new Error("there is no such hole");
const url = new URL(`../src/${hole.file}`, import.meta.url).href;

registerHooks({
  load(specifier, context, nextLoad) {
    const loaded = nextLoad(specifier, context);
    if (specifier !== url) return loaded;
    const { source: given = "" } = loaded;
    const source = typeof given === "string" ? given : new TextDecoder().decode(given ?? undefined);
    if (source.split(hole.right).length !== 2) throw new Error(`${hole.file} does not hold it once: ${hole.right}`);
    return { ...loaded, source: source.replace(hole.right, () => hole.wrong) };
  },
});
