import { type Answer, headerOf, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { isRecord, parseJson } from "./json.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type Outcome } from "./probe.ts";

/**
 * Source maps that anybody may read: those a page's scripts name, and those at the names bundlers give. Only a map with
 * sources counts (ECMA-426), and only where a made-up name beside it is answered otherwise.
 */
export async function exposedSourceMap(context: ProbeContext): Promise<Outcome> {
  const ask = (target: string) =>
    context.send("attack", { method: "GET", target, headers: [["accept", "*/*"]], label: "nobody" });
  const tried: Trial[] = [];
  for (const path of new Set([...(await namedMaps(context, ask)), ...usualMaps])) {
    const trial = await ask(path);
    tried.push(trial);
    if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
    const sources = sourcesIn(trial.answer);
    if (sources === undefined) continue;
    const again = await ask(path);
    const control = await ask(`${path.slice(0, path.lastIndexOf("/") + 1)}pc-${context.random.text(8)}.js.map`);
    if (sourcesIn(again.answer) === undefined) return inconclusive("it was shown once and not again", [trial, again]);
    if (sourcesIn(control.answer) !== undefined)
      return inconclusive("a map that cannot exist is answered alike", [control, trial]);
    return broken(`${path} shows the sources to anybody (${sources.slice(0, 3).join(", ")})`, [control, trial]);
  }
  return held("no source map is there", tried.slice(0, 2));
}

/** Where bundlers and deployments put the map of the first script. */
const usualMaps: readonly string[] = [
  "/main.js.map",
  "/index.js.map",
  "/app.js.map",
  "/server.js.map",
  "/bundle.js.map",
  "/dist/index.js.map",
  "/assets/index.js.map",
  "/static/js/main.js.map",
];

/** The maps of the first scripts of the start page, by their own word or by their name; none where there is no page. */
async function namedMaps(context: ProbeContext, ask: (target: string) => Promise<Trial>): Promise<readonly string[]> {
  const { answer: page } = await ask("/");
  if (!isSuccess(page) || !/<script\b/i.test(page.text)) return [];
  const maps: string[] = [];
  const scripts = [...page.text.matchAll(/<script\b[^<>]*\bsrc\s*=\s*["']?([^"'\s>]+)/gi)];
  for (const [, src = ""] of scripts.slice(0, 5)) {
    const script = pathOn(context.fetcher.url, src, "/");
    if (script === undefined) continue;
    const { answer } = await ask(script);
    if (!isSuccess(answer)) continue;
    const named =
      headerOf(answer, "sourcemap") ?? [...answer.text.matchAll(/^\/\/[#@] sourceMappingURL=(\S+)/gm)].at(-1)?.[1];
    const map = pathOn(context.fetcher.url, named ?? `${script.split("?")[0]}.map`, script);
    if (map !== undefined) maps.push(map);
  }
  return maps;
}

/** The path of a reference on the target itself; undefined where it leads elsewhere. */
function pathOn(url: URL, reference: string, base: string): string | undefined {
  const whole = `${url.origin}${base}`;
  const found = URL.canParse(reference, whole) ? new URL(reference, whole) : undefined;
  return found?.origin === url.origin ? `${found.pathname}${found.search}` : undefined;
}

/** The names of its sources; undefined where it is no source map. */
function sourcesIn(answer: Answer): readonly string[] | undefined {
  if (!isSuccess(answer)) return undefined;
  // A first line against being read as a script stands before some maps.
  const map = answer.json ?? parseJson(answer.text.replace(/^\)\]\}'[^\n]*\n/, ""));
  if (!isRecord(map) || map["version"] !== 3 || typeof map["mappings"] !== "string") return undefined;
  const { sources } = map;
  const names = Array.isArray(sources) ? sources.filter((name) => typeof name === "string") : [];
  return names.length === 0 ? undefined : names;
}
