import { type Answer, headerOf, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { ownThing } from "./foreign-ids.ts";
import type { Identity } from "./identities.ts";
import { walk } from "./json.ts";
import type { Kind } from "./kinds.ts";
import type { Pair } from "./pairs.ts";
import type { Thing } from "./objects.ts";
import { type Check, notApplicable, type Outcome, threeLegs } from "./probe.ts";
import { paramsIn } from "./requests.ts";
import { tightLimit } from "./target.ts";

/** At most so many links of an object are followed. */
const mostLinks = 3;

/**
 * Addresses that stand in an answer and in no description, such as a report's: what the owner reads there must not be
 * readable by others. One check per kind; answers tell whether there are any.
 */
export function linkChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const pair = pairs[0];
  if (pair === undefined) return [];
  return context.objects.kinds.flatMap((kind): readonly Check[] => {
    const { read } = kind;
    if (read === undefined || kind.policy?.shared !== undefined || read.access.kind === "public") return [];
    if (tightLimit(read, 8, context.patienceMs) !== undefined) return [];
    return [{ check: "foreign-link", operation: read, run: () => foreignLinks(context, kind, pair) }];
  });
}

async function foreignLinks(context: ProbeContext, kind: Kind, { owner, attacker }: Pair): Promise<Outcome> {
  const thing = await ownThing(context, kind, owner, "shared");
  if (typeof thing === "string") return notApplicable(thing);
  const links = linksOf(context, thing);
  let last: Outcome = notApplicable("Its answers name no address that is not described.");
  for (const link of links.slice(0, mostLinks)) {
    const found = await foreignLink(context, thing, link, { owner, attacker });
    if (found.verdict === "broken") return found;
    if (found.verdict !== "not-applicable") last = found;
  }
  return last;
}

async function foreignLink(
  context: ProbeContext,
  thing: Thing,
  link: string,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const ask = (leg: Trial["leg"], as: Identity, target: string) => {
    const headers = [as.header, ...(as.along ?? [])];
    return context.send(leg, { method: "GET", target, headers, as, label: as.name });
  };
  const positive = await ask("positive", owner, link);
  const isProof = isSuccess(positive.answer) && positive.answer.text.includes(thing.canary);
  if (!isProof) return notApplicable("What its links lead to shows nothing of it.");
  const missing = await ask("negative", attacker, link.replaceAll(thing.id, context.objects.missingId(thing.kind)));
  return await threeLegs({
    positive,
    negatives: [missing],
    canary: thing.canary,
    attack: () => ask("attack", attacker, link),
    broken: `${attacker.name} reads what belongs to ${owner.name} at an address that its answer names`,
    held: `${attacker.name} cannot read what belongs to ${owner.name} at the address that its answer names`,
  });
}

/**
 * Addresses on the target that name the object and that no operation describes. One with an unguessable part beside the
 * object's id is made to be handed on, and is left alone.
 */
function linksOf(context: ProbeContext, { created, id }: Thing): readonly string[] {
  const { url } = context.fetcher;
  const found = new Set<string>();
  for (const text of textsIn(created.answer)) {
    if (!/^(?:https?:\/\/|\/[^/])/.test(text) || !URL.canParse(text, url.href)) continue;
    const link = new URL(text, url);
    const path = link.pathname;
    if (link.host !== url.host || !path.includes(id) || /[\w-]{16,}/.test(`${path}${link.search}`.replaceAll(id, "")))
      continue;
    const { operations } = context.target;
    if (operations.some((entry) => entry.method === "GET" && paramsIn(entry.path, path) !== undefined)) continue;
    found.add(`${path}${link.search}`);
  }
  return [...found];
}

function textsIn(answer: Answer): readonly string[] {
  const texts: string[] = [headerOf(answer, "location") ?? ""];
  walk(answer.json, (_path, _name, value) => {
    if (typeof value === "string") texts.push(value);
  });
  for (const [, link = ""] of (headerOf(answer, "link") ?? "").matchAll(/<([^<>]+)>/g)) texts.push(link);
  return texts;
}
