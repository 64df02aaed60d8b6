/**
 * What was proved lately, keyed by the whole credential, of bounded size. One cache belongs to one verifier, so an entry
 * can never answer for another one's rules. It holds entries and judges nothing: the verifier looks at every hit again.
 *
 * Only proved credentials may be put in, so that strangers cannot flush it; failures are never kept.
 */
export interface VerifiedCache<Entry> {
  /** The entry of exactly this credential. */
  get(credential: string): Entry | undefined;
  /** Keeps an entry; the least lately used ones go when a bound is reached. */
  set(credential: string, entry: Entry): void;
  delete(credential: string): void;
  /** Entries held now. */
  readonly size: number;
}

/** Bounds of a {@link VerifiedCache}. */
export interface VerifiedCacheOptions {
  /** Most entries held, 2 .. 1_000_000; default 10_000. The lately used half is safe from eviction. */
  readonly maxEntries?: number;
  /** Most bytes held, estimated, 65_536 .. 2^30; default 16_777_216 (16 MiB). */
  readonly maxBytes?: number;
}

/** The defaults: enough for 10_000 callers with tokens of usual length, about as much memory as a small photograph. */
export const verifiedCacheDefaults = Object.freeze({ maxEntries: 10_000, maxBytes: 16_777_216 });

/**
 * Makes a cache of two generations: a hit in the older one moves the entry to the younger; when the younger holds half
 * of either bound it becomes the older, and the older is dropped whole. Hits in the younger write nothing, and putting
 * in costs the same however full it is: nothing is ever searched for a victim.
 *
 * Entries stand under the last 32 characters of their credential, where its signature or secret is, so that a look-up
 * need not hash all of a long token; the credential is compared whole. Of two that end alike one displaces the other.
 */
export function createVerifiedCache<Entry>(options: VerifiedCacheOptions = {}): VerifiedCache<Entry> {
  const halfEntries = (options.maxEntries ?? verifiedCacheDefaults.maxEntries) / 2;
  const halfBytes = (options.maxBytes ?? verifiedCacheDefaults.maxBytes) / 2;
  let young = new Map<string, Held<Entry>>();
  let old = new Map<string, Held<Entry>>();
  let youngBytes = 0;

  function set(credential: string, entry: Entry): void {
    const tail = tailOf(credential);
    const bytes = estimatedBytes(credential);
    if (young.size + 1 > halfEntries || youngBytes + bytes > halfBytes) {
      old = young;
      young = new Map();
      youngBytes = 0;
    }
    old.delete(tail);
    const displaced = young.get(tail);
    if (displaced !== undefined) youngBytes -= estimatedBytes(displaced.credential);
    youngBytes += bytes;
    young.set(tail, { credential, entry });
  }

  return {
    get(credential) {
      const tail = tailOf(credential);
      const lately = young.get(tail);
      if (lately !== undefined && lately.credential === credential) return lately.entry;
      const earlier = old.get(tail);
      if (earlier === undefined || earlier.credential !== credential) return undefined;
      set(credential, earlier.entry);
      return earlier.entry;
    },
    set,
    delete(credential) {
      const tail = tailOf(credential);
      if (young.get(tail)?.credential === credential) {
        young.delete(tail);
        youngBytes -= estimatedBytes(credential);
      }
      if (old.get(tail)?.credential === credential) old.delete(tail);
    },
    get size() {
      return young.size + old.size;
    },
  };
}

interface Held<Entry> {
  readonly credential: string;
  readonly entry: Entry;
}

function tailOf(credential: string): string {
  return credential.slice(-32);
}

/** The text once as the key and about once more as the claims made from it, besides the objects around them. */
function estimatedBytes(credential: string): number {
  return 2 * credential.length + 512;
}
