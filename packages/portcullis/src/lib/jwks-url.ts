import type { CryptoKey } from "jose";
import type { Environment } from "../environment.ts";
import { fetchBounded } from "./fetch-bounded.ts";
import type { PublicJwk } from "./jwk.ts";
import { readJwks, type JwksOptions } from "./jwks.ts";
import { importPublicJwk, type JwtKey, type JwtKeys, type KeyProblem, type KeySource } from "./jwt-keys.ts";
import { occasionalEvent } from "./occasional-event.ts";
import { readJson } from "./read-json.ts";
import { headerNames } from "./signing-algorithm.ts";
import { Unreadable } from "./unreadable.ts";

/** How a key set is fetched and kept. */
export interface JwksUrlOptions extends JwksOptions {
  /** How long a fetched set counts without being asked for again, 30 .. 3600 s; default 600. */
  readonly maxAgeSeconds?: number;
  /**
   * How much longer it counts while the origin cannot be reached, 0 .. 86_400 s; default 3600. Whoever can block the
   * fetch keeps a removed key alive for that long and no longer.
   */
  readonly staleSeconds?: number;
  /** At most one fetch for unknown keys in this time, 5 .. 3600 s; default 30. Bounds what forged tokens can cause. */
  readonly unknownKeySeconds?: number;
  /** For one fetch, headers and body, 100 .. 30_000 ms; default 5000. */
  readonly timeoutMs?: number;
}

/** The defaults of {@link JwksUrlOptions}. */
export const jwksUrlDefaults = Object.freeze({
  rsaAlgorithm: "RS256",
  maxAgeSeconds: 600,
  staleSeconds: 3_600,
  unknownKeySeconds: 30,
  timeoutMs: 5_000,
} as const);

/**
 * The issuer's public keys, fetched from its key set when the first token comes. One cache per URL and API: single
 * flight, 64 KiB at most, no redirect, https only (plain http to loopback). A new key is picked up with the first token
 * that names it; a removed one stops verifying, and what it proved before is forgotten; an outage is survived with the
 * keys at hand for `staleSeconds`, then nobody can say and requests are refused with 503.
 *
 * Set-up and import fetch nothing, and there are no timers: a refresh happens only because somebody came with a token.
 * Throws nothing: an address that is no URL, is not https or holds a password, and an option out of its range, stop the
 * start (`StartRefused`).
 *
 * @param url      address of the key set, whole
 * @param options  times in seconds and milliseconds as their names say; defaults in {@link jwksUrlDefaults}
 * @returns keys for `jwt()`; no key that fits is `bad-token` (401), an origin that cannot be asked is
 *   `verifier-unavailable` (503)
 * @see RFC 7517 section 5, RFC 8725 section 3.10
 */
export function jwksUrl(url: string, options: JwksUrlOptions = {}): JwtKeys {
  const settings: Settings = Object.freeze({ ...jwksUrlDefaults, ...options });
  return {
    kind: "jwks-url",
    problems: () => urlProblems(url, settings),
    describe: () => ({
      kind: "jwks-url",
      url,
      maxAgeSeconds: settings.maxAgeSeconds,
      staleSeconds: settings.staleSeconds,
    }),
    build: (environment) => cacheFor(environment, url, settings),
  };
}

type Settings = Required<JwksUrlOptions>;

const MAX_BYTES = 65_536;
const ACCEPT = "application/jwk-set+json, application/json";
const NEGATIVE_KIDS_MAX = 1_000;
/** How long a key id that the origin did not know is not asked for again; short, so that a slow roll-out is no outage. */
const NEGATIVE_KID_MS = 60_000;
const BACKOFF_MAX_MS = 30_000;

const caches = new WeakMap<Environment, Map<string, KeySource>>();

function cacheFor(environment: Environment, url: string, settings: Settings): KeySource {
  let ofEnvironment = caches.get(environment);
  if (ofEnvironment === undefined) caches.set(environment, (ofEnvironment = new Map<string, KeySource>()));
  const id = JSON.stringify([url, settings]);
  let cache = ofEnvironment.get(id);
  if (cache === undefined) ofEnvironment.set(id, (cache = createCache(environment, url, settings)));
  return cache;
}

interface CachedKey extends JwtKey {
  retired: boolean;
  /** The public key itself as text: the same key under the same id keeps its entry and everything it proved. */
  readonly identity: string;
}

