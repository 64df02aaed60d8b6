/** Numbers and names that look random and are the same again for the same seed, so that a scan can be repeated. */
export interface Random {
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** Lower-case letters and digits. */
  text(length: number): string;
  /** A version 4 UUID (RFC 9562 section 5.4). */
  uuid(): string;
  /** An independent stream of the same seed; the same name gives the same stream. */
  fork(name: string): Random;
}

/**
 * Makes a repeatable source of random values. Not for secrets: it decides what a scan sends, nothing else.
 *
 * @param seed  any whole number; the scan prints it
 */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    // mulberry32: 32 bits of state are plenty for test data.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  function int(low: number, high: number): number {
    return low + Math.floor(next() * (high - low + 1));
  }
  function from(alphabet: string, length: number): string {
    let out = "";
    for (let at = 0; at < length; at += 1) out += alphabet.charAt(int(0, alphabet.length - 1));
    return out;
  }
  return {
    int,
    text: (length) => from("abcdefghijklmnopqrstuvwxyz0123456789", length),
    uuid() {
      const hex = from("0123456789abcdef", 30);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
    },
    fork(name) {
      let hash = 0x811c9dc5 ^ seed;
      for (const unit of name) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
      return seeded(hash);
    },
  };
}
