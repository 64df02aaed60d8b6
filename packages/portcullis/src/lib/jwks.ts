import type { JWK } from "jose";
import { isRecord } from "./compact-jws.ts";
import { readPublicJwk, type PublicJwk } from "./jwk.ts";
import { fixedKeys, importPublicJwk, staticKey, type JwtKeys, type KeyProblem } from "./jwt-keys.ts";
import type { RsaAlgorithm } from "./signing-algorithm.ts";

/** How a JSON Web Key Set is read. */
export interface JwksOptions {
  /** The algorithm of RSA keys that name none; default RS256. Keys of other types name theirs by themselves. */
  readonly rsaAlgorithm?: RsaAlgorithm;
}

/**
 * The issuer's public keys, given as a JSON Web Key Set. For keys that change, use `jwksUrl`.
 *
 * @see RFC 7517 section 5
 */
export function jwks(set: { readonly keys: readonly JWK[] }, options: JwksOptions = {}): JwtKeys {
  const read = readJwks(structuredClone(set), options);
  const { keys, refused } = typeof read === "string" ? { keys: [], refused: [read] } : read;
  return {
    kind: "jwks",
    problems: () => setProblems(keys, refused),
    describe: () => ({ kind: "jwks", keys: keys.map(({ kid, algorithm }) => ({ kid, algorithm })) }),
    build: () =>
      fixedKeys(
        keys.map(({ kid, algorithm, jwk }) => staticKey(algorithm, kid, () => importPublicJwk(jwk, algorithm))),
      ),
  };
}

/** What a set contains, as far as it concerns verifying. */
export interface ReadSet {
  readonly keys: readonly PublicJwk[];
  /** Why keys were refused that somebody should be told of, such as a secret in a public place. */
  readonly refused: readonly string[];
}

/** Most keys read of one set; no issuer has as many, and each costs an import. */
const KEYS_MAX = 64;

/**
 * Reads a key set. Keys for other uses are passed over, secrets and private keys are refused and reported; one bad key
 * does not take the others with it.
 *
 * @returns the keys, or why this is no key set
 */
export function readJwks(set: unknown, { rsaAlgorithm }: JwksOptions = {}): ReadSet | string {
  if (!isRecord(set) || !Array.isArray(set["keys"])) return "it is no JSON Web Key Set";
  if (set["keys"].length > KEYS_MAX) return `it has more than ${KEYS_MAX} keys`;
  const keys: PublicJwk[] = [];
  const refused: string[] = [];
  for (const entry of set["keys"]) {
    const namesNone = isRecord(entry) && entry["kty"] === "RSA" && entry["alg"] === undefined;
    const read = readPublicJwk(entry, namesNone ? rsaAlgorithm : undefined);
    if (!("why" in read)) keys.push(read);
    else if (!read.harmless) refused.push(read.why);
  }
  return { keys, refused };
}

function setProblems(keys: readonly PublicJwk[], refused: readonly string[]): readonly KeyProblem[] {
  const problems = refused.map((why) => ({
    problem: `a key of the set cannot be used: ${why}`,
    fix: "Take it out of the set; only public keys for signatures belong there.",
  }));
  if (keys.length > 0 || problems.length > 0) return problems;
  return [{ problem: "the key set has no key for signatures", fix: "Add the issuer's public signing key." }];
}
