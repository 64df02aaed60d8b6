/**
 * Remembers which credentials have been proved lately, so that callers who are known still get in while strangers behind
 * the same address have spent its failure budget. It proves nothing: whoever is remembered is verified as ever.
 */
export interface ProvedBefore {
  add(value: string): void;
  has(value: string): boolean;
}

/**
 * @param capacity  credentials remembered, default 10_000; the oldest is forgotten first
 */
export function createProvedBefore(capacity = 10_000): ProvedBefore {
  const known = new Set<string>();
  return {
    add(value) {
      if (known.has(value)) return;
      if (known.size >= capacity) {
        for (const oldest of known) {
          known.delete(oldest);
          break;
        }
      }
      known.add(value);
    },
    has: (value) => known.has(value),
  };
}
