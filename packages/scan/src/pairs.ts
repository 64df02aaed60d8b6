import { isPrivileged, type ProbeContext } from "./context.ts";
import { canAct, type Identity } from "./identities.ts";

/** Two callers, one of whom attacks what the other owns. */
export interface Pair {
  readonly owner: Identity;
  readonly attacker: Identity;
}

/**
 * Callers without roles against each other, both directions of the first two before anything else; as many pairs as the
 * effort allows.
 */
export function pairsOf(context: ProbeContext): readonly Pair[] {
  const creations = context.objects.kinds.flatMap(({ create }) => create ?? []);
  const refusals = (one: Identity) => creations.filter((create) => context.isRefused(create, one)).length;
  const plain = context.identities
    .filter((identity) => canAct(identity) && !isPrivileged(identity, context.target))
    .toSorted((left, right) => refusals(left) - refusals(right));
  const first = plain[0];
  const second = plain[1];
  if (first === undefined || second === undefined) return [];
  const others = plain.slice(1).map((attacker): Pair => ({ owner: first, attacker }));
  const rest = plain
    .slice(1)
    .flatMap((owner) => plain.filter((attacker) => attacker !== owner).map((attacker): Pair => ({ owner, attacker })));
  const most = context.effort.pairs;
  const backwards = { owner: second, attacker: first };
  const inOrder = [...others.slice(0, most - 1), backwards, ...others.slice(most - 1), ...rest.slice(1)];
  return inOrder.slice(0, most);
}
