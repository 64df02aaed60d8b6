import type { Caller } from "../caller.ts";
import type { Carrier, Credential, CredentialVerifier } from "../credential.ts";
import type { Environment, Problem } from "../environment.ts";
import { hashApiKey, pepperBytes, pepperMinBytes } from "../lib/api-key-hash.ts";
import type { ApiKeyRecord, ApiKeyStore } from "../lib/api-key-store.ts";
import { keyPartPattern, readApiKey } from "../lib/api-key-text.ts";
import type { RateText } from "../limits/rate.ts";
import { equalConstantTime } from "../lib/constant-time.ts";
import { intern } from "../lib/intern.ts";
import { isPromise, type MaybePromise } from "../lib/maybe-promise.ts";
import { occasionalEvent } from "../lib/occasional-event.ts";
import { OptionsError } from "../lib/options-error.ts";
import { isToken } from "../lib/token.ts";
import { createVerifiedCache, verifiedCacheDefaults, type VerifiedCacheOptions } from "../lib/verified-cache.ts";
import { Refusal } from "../refusal.ts";

/** Which API keys an API accepts. */
export interface ApiKeysOptions {
  /** First part of every key, up to 16 of a-z and 0-9, a letter first; such as `prj`. */
  readonly prefix: string;
  /** Second part: the deployments this API serves; default `live` and `test`. */
  readonly environments?: readonly string[];
  /** Where the records are. */
  readonly store: ApiKeyStore;
  /** Keys travel in this header and nowhere else, such as `x-api-key`. Default: in `Authorization: Bearer` and nowhere else. */
  readonly header?: string;
  /**
   * How often single keys may be used, such as `["60/min", "1000/h"]`: a record names one of them, and every use counts
   * against it besides the caller's limits. A record that names another is refused with 503. Default: none.
   */
  readonly rates?: readonly RateText[];
  /** Keys the stored hashes; at least 32 random bytes, kept apart from the store. Default: none. */
  readonly pepper?: string | Uint8Array;
  /**
   * Takes over keys of another format that were given out before: finds the record's id and the text that was hashed.
   * Undefined where it is no such key. Such keys have to be as random as ours (OWASP ASVS 5.0 6.5.2: 112 bits).
   */
  readonly parse?: (key: string) => { readonly id: string; readonly secret: string } | undefined;
  /**
   * How long a key that was revoked elsewhere may still pass where the store cannot tell (see `generation`),
   * 0 .. 60 s; default 1. With the memory and the embedded store a revocation by the same process counts at once.
   */
  readonly revocationSeconds?: number;
  /** Distinct among an API's credentials; default `api-keys`. */
  readonly name?: string;
  /** Bounds of the cache of verified keys. */
  readonly cache?: VerifiedCacheOptions;
}

/** The defaults of {@link ApiKeysOptions}. */
export const apiKeysDefaults = Object.freeze({
  environments: Object.freeze(["live", "test"]),
  revocationSeconds: 1,
  name: "api-keys",
  cache: verifiedCacheDefaults,
});

/**
 * Accepts API keys made by `issueApiKey`. A wrong checksum is refused without asking the store; an unknown id and a wrong
 * secret take the same way, do the same work and get the same answer. Revoked, expired and foreign keys are refused. The
 * caller is whoever created the key.
 *
 * @returns a credential for `createApi`; refuses with `bad-api-key` (401), or `verifier-unavailable` (503) where the
 *   store could not answer
 * @see OWASP ASVS 5.0 section 6.5, RFC 6750 section 3 (401 answers)
 */
export function apiKeys(options: ApiKeysOptions): Credential {
  const { prefix, header, name = apiKeysDefaults.name } = options;
  const environments: ReadonlySet<string> = new Set(options.environments ?? apiKeysDefaults.environments);
  const revocationSeconds = options.revocationSeconds ?? apiKeysDefaults.revocationSeconds;
  const pepper = pepperBytes(options.pepper);
  const cache = { ...apiKeysDefaults.cache, ...options.cache };
  const carrier: Carrier =
    header === undefined ? { in: "authorization" } : { in: "header", header: header.toLowerCase() };
  const settings: Settings = { ...options, name, environments, revocationSeconds, pepper, cache, carrier };
  return {
    protection: "api-keys",
    name,
    carrier,
    issuer: undefined,
    mapsSubject: false,
    rates: options.rates ?? [],
    problems: () => optionProblems(settings),
    describe: () => ({
      prefix,
      environments: [...environments],
      carrier,
      revocationSeconds,
      ...((options.rates ?? []).length === 0 ? {} : { rates: options.rates }),
      peppered: pepper !== undefined,
      takesOverOtherKeys: options.parse !== undefined,
    }),
    build(environment) {
      const [problem] = optionProblems(settings);
      if (problem !== undefined) throw new OptionsError(`${problem.where}: ${problem.problem}.`, problem.fix);
      return createVerifier(settings, environment);
    },
  };
}

