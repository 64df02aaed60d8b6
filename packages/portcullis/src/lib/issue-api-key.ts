import { runtime } from "#runtime";
import type { Environment } from "../environment.ts";
import { hashApiKey, pepperBytes, pepperMinBytes } from "./api-key-hash.ts";
import type { ApiKeyRecord, ApiKeyStore } from "./api-key-store.ts";
import { keyPartPattern, makeApiKey } from "./api-key-text.ts";
import { spellRate } from "../limits/rate.ts";
import { OptionsError } from "./options-error.ts";

/** Where a key belongs; the same values as given to `apiKeys()`. */
export interface ApiKeyPlace {
  readonly store: ApiKeyStore;
  /** The API's prefix, such as `prj`. */
  readonly prefix: string;
  /** The pepper of `apiKeys()`, where it has one. */
  readonly pepper?: string | Uint8Array;
}

/** What a new key may do and whose it is. */
export interface NewApiKey {
  /** Default `live`. */
  readonly environment?: string;
  /** The proved caller's subject. Never take it from a request: whoever names it becomes that caller. */
  readonly subject: string;
  readonly tenant?: string | undefined;
  /** No more than its creator has; what that is, the application decides. */
  readonly scopes: readonly string[];
  /** How often it may be used, one of `apiKeys({ rates })`, such as `60/min`; default no limit of its own. */
  readonly rate?: string | undefined;
  /** What the owner calls it, 1 .. 100 characters. */
  readonly name: string;
  /** Unix milliseconds; default never. */
  readonly expiresAt?: number | undefined;
}

/** A new key. The only moment at which `key` exists: show it once, keep it nowhere. */
export interface IssuedApiKey {
  readonly key: string;
  readonly record: ApiKeyRecord;
}

type KeyEnvironment = Pick<Environment, "clock" | "hashing" | "randomBytes">;

/**
 * Makes a key and keeps its record, which holds the key's hash and never the key; when it resolves, the record is safe.
 *
 * @param options      the key's place, owner and scopes; `environment` is `live` and `expiresAt` (Unix milliseconds)
 *   never unless said
 * @param environment  time, hashing and randomness; default the platform's
 * @throws OptionsError where a value is out of range: the prefix or environment (up to 16 of a-z and 0-9, a letter
 *   first), the subject (not empty), the name (1 .. 100 characters), the scopes (at most 100), the rate, `expiresAt` (in the future)
 *   or the pepper's length; and whatever the store's `insert` throws, and then nobody learns the key
 * @see RFC 6749 section 3.3 for scopes, OWASP API2:2023
 */
export async function issueApiKey(
  options: ApiKeyPlace & NewApiKey,
  environment: KeyEnvironment = platform,
): Promise<IssuedApiKey> {
  const issued = await makeKey(options, environment);
  await options.store.insert(issued.record);
  return issued;
}

/** Which key to rotate, and how. */
export interface RotateApiKey extends ApiKeyPlace {
  readonly id: string;
  /** The proved caller's subject; somebody else's key is as good as missing. */
  readonly subject: string;
  /** How long the old key still works, 0 .. 2_592_000 s (30 days); default 86_400 (a day). */
  readonly overlapSeconds?: number;
  /** When the new key expires, Unix milliseconds; default as long after now as the old one lived, or never. */
  readonly expiresAt?: number;
}

/**
 * Puts a new key in the place of an old one: same owner, scopes, rate, name and environment. The old one works until the
 * overlap is over. Of several rotations at once exactly one succeeds.
 *
 * @param options      `overlapSeconds`: default 86,400 (a day); `expiresAt` of the new key in Unix milliseconds: default
 *   as long after now as the old one lived
 * @param environment  time, hashing and randomness; default the platform's
 * @returns undefined where the caller has no such key or it is revoked, expired or was rotated before
 * @throws OptionsError where a value is out of range: `overlapSeconds` (a whole number, 0 .. 2,592,000), and those of
 *   {@link issueApiKey}; and whatever the store throws, and then nobody learns the new key
 * @see OWASP API2:2023
 */
