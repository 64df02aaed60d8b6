import { isPrivileged, type ProbeContext } from "./context.ts";
import { canAct, type Identity } from "./identities.ts";

/** Two callers, one of whom attacks what the other owns. */
export interface Pair {
  readonly owner: Identity;
  readonly attacker: Identity;
}

/** Callers without roles against each other, everybody in both directions where there are two, at most four pairs. */
export function pairsOf(context: ProbeContext): readonly Pair[] {
  const plain = context.identities.filter((identity) => canAct(identity) && !isPrivileged(identity, context.target));
  const first = plain[0];
  const second = plain[1];
  if (first === undefined || second === undefined) return [];
  const others = plain.slice(1, 3).map((attacker): Pair => ({ owner: first, attacker }));
  return [...others, { owner: second, attacker: first }];
}
