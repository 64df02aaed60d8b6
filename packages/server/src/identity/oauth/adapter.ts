import { randomUUID } from "node:crypto";
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from "oidc-provider";
import type { OidcPayloadStore, StoredPayload } from "../../storage/oidc-payloads.ts";
import type { RefreshTokenStore } from "../../storage/refresh-tokens.ts";
import { hashOf } from "../secrets.ts";

/** What the adapter keeps things in. */
export interface AdapterOptions {
  readonly payloads: OidcPayloadStore;
  readonly refreshTokens: RefreshTokenStore;
  /** Metadata of a client, as RFC 7591 names it; undefined where there is none. */
  readonly client: (id: string) => Promise<AdapterPayload | undefined>;
  readonly now: () => number;
  /** Milliseconds. */
  readonly refreshIdleMs: number;
  readonly refreshAbsoluteMs: number;
}

/**
 * Storage for oidc-provider. Ids are secrets, so only their hashes are kept, and the payload is kept without them.
 * Refresh tokens begin a family in tables of their own, where our refresh grant takes over.
 */
export function createAdapter(options: AdapterOptions): AdapterFactory {
  return (model) => {
    if (model === "Client") return clientsOnly(options);
    if (model === "RefreshToken") return refreshTokens(options);
    return payloads(model, options);
  };
}

function payloads(model: string, { payloads: store, now }: AdapterOptions): Adapter {
  return {
    async upsert(id, payload, expiresIn) {
      await store.upsert({
        model,
        hash: hashOf(id),
        payload: withoutId(payload),
        grant_id: payload.grantId ?? null,
        uid: payload.uid === undefined ? null : payload.uid,
        account_id: accountOf(payload),
        expires_at: expiresIn === undefined ? null : now() + expiresIn * 1000,
        consumed_at: null,
      });
    },
    find: async (id) => read(await store.find(model, hashOf(id)), id, now()),
    findByUid: async (uid) => read(await store.findByUid(model, uid), undefined, now()),
    findByUserCode: () => Promise.resolve(undefined),
    async consume(id) {
      const won = await store.consume(model, hashOf(id), now());
      // Find and consume are two steps in oidc-provider; who comes second here has lost. RFC 6749 section 4.1.2
      if (!won) throw new errors.InvalidGrant("it was used by another request at the same time");
    },
    destroy: (id) => store.destroy(model, hashOf(id)),
    revokeByGrantId: (grantId) => store.revokeByGrant(grantId),
  };
}

function refreshTokens(options: AdapterOptions): Adapter {
  const { refreshTokens: store, now } = options;
  return {
    async upsert(id, payload) {
      const at = now();
      await store.begin(
        {
          id: randomUUID(),
          grant_id: payload.grantId ?? "",
          account_id: payload.accountId ?? "",
          client_id: payload.clientId ?? "",
          created_at: at,
          expires_at: at + options.refreshAbsoluteMs,
          revoked_at: null,
          revoked_why: null,
        },
        {
          hash: hashOf(id),
          payload: withoutId(payload),
          idle_expires_at: Math.min(at + options.refreshIdleMs, at + options.refreshAbsoluteMs),
        },
      );
    },
    /** For revocation (RFC 7009); the refresh grant looks itself. */
    async find(id) {
      const found = await store.find(hashOf(id));
      if (found === undefined || found.family.revoked_at !== null) return undefined;
      return { ...parsed(found.token.payload), jti: id };
    },
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    consume: () => Promise.reject(new Error("refresh tokens change hands in the refresh grant alone")),
    async destroy(id) {
      const found = await store.find(hashOf(id));
      if (found !== undefined) await store.revokeFamily(found.family.id, "revoked", now());
    },
    async revokeByGrantId(grantId) {
      await store.revokeByGrant(grantId, "grant revoked", now());
    },
  };
}

function clientsOnly({ client }: AdapterOptions): Adapter {
  const never = () => Promise.reject(new Error("clients are configured"));
  return {
    find: client,
    upsert: never,
    findByUid: never,
    findByUserCode: never,
    consume: never,
    destroy: never,
    revokeByGrantId: never,
  };
}

/** The id is the secret; a session's own uid is none. */
function withoutId(payload: AdapterPayload): string {
  return JSON.stringify({ ...payload, jti: undefined });
}

function read(stored: StoredPayload | undefined, id: string | undefined, now: number): AdapterPayload | undefined {
  if (stored === undefined || (stored.expires_at !== null && stored.expires_at <= now)) return undefined;
  const { consumed_at } = stored;
  return {
    ...parsed(stored.payload),
    ...(id === undefined ? {} : { jti: id }),
    ...(consumed_at === null ? {} : { consumed: Math.floor(consumed_at / 1000) }),
  };
}

function parsed(text: string): AdapterPayload {
  const payload: AdapterPayload = JSON.parse(text);
  return payload;
}

function accountOf(payload: AdapterPayload): string | null {
  return payload.accountId ?? null;
}