function createCache(environment: Environment, url: string, settings: Settings): KeySource {
  const { clock } = environment;
  const maxAgeMs = settings.maxAgeSeconds * 1000;
  const staleMs = settings.staleSeconds * 1000;
  const unknownKeyMs = settings.unknownKeySeconds * 1000;
  const tellFailure = occasionalEvent(environment, "jwks-fetch-failed", "jwt", 30_000);
  const tellStale = occasionalEvent(environment, "jwks-stale", "jwt", 600_000);
  const tellUnknown = occasionalEvent(environment, "jwks-unknown-key", "jwt", 60_000);

  let held: readonly CachedKey[] = [];
  /** Counts changes of the set. */
  let version = 0;
  /** Monotonic start of the last fetch that succeeded. */
  let confirmedAt = Number.NEGATIVE_INFINITY;
  /** Fetches failed in a row. */
  let failures = 0;
  let nextTryAt = Number.NEGATIVE_INFINITY;
  let inFlight: Promise<boolean> | undefined;
  let nextLookAt = Number.NEGATIVE_INFINITY;
  const negativeKids = new Map<string, number>();

  /** One fetch at a time, however many wait for it. Resolves to whether it succeeded; never rejects. */
  function refresh(): Promise<boolean> {
    inFlight ??= attempt().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  async function attempt(): Promise<boolean> {
    const startedAt = clock.monotonic();
    try {
      const keys = await fetchKeys(environment, url, settings, held, tellFailure);
      for (const key of held) if (!keys.includes(key)) key.retired = true;
      if (keys.length !== held.length || keys.some((key) => !held.includes(key))) version++;
      held = keys;
      confirmedAt = startedAt;
      failures = 0;
      nextTryAt = Number.NEGATIVE_INFINITY;
      return true;
    } catch (cause) {
      failures++;
      // 1, 2, 4, 8, 16, then every 30 s: a short hiccup ends soon, a long outage is not hammered.
      nextTryAt = clock.monotonic() + Math.min(BACKOFF_MAX_MS, 1000 * 2 ** Math.min(failures - 1, 5));
      tellFailure(`${url}: ${cause instanceof Error ? cause.message : "fetch failed"}`);
      return false;
    }
  }

  function refreshInBackground(now: number): void {
    if (inFlight === undefined && now >= nextTryAt) void refresh();
  }

  function isCurrent(): boolean {
    const now = clock.monotonic();
    const age = now - confirmedAt;
    if (age < maxAgeMs) {
      if (age > maxAgeMs * 0.8) refreshInBackground(now);
      return true;
    }
    // Before the first failed try the answer is "ask"; during an outage everybody would wait for a timeout instead.
    if (failures === 0 || age >= maxAgeMs + staleMs) return false;
    refreshInBackground(now);
    tellStale(`${url}: keys are ${Math.round(age / 1000)} s old and the origin cannot be reached`);
    return true;
  }

  function remember(kid: string): void {
    if (negativeKids.size >= NEGATIVE_KIDS_MAX) {
      for (const oldest of negativeKids.keys()) {
        negativeKids.delete(oldest);
        break;
      }
    }
    negativeKids.set(kid, clock.monotonic() + NEGATIVE_KID_MS);
  }

  return {
    isCurrent,
    keys() {
      if (isCurrent()) return held;
      if (clock.monotonic() < nextTryAt) return undefined;
      return refresh().then(() => (isCurrent() ? held : undefined));
    },
    async lookAgain(kid) {
      tellUnknown(`${url}: no key matched a token`);
      const before = version;
      const now = clock.monotonic();
      if (kid !== undefined && (negativeKids.get(kid) ?? 0) > now) return "unchanged";
      if (inFlight === undefined) {
        if (now < nextTryAt) return "unavailable";
        if (now < nextLookAt) return failures === 0 ? "unchanged" : "unavailable";
        nextLookAt = now + unknownKeyMs;
      }
      if (!(await refresh())) return "unavailable";
      if (kid !== undefined && !held.some((key) => key.kid === kid)) remember(kid);
      return version === before ? "unchanged" : "changed";
    },
  };
}

/** @throws Error where the origin did not give a key set */
async function fetchKeys(
  environment: Environment,
  url: string,
  settings: Settings,
  held: readonly CachedKey[],
  tell: (reason: string) => void,
): Promise<readonly CachedKey[]> {
  const bytes = await fetchBounded(environment.fetch, url, ACCEPT, {
    timeoutMs: settings.timeoutMs,
    maxBytes: MAX_BYTES,
  });
  const json = readJson(bytes, { maxDepth: 8, maxKeys: 2_000 });
  if (json instanceof Unreadable) throw new Error(`the answer is not JSON: ${json.reason}`);
  const set = readJwks(json, settings);
  if (typeof set === "string") throw new Error(set);
  for (const why of set.refused) tell(`${url}: a key of the set is not used: ${why}`);

  const keys: CachedKey[] = [];
  for (const jwk of set.keys) {
    const identity = JSON.stringify([jwk.kid, jwk.algorithm, jwk.jwk]);
    const known = held.find((key) => key.identity === identity) ?? (await makeKey(jwk, identity));
    if (known === undefined) tell(`${url}: a key of the set is not used: it is not valid`);
    else if (!keys.includes(known)) keys.push(known);
  }
  return keys;
}

/** Imports at once, so that a key with a point off its curve is no key at all. */
async function makeKey({ kid, algorithm, jwk }: PublicJwk, identity: string): Promise<CachedKey | undefined> {
  let imported: CryptoKey;
  try {
    imported = await importPublicJwk(jwk, algorithm);
  } catch {
    return undefined;
  }
  return { kid, algorithms: headerNames(algorithm), retired: false, identity, material: async () => imported };
}

function urlProblems(url: string, settings: Settings): readonly KeyProblem[] {
  const problems: KeyProblem[] = [];
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) {
    problems.push({
      problem: "the key set's address is no URL",
      fix: 'Write it whole: jwksUrl("https://id.example.com/jwks.json").',
    });
  } else if (parsed.protocol !== "https:" && !(parsed.protocol === "http:" && isLoopback(parsed.hostname))) {
    problems.push({
      problem: "the key set is not fetched over https",
      fix: "Use https; plain http counts only on loopback.",
    });
  } else if (parsed.username !== "" || parsed.password !== "") {
    problems.push({ problem: "the key set's URL contains a password", fix: "Key sets are public: leave it out." });
  }
  for (const [field, least, most] of RANGES) {
    const value = settings[field];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    problems.push({
      problem: `jwksUrl's ${field} is out of range`,
      fix: `Use a whole number from ${least} to ${most}.`,
    });
  }
  return problems;
}

const RANGES = [
  ["maxAgeSeconds", 30, 3_600],
  ["staleSeconds", 0, 86_400],
  ["unknownKeySeconds", 5, 3_600],
  ["timeoutMs", 100, 30_000],
] as const;

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
