/** Loaded before an instance: opens the holes that `PORTCULLIS_SOAK_HOLES` names, by their places in the list. */
import { registerHooks } from "node:module";
import { holes } from "./holes.ts";

const open = (process.env["PORTCULLIS_SOAK_HOLES"] ?? "").split(",").map((place) => {
  const hole = holes[Number(place)];
  if (hole === undefined) throw new Error(`there is no hole ${place}`);
  return { ...hole, url: new URL(`../../${hole.file}`, import.meta.url).href };
});

registerHooks({
  load(specifier, context, nextLoad) {
    const loaded = nextLoad(specifier, context);
    const own = open.filter(({ url }) => url === specifier);
    if (own.length === 0) return loaded;
    const { source: given = "" } = loaded;
    let source = typeof given === "string" ? given : new TextDecoder().decode(given ?? undefined);
    for (const { file, right, wrong } of own) {
      if (source.split(right).length !== 2) throw new Error(`${file} does not hold it once: ${right}`);
      source = source.replace(right, () => wrong);
    }
    return { ...loaded, source };
  },
});
