import { type Answer, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Identity } from "./identities.ts";
import { isRecord } from "./json.ts";
import type { Kind } from "./kinds.ts";
import type { Pair } from "./pairs.ts";
import { isLimited } from "./oracle.ts";
import { nextCursor, pagingOf } from "./paging.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, notApplicable } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import type { Operation } from "./target.ts";

/**
 * The cursor of another caller: where it says whose list it goes on with and is believed, whoever writes one reads anybody's.
 * Only lists that were just seen to show nothing of each other are tried, so that an item of the other's next page is proof.
 *
 * @returns nothing where the list has no cursor
 */
export async function foreignCursor(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const check = "foreign-cursor";
  const paging = pagingOf(operation);
  const { cursor: name, limit } = paging;
  if (name === undefined || limit === undefined) return [];
  const ask = async (leg: "positive" | "attack", as: Identity, more: Readonly<Record<string, string>>) => {
    const filled = await context.objects.fill(operation, as);
    return await context.send(leg, requestFor(operation, { as, ...filled, query: { ...filled.query, ...more } }));
  };
  try {
    // Two at least, so that there is a second page of one.
    for (let made = 0; made < 2; made += 1) await context.objects.fresh(kind, owner);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
  }
  const first = await ask("positive", owner, { [limit]: "1" });
  const cursor = isSuccess(first.answer) ? nextCursor(first.answer, paging) : undefined;
  if (cursor === undefined) return [{ check, ...notApplicable("It has no second page.") }];
  // Whole pages from there on: lists grow and shrink while a scan runs.
  const most = { [limit]: String(paging.max) };
  const own = await ask("positive", owner, { ...most, [name]: cursor });
  const mine = await ask("positive", attacker, most);
  const known = new Set(idsIn(mine.answer));
  const theirs = idsIn(own.answer).filter((id) => !known.has(id));
  if (theirs.length === 0) return [{ check, ...notApplicable("Its second page shows nothing of one caller alone.") }];
  const attack = await ask("attack", attacker, { ...most, [name]: cursor });
  const trials = [own, attack];
  if (isLimited(attack.answer)) return [{ check, ...inconclusive(limitedWhy(attack.answer), trials) }];
  const leaks = (answer: Answer) => isSuccess(answer) && idsIn(answer).some((id) => theirs.includes(id));
  if (!leaks(attack.answer)) {
    const why = `${owner.name}'s cursor shows ${attacker.name} nothing of ${owner.name}`;
    return [{ check, ...held(why, trials) }];
  }
  const again = await ask("attack", attacker, { ...most, [name]: cursor });
  if (!leaks(again.answer)) return [{ check, ...inconclusive("it leaked once and not again", [...trials, again]) }];
  const why = `a cursor says whose list it goes on with: with ${owner.name}'s, ${attacker.name} reads on in it`;
  return [{ check, ...broken(why, [...trials, again]) }];
}

/** Ids of the members of the list in an answer. */
function idsIn({ json }: Answer): readonly string[] {
  const lists = [json, ...(isRecord(json) ? Object.values(json) : [])].filter((value) => Array.isArray(value));
  return lists.flat().flatMap((item: unknown) => {
    const id = isRecord(item) ? (item["id"] ?? item["_id"] ?? item["uuid"] ?? item["slug"]) : undefined;
    return typeof id === "string" || typeof id === "number" ? [String(id)] : [];
  });
}
