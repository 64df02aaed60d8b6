import { createVerifiedCache } from "./verified-cache.ts";

/**
 * Remembers which credentials have been proved lately, so that callers who are known still get in while strangers behind
 * the same address have used up what it may. It proves nothing: whoever is remembered is verified as ever.
 */
export interface ProvedBefore {
  add(value: string): void;
  has(value: string): boolean;
  /** Forgets a credential that was refused, so that it opens nothing a second time. */
  delete(value: string): void;
}

/**
 * @param capacity  credentials remembered, default 10_000 and 16 MiB; the half that came lately is safe
 */
export function createProvedBefore(capacity = 10_000): ProvedBefore {
  const known = createVerifiedCache<true>({ maxEntries: capacity });
  return {
    add: (value) => known.set(value, true),
    has: (value) => known.get(value) === true,
    delete: (value) => known.delete(value),
  };
}
