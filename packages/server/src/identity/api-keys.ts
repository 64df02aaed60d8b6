import { createHash, createHmac, randomBytes } from "node:crypto";
import {
  type ApiKeyRecord,
  apiKeys,
  type Credential,
  issueApiKey,
  OptionsError,
  type Problem,
  type RateText,
  revokeApiKey,
  rotateApiKey,
} from "portcullis";
import { isAccountId } from "../storage/account-ids.ts";
import type { SqlApiKeyStore, StoredKey, TokenOrigin } from "../storage/api-keys.ts";
import type { Asker, KeyEvent } from "./events.ts";

/** API keys of an identity server. */
export interface KeySettings {
  /** First part of every key, up to 16 of a-z and 0-9, a letter first; leaked keys are found by it. */
  readonly prefix: string;
  /** How often single keys may be used, such as `["60/min", "1000/h"]`: a key has one of them or none. Default: none. */
  readonly rates?: readonly RateText[];
  /**
   * Most keys that work, per owner, 1 .. 1000; default 100. With those that were rotated and work for their overlap still,
   * it may be twice as many.
   */
  readonly most?: number;
  /** Scopes of whoever may see and change his keys; they have to be some resource's. Default `keys:read`, `keys:write`. */
  readonly scopes?: { readonly read: string; readonly write: string };
  /** Keys the stored hashes; at least 32 random bytes, kept apart from the store. Default: none, SHA-256. */
  readonly pepper?: string | Uint8Array;
}

/** A key as its owner sees it; never the key. Times are Unix milliseconds. */
export interface Key {
  readonly id: string;
  /** Subject of whoever made it. */
  readonly owner: string;
  readonly tenant: string | undefined;
  readonly name: string;
  /** First 12 characters, to tell keys apart. */
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly rate: string | undefined;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  /** To the minute. */
  readonly lastUsedAt: number | undefined;
  /** Id of the key that took its place. */
  readonly replacedBy: string | undefined;
  /** Id of the application whose token asked for it; it ends when the owner takes the application's permission back. */
  readonly client: string | undefined;
}

/** A new key. The only moment at which `key` exists: show it once, keep it nowhere. */
export interface NewKey extends Key {
  readonly key: string;
}

/** What a new key is for. */
export interface KeyToCreate {
  /** Whose it is and who calls with it: an account's id, or a client's. Never take it from a request. */
  readonly owner: string;
  readonly tenant?: string | undefined;
  /** 1 .. 100 characters. */
  readonly name: string;
  /** No more than whoever asks for it has; the routes see to that, a program has to. */
  readonly scopes: readonly string[];
  /** One of `KeySettings.rates`. */
  readonly rate?: string | undefined;
  /** Unix milliseconds; default never. */
  readonly expiresAt?: number | undefined;
}

/** Who asks for a key: the request, and the application whose token came with it, where one did. */
export interface KeyAsker extends TokenOrigin {
  /** Undefined where a program of the service does it by itself. */
  readonly request?: Asker | undefined;
  readonly client?: string | undefined;
}

/** API keys, for programs of this process. */
export interface Keys {
  /** For `createApi({ credentials })`: who calls with a key is its owner, with the key's scopes. */
  readonly credential: Credential;
  /**
   * @returns undefined where the owner has as many as he may, or what the asking token follows from was taken back meanwhile
   * @throws OptionsError as `issueApiKey`, and where no resource has a scope, or no such rate is offered
   */
  create(key: KeyToCreate, asker?: KeyAsker): Promise<NewKey | undefined>;
  /** Those that still work, newest first. */
  list(owner: string): Promise<readonly Key[]>;
  /** One that still works. */
  find(id: string): Promise<Key | undefined>;
  /**
   * Puts a new key in the place of one, which works for another `overlapSeconds` (default a day, at most 30).
   *
   * @returns undefined where the owner has no such key, it was revoked, has expired or was rotated before, or too many still
   *   work that were rotated
   */
  rotate(id: string, owner: string, overlapSeconds?: number, asker?: KeyAsker): Promise<NewKey | undefined>;
  /** When it resolves, this instance refuses the key, and the others are being told. @returns false where there is none */
  revoke(id: string, owner: string, asker?: KeyAsker): Promise<boolean>;
}

