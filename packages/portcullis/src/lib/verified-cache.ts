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
 */
export function createVerifiedCache<Entry>(options: VerifiedCacheOptions = {}): VerifiedCache<Entry> {
  const halfEntries = (options.maxEntries ?? verifiedCacheDefaults.maxEntries) / 2;
  const halfBytes = (options.maxBytes ?? verifiedCacheDefaults.maxBytes) / 2;
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let youngBytes = 0;

  function set(credential: string, entry: Entry): void {
    const bytes = estimatedBytes(credential);
    if (young.size + 1 > halfEntries || youngBytes + bytes > halfBytes) {
      old = young;
      young = new Map();
      youngBytes = 0;
    }
    old.delete(credential);
    if (!young.has(credential)) youngBytes += bytes;
    young.set(credential, entry);
  }

  return {
    get(credential) {
      const lately = young.get(credential);
      if (lately !== undefined) return lately;
      const earlier = old.get(credential);
      if (earlier !== undefined) set(credential, earlier);
      return earlier;
    },
    set,
    delete(credential) {
      if (young.delete(credential)) youngBytes -= estimatedBytes(credential);
      old.delete(credential);
    },
    get size() {
      return young.size + old.size;
    },
  };
}

/** The text once as the key and about once more as the claims made from it, besides the objects around them. */
function estimatedBytes(credential: string): number {
  return 2 * credential.length + 512;
}
