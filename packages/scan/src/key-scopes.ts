import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Header, Identity } from "./identities.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, notApplicable, type Outcome, twice } from "./probe.ts";
import { withCredential } from "./requests.ts";
import { type Stage, stageWrite } from "./stage.ts";
import type { Operation } from "./target.ts";

/** A key of the scan's, and how to get one that may do less. */
export interface ScopedKeys {
  /** The credential of a key that may do everything. */
  readonly full: Header;
  readonly owner: Identity;
  /** Every scope a key may be created with. */
  readonly scopes: readonly string[];
  /** A new key with that scope alone; it is deleted at the end. */
  create(scope: string): Promise<Header>;
}

/** Scopes that let somebody look, and change nothing. */
const looking = /(?:^|[^a-z])(?:read(?:only)?|view(?:er)?|list|get)(?:[^a-z]|$)/i;

/**
 * Whether a key that may only look can change things. The write is one that the full key does, and it is judged by what
 * the owner reads afterwards.
 *
 * @throws what creating and sending reject with, such as `BudgetSpent` and `Unreachable`
 */
export async function keyScopes(context: ProbeContext, keys: ScopedKeys): Promise<Outcome> {
  if (keys.scopes.length < 2) return notApplicable("Keys are not created with scopes of which one could be left out.");
  const chosen = choose(context, keys.scopes);
  if (chosen === undefined)
    return notApplicable(
      "No scope of a key is named so that it could not be enough for a write that can be read back.",
    );
  const { operation, scope } = chosen;
  const narrow = await keys.create(scope);
  const allowed = await write(context, operation, keys, keys.full, "a key with every scope");
  if (!allowed.changed) return notApplicable(`${operation.id} takes no key, whatever its scopes.`);
  return await twice(async () => {
    const attack = await write(context, operation, keys, narrow, `a key with the scope ${scope} alone`);
    const trials = [...allowed.trials, ...attack.trials];
    if (attack.trials.some(({ answer }) => isLimited(answer)))
      return inconclusive(limitedWhy(attack.trials[0]?.answer ?? { ...allowed.first.answer }), trials);
    if (attack.changed) return broken(`a key whose only scope is ${scope} takes effect at ${operation.id}`, trials);
    return held(`a key whose only scope is ${scope} changes nothing at ${operation.id}`, trials);
  });
}

/** A write on something the scan makes, and a scope that is not enough for it, by what it demands or by its name. */
function choose(context: ProbeContext, scopes: readonly string[]): { operation: Operation; scope: string } | undefined {
  for (const kind of context.objects.kinds) {
    for (const operation of [kind.update, kind.create]) {
      if (operation?.body === undefined || operation.access.kind !== "caller" || kind.parent !== undefined) continue;
      const { access } = operation;
      if (access.roles.length > 0 || access.scopes.some((scope) => !scopes.includes(scope))) continue;
      const others = scopes.filter((scope) => !access.scopes.includes(scope));
      const scope = others.find((one) => looking.test(one)) ?? (access.scopes.length > 0 ? others[0] : undefined);
      if (scope !== undefined) return { operation, scope };
    }
  }
  return undefined;
}

async function write(
  context: ProbeContext,
  operation: Operation,
  { owner }: ScopedKeys,
  credential: Header,
  label: string,
): Promise<{ changed: boolean; first: Trial; trials: readonly Trial[] }> {
  const stage: Stage = await stageWrite(context, operation, owner);
  // It counts against the limits of whoever owns the key.
  const outgoing = { ...withCredential(stage.request(owner), credential, label), as: owner };
  const first = await context.send("attack", outgoing);
  const seen = await stage.changed(first);
  const changed = seen?.changed === true;
  return { changed, first, trials: seen === undefined ? [first] : [first, seen.trial] };
}