interface Settings extends Pick<ApiKeysOptions, "prefix" | "store" | "parse"> {
  readonly name: string;
  readonly environments: ReadonlySet<string>;
  readonly carrier: Carrier;
  readonly pepper: Uint8Array | undefined;
  readonly revocationSeconds: number;
  readonly cache: Required<VerifiedCacheOptions>;
}

/** A key that was proved, and how long that may be believed. */
interface Entry {
  readonly caller: Caller;
  readonly id: string;
  readonly expiresAt: number | undefined;
  /** The store's generation before the record was read. */
  readonly generation: number | undefined;
  /** Monotonic time before the record was read. */
  readonly readAt: number;
  /** Wall clock of the last use that was noted. */
  notedAt: number;
}

function createVerifier(settings: Settings, environment: Environment): CredentialVerifier {
  const { prefix, environments, store, parse, pepper } = settings;
  const { clock, hashing } = environment;
  const believedMs = settings.revocationSeconds * 1000;
  const refused = refusals(settings.carrier);
  const cache = createVerifiedCache<Entry>(settings.cache);
  const tellNoteFailed = occasionalEvent(environment, "api-key-last-use-failed", "api-keys", NOTE_USE_EVERY_MS);

  function read(key: string): { readonly id: string; readonly secret: string } | undefined {
    const own = readApiKey(key, prefix);
    if (own !== undefined) return environments.has(own.environment) ? { id: own.id, secret: key } : undefined;
    return parse?.(key);
  }

  function look(key: string, id: string, secret: string, again: boolean): MaybePromise<Caller | Refusal> {
    // Both stamps are taken before the store is read: whatever is revoked from here on makes them worthless.
    const generation = generationOf(store);
    const readAt = clock.monotonic();
    const hash = hashApiKey(hashing, secret, pepper);
    const found = store.find(id);
    const decide = (record: ApiKeyRecord | undefined, presented: Uint8Array): MaybePromise<Caller | Refusal> => {
      const entry = judge(record, presented, id, generation, readAt);
      if (entry instanceof Refusal) return entry;
      if (generationOf(store) !== generation) {
        // Something was revoked while this was read, perhaps this very key. Read once more; never remember it.
        return again ? look(key, id, secret, false) : entry.caller;
      }
      noteUse(entry);
      cache.set(key, entry);
      return entry.caller;
    };
    if (!isPromise(found) && !isPromise(hash)) return decide(found, hash);
    return Promise.all([found, hash]).then(([record, presented]) => decide(record, presented));
  }

  function judge(
    record: ApiKeyRecord | undefined,
    presented: Uint8Array,
    id: string,
    generation: number | undefined,
    readAt: number,
  ): Entry | Refusal {
    const same = equalConstantTime(presented, record?.hash ?? NO_HASH);
    if (record === undefined || !same) return refused("no such key");
    if (record.revokedAt !== undefined) return refused("revoked");
    if (record.expiresAt !== undefined && record.expiresAt <= clock.now()) return refused("expired");
    if (record.subject === "") return undecided("the key's record has no subject");
    return {
      caller: callerOf(record),
      id,
      expiresAt: record.expiresAt,
      generation,
      readAt,
      notedAt: record.lastUsedAt ?? Number.NEGATIVE_INFINITY,
    };
  }

  /** Once a minute and key, in the background: the request neither waits for it nor fails with it. */
  function noteUse(entry: Entry): void {
    const now = clock.now();
    if (now - entry.notedAt < NOTE_USE_EVERY_MS) return;
    entry.notedAt = now;
    try {
      const noted = store.touch(entry.id, now);
      if (isPromise(noted))
        Promise.resolve(noted).catch(() => tellNoteFailed("the last use of a key could not be noted"));
    } catch {
      tellNoteFailed("the last use of a key could not be noted");
    }
  }

  return {
    recognises(value) {
      return value.startsWith(`${prefix}_`) || tryParse(parse, value);
    },
    cached(value) {
      const entry = cache.get(value);
      if (entry === undefined) return undefined;
      if (entry.expiresAt !== undefined && entry.expiresAt <= clock.now()) {
        cache.delete(value);
        return undefined;
      }
      const generation = generationOf(store);
      const believed =
        generation === undefined ? clock.monotonic() - entry.readAt < believedMs : generation === entry.generation;
      if (!believed) return undefined;
      noteUse(entry);
      return entry.caller;
    },
    verify(value) {
      try {
        const key = read(value);
        if (key === undefined) return refused("malformed, or the checksum is wrong");
        const outcome = look(value, key.id, key.secret, true);
        return isPromise(outcome) ? outcome.catch(unreachable) : outcome;
      } catch (cause) {
        return unreachable(cause);
      }
    },
  };
}

