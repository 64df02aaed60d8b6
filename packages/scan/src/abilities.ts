import { isSuccess } from "./answer.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import type { Operation } from "./target.ts";

/** Who was let do what, learned from every honest request of a scan: a plain description does not say it. */
export interface Abilities {
  /** To be told of every request; only honest ones count. */
  watch(trial: Trial): void;
  /** True where the operation said no to this identity for who it is (401, 403), and never yes. */
  isRefused(operation: Operation, identity: Identity): boolean;
  /**
   * How likely the identity is to be let in, 0 the likeliest: 0 was let in, 1 nothing is known, 2 it was refused more often
   * than let in elsewhere, as a key with few scopes is, 3 it was refused here.
   */
  rank(operation: Operation, identity: Identity): 0 | 1 | 2 | 3;
}

/** Makes the memory of one scan. */
export function createAbilities(): Abilities {
  const able = new Set<string>();
  const refused = new Set<string>();
  /** By name, how many operations let them in less how many refused them. */
  const balance = new Map<string, number>();
  const keyOf = (operation: Operation, identity: Identity) => `${operation.id} ${identity.name}`;
  const isRefused = (operation: Operation, identity: Identity) => {
    const key = keyOf(operation, identity);
    return refused.has(key) && !able.has(key);
  };
  return {
    watch({ leg, outgoing: { operation, as }, answer }) {
      if (leg !== "positive" || operation === undefined || as === undefined) return;
      const isNo = answer.status === 401 || answer.status === 403;
      const known = isSuccess(answer) ? able : isNo ? refused : undefined;
      const key = keyOf(operation, as);
      if (known === undefined || known.has(key)) return;
      known.add(key);
      balance.set(as.name, (balance.get(as.name) ?? 0) + (isNo ? -1 : 1));
    },
    isRefused,
    rank(operation, identity) {
      if (able.has(keyOf(operation, identity))) return 0;
      if (isRefused(operation, identity)) return 3;
      return (balance.get(identity.name) ?? 0) < 0 ? 2 : 1;
    },
  };
}