export async function rotateApiKey(
  options: RotateApiKey,
  environment: KeyEnvironment = platform,
): Promise<IssuedApiKey | undefined> {
  const { store, prefix, pepper, id, subject, overlapSeconds = 86_400 } = options;
  if (!Number.isInteger(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > 2_592_000) {
    throw new OptionsError("overlapSeconds is out of range.", "Use a whole number from 0 to 2592000.");
  }
  const old = await store.find(id);
  if (old === undefined || !isOwner(old, subject)) return undefined;
  const now = environment.clock.now();
  const lifetime = old.expiresAt === undefined ? undefined : now + (old.expiresAt - old.createdAt);
  const issued = await makeKey(
    {
      store,
      prefix,
      ...(pepper !== undefined && { pepper }),
      environment: old.environment,
      subject: old.subject,
      tenant: old.tenant,
      scopes: old.scopes,
      rate: old.rate,
      name: old.name,
      expiresAt: options.expiresAt ?? lifetime,
    },
    environment,
  );
  const replaced = await store.rotate(id, issued.record, now + overlapSeconds * 1000);
  return replaced ? issued : undefined;
}

/**
 * Revokes a caller's own key. An administrator's revocation of anybody's key is `store.revoke`.
 *
 * @param options      `subject`: the proved caller's; somebody else's key is as good as missing
 * @param environment  tells the time; default the platform's
 * @returns false where the caller has no such key
 * @throws whatever the store throws; the key may then still work
 * @see OWASP API2:2023
 */
export async function revokeApiKey(
  options: { readonly store: ApiKeyStore; readonly id: string; readonly subject: string },
  environment: Pick<Environment, "clock"> = platform,
): Promise<boolean> {
  const record = await options.store.find(options.id);
  if (record === undefined || !isOwner(record, options.subject)) return false;
  return options.store.revoke(options.id, environment.clock.now());
}

const platform: KeyEnvironment = {
  clock: { now: () => Date.now(), monotonic: () => runtime.monotonic() },
  hashing: runtime.hashing,
  randomBytes: (count) => runtime.randomBytes(count),
};

/** Nobody owns a key by naming nobody. */
function isOwner(record: ApiKeyRecord, subject: string): boolean {
  return subject !== "" && record.subject === subject;
}

async function makeKey(options: ApiKeyPlace & NewApiKey, environment: KeyEnvironment): Promise<IssuedApiKey> {
  const { prefix, environment: deployment = "live", subject, tenant, scopes, rate, name, expiresAt } = options;
  const createdAt = environment.clock.now();
  if (!keyPartPattern.test(prefix) || !keyPartPattern.test(deployment)) {
    throw new OptionsError("the prefix or environment is no key part.", "Use up to 16 of a-z and 0-9, a letter first.");
  }
  if (subject === "") throw new OptionsError("a key needs an owner.", "Pass the proved caller's subject.");
  if (name === "" || name.length > 100)
    throw new OptionsError("the name is empty or too long.", "Use 1 to 100 characters.");
  if (!scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(scope)) || scopes.length > 100) {
    throw new OptionsError(
      "a scope has white space, a quote or a backslash in it.",
      "Use scopes as in RFC 6749 section 3.3.",
    );
  }
  if (expiresAt !== undefined && !(Number.isSafeInteger(expiresAt) && expiresAt > createdAt)) {
    throw new OptionsError("expiresAt is not in the future.", "Give Unix milliseconds, or leave it out.");
  }
  const pepper = pepperBytes(options.pepper);
  if (pepper !== undefined && pepper.length < pepperMinBytes) {
    throw new OptionsError("the pepper is too short.", `Use at least ${pepperMinBytes} random bytes.`);
  }
  const { key, id } = makeApiKey(prefix, deployment, environment.randomBytes);
  const record: ApiKeyRecord = {
    id,
    hash: await hashApiKey(environment.hashing, key, pepper),
    subject,
    tenant: tenant || undefined,
    scopes: [...scopes],
    rate: rate === undefined ? undefined : spellRate(rate),
    name,
    environment: deployment,
    displayPrefix: key.slice(0, 12),
    createdAt,
    expiresAt,
    revokedAt: undefined,
    lastUsedAt: undefined,
    replacedBy: undefined,
  };
  return { key, record };
}