function callerOf(record: ApiKeyRecord): Caller {
  return Object.freeze({
    subject: record.subject,
    tenant: record.tenant || undefined,
    scopes: Object.freeze(record.scopes.map(intern)),
    roles: NO_ROLES,
    proof: Object.freeze({
      kind: "api-keys",
      issuer: undefined,
      credentialId: record.id,
      ...(record.rate === undefined ? {} : { rate: record.rate }),
      ambient: false,
      claims: Object.freeze({ name: record.name, environment: record.environment }),
    }),
  });
}

/** A store that cannot even say its generation is believed as little as one that does not know it. */
function generationOf(store: ApiKeyStore): number | undefined {
  try {
    return store.generation();
  } catch {
    return undefined;
  }
}

function tryParse(parse: ApiKeysOptions["parse"], value: string): boolean {
  try {
    return parse?.(value) !== undefined;
  } catch {
    return false;
  }
}

function refusals(carrier: Carrier): (reason: string) => Refusal {
  // A key in a header of its own has no errors of its own either: it is challenged as if none had been sent.
  if (carrier.in !== "authorization") return (reason) => new Refusal("bad-api-key", reason);
  const headers: readonly string[] = Object.freeze(["www-authenticate", 'Bearer error="invalid_token"']);
  return (reason) => new Refusal("bad-api-key", reason, { headers });
}

function undecided(reason: string, cause?: unknown): Refusal {
  return new Refusal("verifier-unavailable", reason, { cause });
}

function unreachable(cause: unknown): Refusal {
  return undecided("the key store could not answer", cause);
}

const NOTE_USE_EVERY_MS = 60_000;
const NO_ROLES: readonly string[] = Object.freeze([]);
/** Stands in for the hash of a key that does not exist, so that both cases do the same work. Nothing hashes to it. */
const NO_HASH = new Uint8Array(32);

/** Headers that already mean something else to browsers, proxies or us. */
const TAKEN_HEADERS: ReadonlySet<string> = new Set(
  "authorization proxy-authorization cookie host origin referer forwarded content-type content-length connection".split(
    " ",
  ),
);

function optionProblems(settings: Settings): readonly Problem[] {
  const { name, prefix, environments, carrier, pepper, revocationSeconds, cache } = settings;
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) => problems.push({ where: name, field, problem, fix });

  if (!keyPartPattern.test(prefix)) {
    add("prefix", "the prefix is missing or malformed", "Use up to 16 of a-z and 0-9, a letter first, such as prj.");
  }
  if (environments.size === 0 || [...environments].some((one) => !keyPartPattern.test(one))) {
    add("environments", "an environment is missing or malformed", "Use up to 16 of a-z and 0-9, a letter first.");
  }
  if (typeof settings.store?.find !== "function") {
    add("store", "there is no store", "Use embeddedKeyStore(...), or memoryKeyStore() for tests.");
  }
  if (carrier.in === "header" && (!isToken(carrier.header) || TAKEN_HEADERS.has(carrier.header))) {
    add(
      "header",
      "the header is malformed or means something else",
      "Use one of your own, such as x-api-key, or leave it out.",
    );
  }
  if (pepper !== undefined && pepper.length < pepperMinBytes) {
    add("pepper", "the pepper is too short", "Generate one with: openssl rand -base64 48");
  }
  if (!(revocationSeconds >= 0 && revocationSeconds <= 60)) {
    add("revocationSeconds", "revocationSeconds is out of range", "Use 0 to 60; 1 is the default.");
  }
  if (!isWhole(cache.maxEntries, 2, 1_000_000) || !isWhole(cache.maxBytes, 65_536, 2 ** 30)) {
    add("cache", "a bound of the cache is out of range", "Use 2 to 1000000 entries and 65536 to 1073741824 bytes.");
  }
  if (name === "") add("name", "the name is empty", "Leave it out, or name the credential.");
  return problems;
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