/** What they are made of. */
export interface KeysOptions {
  readonly settings: KeySettings;
  readonly store: SqlApiKeyStore;
  /** All that a key may be for. */
  readonly scopes: ReadonlySet<string>;
  /** Whether the account with this id may call; undefined where there is none. */
  readonly mayCall: (accountId: string) => Promise<boolean>;
  /** Whether there is such an application still. */
  readonly isClient: (id: string) => boolean;
  readonly tell: (event: KeyEvent) => void;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/**
 * Makes them. A key of an account that is disabled or gone is refused as if it were revoked, and works again when the
 * account does.
 *
 * @see OWASP ASVS 5.0 7.4.2
 */
export function createKeys(options: KeysOptions): Keys {
  const { settings, store, scopes, now, mayCall, isClient, tell } = options;
  const { prefix, most = keysDefaults.most, rates = [], pepper } = settings;
  const withPepper = pepper === undefined ? {} : { pepper };
  const environment = { clock: { now, monotonic: options.monotonic }, hashing, randomBytes };

  /** The right of its owner, and of the application that asked for it, is looked at whenever the key is. */
  const verifying = {
    ...store,
    async find(id: string): Promise<ApiKeyRecord | undefined> {
      const record = await store.find(id);
      if (record === undefined || (await mayBeUsed(record))) return record;
      return { ...record, revokedAt: record.revokedAt ?? now() };
    },
  };

  async function mayBeUsed({ subject, clientId }: StoredKey): Promise<boolean> {
    if (clientId !== undefined && !isClient(clientId)) return false;
    return !isAccountId(subject) || mayCall(subject);
  }

  const works = (record: ApiKeyRecord): boolean =>
    record.revokedAt === undefined && (record.expiresAt === undefined || record.expiresAt > now());

  return {
    credential: apiKeys({
      prefix,
      environments: [environmentName],
      store: verifying,
      rates,
      ...withPepper,
    }),
    async create({ owner, ...key }, asker) {
      const unknown = key.scopes.find((scope) => !scopes.has(scope));
      if (unknown !== undefined) {
        throw new OptionsError(`no resource has the scope ${unknown}.`, `Use some of: ${[...scopes].join(", ")}.`);
      }
      if (key.rate !== undefined && !rates.some((rate) => rate === key.rate)) {
        const fix = rates.length === 0 ? "Leave it out: none is offered." : `Use one of: ${rates.join(", ")}.`;
        throw new OptionsError(`the rate ${key.rate} is not offered.`, fix);
      }
      let isWithin = true;
      const insert = async (record: ApiKeyRecord): Promise<void> => {
        isWithin = await store.insertWithin({ ...record, clientId: asker?.client }, most, asker);
      };
      const within = { ...store, insert };
      const { key: text, record } = await issueApiKey(
        { ...key, ...withPepper, subject: owner, environment: environmentName, prefix, store: within },
        environment,
      );
      if (!isWithin) return undefined;
      tell({ type: "key-created", subject: owner, key: record.id, ...by(asker) });
      return { ...keyOf({ ...record, clientId: asker?.client }), key: text };
    },
    async list(owner) {
      return (await store.listWorking(owner, now())).map(keyOf);
    },
    async find(id) {
      const record = await store.find(id);
      return record === undefined || !works(record) ? undefined : keyOf(record);
    },
    async rotate(id, owner, overlapSeconds, asker) {
      // Whoever rotates it knows the new one, so that it ends with whoever that is.
      const rotate = (old: string, successor: ApiKeyRecord, oldExpiresAt: number) =>
        store.rotate(old, { ...successor, clientId: asker?.client }, oldExpiresAt, asker, 2 * most);
      const issued = await rotateApiKey(
        {
          store: { ...store, rotate },
          prefix,
          ...withPepper,
          id,
          subject: owner,
          ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
        },
        environment,
      );
      if (issued === undefined) return undefined;
      tell({ type: "key-rotated", subject: owner, key: issued.record.id, ...by(asker), why: `in place of ${id}` });
      return { ...keyOf({ ...issued.record, clientId: asker?.client }), key: issued.key };
    },
    async revoke(id, owner, asker) {
      const before = await store.find(id);
      if (!(await revokeApiKey({ store, id, subject: owner }, environment))) return false;
      if (before?.revokedAt === undefined) tell({ type: "key-revoked", subject: owner, key: id, ...by(asker) });
      return true;
    },
  };
}

/** The defaults of {@link KeySettings}. */
export const keysDefaults = Object.freeze({
  most: 100,
  scopes: Object.freeze({ read: "keys:read", write: "keys:write" }),
});

/** What is wrong with the settings; any of it stops the start. @param scopes  those the resources have */
export function keyProblems(settings: KeySettings, scopes: ReadonlySet<string>): readonly Problem[] {
  const { most = keysDefaults.most, scopes: own = keysDefaults.scopes } = settings;
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) =>
    problems.push({ where: "openIdentity", field: `keys.${field}`, problem, fix });
  if (!/^[a-z][a-z0-9]{0,15}$/.test(settings.prefix)) {
    add("prefix", "it is no key part", "Use up to 16 of a-z and 0-9, a letter first, such as prj.");
  }
  if (!Number.isInteger(most) || most < 1 || most > 1000) add("most", "it is out of range", "Use 1 to 1000.");
  for (const scope of [own.read, own.write]) {
    if (!scopes.has(scope)) add("scopes", `no resource has ${scope}`, "Name it among the scopes of a resource.");
  }
  return problems;
}

/** One deployment, one store. */
const environmentName = "live";

function by({ client, request }: KeyAsker = {}) {
  return { ...(client === undefined ? {} : { client }), request };
}

function keyOf(record: StoredKey): Key {
  return {
    id: record.id,
    owner: record.subject,
    tenant: record.tenant,
    name: record.name,
    prefix: record.displayPrefix,
    scopes: record.scopes,
    rate: record.rate,
    createdAt: record.createdAt,
    expiresAt: record.expiresAt,
    lastUsedAt: record.lastUsedAt,
    replacedBy: record.replacedBy,
    client: record.clientId,
  };
}

const hashing = {
  sha256: (data: Uint8Array) => createHash("sha256").update(data).digest(),
  hmacSha256: (key: Uint8Array, data: Uint8Array) => createHmac("sha256", key).update(data).digest(),
  hmacSha512: (key: Uint8Array, data: Uint8Array) => createHmac("sha512", key).update(data).digest(),
};
