import type { JWK } from "jose";
import { readJwks } from "./jwks.ts";
import { importPublicJwk, staticKey, type JwtKey, type JwtKeys, type KeySource } from "./jwt-keys.ts";

/** A key of the set that stands now; no longer, once the set is another without it. */
interface FollowedKey extends JwtKey {
  retired: boolean;
  /** The key as text: the same key in the next set keeps its entry and everything it proved. */
  readonly identity: string;
}

/**
 * Public keys that this process itself holds and changes, for an issuer that lives in it: a rotation counts from the
 * next token on, and what a removed key proved before is forgotten. For another process's keys, use `jwksUrl`.
 *
 * @param read  the keys that count now, asked at every use: it answers at once, from memory, and with the same list
 *   (`===`) as long as nothing changed. What cannot be used as a public key is passed over; throwing refuses with
 *   `verifier-unavailable` (503)
 * @see RFC 7517 section 5
 */
export function jwksFrom(read: () => readonly JWK[]): JwtKeys {
  return {
    kind: "jwks",
    problems: () => [],
    describe: () => ({ kind: "jwks", keys: "the issuer's own, in this process" }),
    build: () => follow(read),
  };
}

function follow(read: () => readonly JWK[]): KeySource {
  let seen: readonly JWK[] | undefined;
  let held: readonly FollowedKey[] = [];

  function keys(): readonly FollowedKey[] {
    const now = read();
    if (now === seen) return held;
    const set = readJwks({ keys: [...now] });
    const next = typeof set === "string" ? [] : set.keys.map((one) => keyOf(one, held));
    for (const key of held) if (!next.includes(key)) key.retired = true;
    held = next;
    seen = now;
    return held;
  }

  return {
    isCurrent() {
      try {
        return read() === seen;
      } catch {
        return false;
      }
    },
    keys() {
      try {
        return keys();
      } catch {
        return undefined;
      }
    },
    // Asked a moment ago, and nothing is fetched: there is nothing more to learn.
    lookAgain: () => "unchanged",
  };
}

type Read = Exclude<ReturnType<typeof readJwks>, string>["keys"][number];

function keyOf({ kid, algorithm, jwk }: Read, held: readonly FollowedKey[]): FollowedKey {
  const identity = JSON.stringify([kid, algorithm, jwk]);
  const known = held.find((key) => key.identity === identity);
  return known ?? { ...staticKey(algorithm, kid, () => importPublicJwk(jwk, algorithm)), identity };
}
