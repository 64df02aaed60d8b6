import { runtime } from "#runtime";
import type { JwtKey, KeySource } from "./jwt-keys.ts";

/** A key that verified a signature, and where it came from. */
export interface SigningKey {
  readonly key: JwtKey;
  readonly source: KeySource;
}

/**
 * Finds the configured key that verifies a token's signature.
 *
 * Keys named by the token's `kid` come first, then those without an id; without `kid`, all of the algorithm. At most
 * four of a source are tried, because each try costs a signature check. Where no key has the token's `kid`, every source
 * that answered is asked once more, within its budget: so a new key is picked up with the first token that names it.
 *
 * @param algorithm  the token's `alg`; only keys pinned to it are tried
 * @returns the key; `unavailable` where a source could not say; undefined where no key verifies it
 */
export async function findSigningKey(
  sources: readonly KeySource[],
  token: string,
  algorithm: string,
  kid: string | undefined,
): Promise<SigningKey | "unavailable" | undefined> {
  const tried = new Set<JwtKey>();
  const answering = new Set<KeySource>();
  let unavailable = false;
  let kidKnown = false;

  async function tryKeys(): Promise<SigningKey | undefined> {
    for (const source of sources) {
      const keys = await source.keys();
      if (keys === undefined) unavailable = true;
      else answering.add(source);
      if (kid !== undefined && keys?.some((key) => key.kid === kid)) kidKnown = true;
      for (const key of candidates(keys ?? [], tried, algorithm, kid)) {
        tried.add(key);
        const outcome = await verifySignature(token, key, algorithm);
        if (outcome === "holds") return { key, source };
        if (outcome === "undecided") unavailable = true;
      }
    }
    return undefined;
  }

  const found = await tryKeys();
  // A wrong signature under a known key id is simply forged; only an unknown id is a reason to look again.
  if (found !== undefined || kidKnown) return found ?? verdict();
  const looks = await Promise.all([...answering].map(async (source) => source.lookAgain(kid)));
  if (looks.includes("unavailable")) unavailable = true;
  return (looks.includes("changed") ? await tryKeys() : undefined) ?? verdict();

  function verdict(): "unavailable" | undefined {
    return unavailable ? "unavailable" : undefined;
  }
}

const CANDIDATES_MAX = 4;

function candidates(
  keys: readonly JwtKey[],
  tried: ReadonlySet<JwtKey>,
  algorithm: string,
  kid: string | undefined,
): readonly JwtKey[] {
  const fitting = keys.filter((key) => key.algorithms.includes(algorithm) && !tried.has(key));
  const wanted =
    kid === undefined
      ? fitting
      : [...fitting.filter((key) => key.kid === kid), ...fitting.filter((key) => key.kid === undefined)];
  return wanted.slice(0, CANDIDATES_MAX);
}

/** The key and its algorithm are ours; the token gets no choice of either. */
async function verifySignature(
  token: string,
  key: JwtKey,
  algorithm: string,
): Promise<"holds" | "fails" | "undecided"> {
  try {
    return (await runtime.verifySignature(token, await key.material(), algorithm)) ? "holds" : "fails";
  } catch {
    return "undecided";
  }
}
