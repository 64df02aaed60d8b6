import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import { type Place, places } from "../exposed-places.ts";
import { isLimited, sameSignature } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
  threeLegs,
} from "../probe.ts";
import { withCredential, withQuery } from "../requests.ts";
import { exposedSourceMap } from "../source-maps.ts";

/**
 * Places that strangers find first: debug endpoints, dot files, source maps, metrics, documentation. Only content that
 * could be nothing else counts, compared with paths that cannot exist. And credentials in the URL.
 */
export const exposure: Probe = { id: "exposure", plan: planExposure };

function planExposure(context: ProbeContext): readonly Check[] {
  const declared = new Set(context.target.operations.map((operation) => operation.path));
  const checks: Check[] = places
    .filter((place) => !declared.has(place.path))
    .map((place) => ({
      check: `path-${place.path.slice(1).replace(/[^a-z0-9]+/gi, "-")}`,
      phase: "strangers",
      run: () => look(context, place),
    }));
  return [
    ...checks,
    { check: "source-map", phase: "strangers", run: () => exposedSourceMap(context) },
    { check: "credential-in-url", run: () => credentialInUrl(context) },
  ];
}

async function look(context: ProbeContext, place: Place): Promise<Outcome> {
  const ask = () =>
    context.send("attack", { method: "GET", target: place.path, headers: [["accept", "*/*"]], label: "nobody" });
  const trial = await ask();
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  const nowhere = await context.nowhere();
  if (!isSuccess(trial.answer) || sameSignature(trial.answer, nowhere.answer) || !place.shows(trial.answer)) {
    return held(`${place.path} shows nothing`, [trial]);
  }
  const again = await ask();
  if (!isSuccess(again.answer) || !place.shows(again.answer))
    return inconclusive("it showed something once and not again", [trial, again]);
  // A made-up name beside it: some servers answer every name of a folder or an ending alike.
  const beside = neighbourOf(place.path, `pc-${context.random.text(10)}`);
  const control = await context.send("negative", {
    ...trial.outgoing,
    target: beside,
    label: "nobody, a made-up name",
  });
  if (isSuccess(control.answer) && place.shows(control.answer))
    return inconclusive(`${beside}, which cannot exist, is answered alike`, [control, trial]);
  return broken(`${place.path} shows ${place.what} to anybody`, [control, trial]);
}

/** Another name in the same folder, with the same beginning dot and the same ending. */
function neighbourOf(path: string, name: string): string {
  const cut = path.lastIndexOf("/") + 1;
  const [, dot = "", ending = ""] = /^(\.?)[^.]*(\.[\w.]+)?$/.exec(path.slice(cut)) ?? [];
  return `${path.slice(0, cut)}${dot}${name}${ending}`;
}

/** The caller's own credential in the query: URLs end in logs. */
async function credentialInUrl(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const bare = withCredential(witness.positive.outgoing, undefined, `${witness.identity.name}, credential in the URL`);
  const found: NamedOutcome[] = [];
  for (const name of ["access_token", "token", "api_key", "key", "jwt", "auth"]) {
    const garbage = await context.send(
      "negative",
      withQuery({ ...bare, label: "nobody, made-up credential in the URL" }, name, "pc-made-up-credential"),
    );
    const result = await threeLegs({
      positive: witness.positive,
      negatives: [garbage, ...witness.negatives],
      canary: witness.canary,
      attack: () => context.send("attack", withQuery(bare, name, witness.identity.secret)),
      broken: `a credential in the URL (?${name}=) is accepted`,
      held: `a credential in the URL (?${name}=) is refused`,
    });
    found.push({ check: `in-url-${name}`, ...result });
  }
  return found;
}
