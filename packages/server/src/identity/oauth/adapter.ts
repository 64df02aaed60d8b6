import { randomUUID } from "node:crypto";
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from "oidc-provider";
import { grantNamed, sessionNamed } from "../../storage/ended-names.ts";
import type { OidcPayloadStore, StoredPayload } from "../../storage/oidc-payloads.ts";
import type { RefreshTokenStore } from "../../storage/refresh-tokens.ts";
import { hashOf, seal, unseal } from "../secrets.ts";

/** What the adapter keeps things in. */
export interface AdapterOptions {
  readonly payloads: OidcPayloadStore;
  readonly refreshTokens: RefreshTokenStore;
  /** A grant is taken back: everything that was issued with it ends. */
  readonly grantEnded: (grantId: string, why: string) => Promise<void>;
  readonly now: () => number;
  /** How tokens name a session, by its uid, or a grant. */
  readonly nameInTokens: (id: string) => string;
  /** Whether a client may do what it does because a person allowed it. */
  readonly needsConsent: (clientId: string) => boolean;
  /** Milliseconds. */
  readonly refreshIdleMs: number;
  readonly refreshAbsoluteMs: number;
}

/** How long a code may be redeemed, milliseconds. @see OWASP ASVS 5.0 10.4.3 */
const codeForMs = 60_000;

/** How long a code is remembered, seconds, so that whoever redeems it again is noticed. @see RFC 6749 section 4.1.2 */
export const codeRememberedSeconds = 86_400;

/** How long a grant is kept that no refresh token follows from, seconds. */
export const grantSeconds = 3600;

/**
 * Storage for oidc-provider. Ids are secrets: their hashes alone are kept, and what belongs to them is encrypted under
 * them, so that who reads the tables gets no session, sign-in or code. Grants are no secrets, and looked for by account.
 * Refresh tokens begin a family in tables of their own, where our refresh grant takes over.
 */
export function createAdapter(options: AdapterOptions): AdapterFactory {
  return (model) => {
    if (model === "Client") return clientsAreConfigured;
    if (model === "RefreshToken") return refreshTokens(options);
    return payloads(model, options);
  };
}

/** What is kept as text, because it is looked for without its id. */
const readable: ReadonlySet<string> = new Set(["Grant"]);

function payloads(model: string, { payloads: store, now, grantEnded, nameInTokens }: AdapterOptions): Adapter {
  const purpose = `oidc ${model}`;

  function read(stored: StoredPayload | undefined, id: string): AdapterPayload | undefined {
    const at = now();
    if (stored === undefined || (stored.expires_at ?? Number.POSITIVE_INFINITY) <= at) return undefined;
    const { consumed_at, expires_at } = stored;
    if (model === "AuthorizationCode" && consumed_at === null) {
      const begun = (expires_at ?? 0) - codeRememberedSeconds * 1000;
      if (at - begun > codeForMs) return undefined;
    }
    const text = readable.has(model) ? stored.payload : unseal(stored.payload, id, purpose);
    if (text === undefined) return undefined;
    // Of a grant, whatever it said at first: it stays as long as what follows from it.
    const exp = model === "Grant" && expires_at !== null ? { exp: Math.floor(expires_at / 1000) } : {};
    return {
      ...parsed(text),
      ...exp,
      jti: id,
      ...(consumed_at === null ? {} : { consumed: Math.floor(consumed_at / 1000) }),
    };
  }

  return {
    async upsert(id, payload, expiresIn) {
      const session = model === "Session" && payload.uid !== undefined ? nameInTokens(payload.uid) : null;
      const row = {
        model,
        hash: hashOf(id),
        payload: readable.has(model)
          ? JSON.stringify(payload)
          : seal(JSON.stringify({ ...payload, jti: undefined }), id, purpose),
        // Its own, so that what follows from it finds it.
        grant_id: model === "Grant" ? id : (payload.grantId ?? null),
        account_id: payload.accountId ?? null,
        client_id: payload.clientId ?? null,
        expires_at: expiresIn === undefined ? null : now() + expiresIn * 1000,
        consumed_at: null,
        session_name: session,
      };
      // Those two are read, changed and written, and may have ended in between.
      if (model === "Grant") return store.upsert(row, grantNamed(nameInTokens(id)));
      return store.upsert(row, session === null ? undefined : sessionNamed(session));
    },
    find: async (id) => read(await store.find(model, hashOf(id)), id),
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    async consume(id) {
      if (await store.consume(model, hashOf(id), now())) return;
      // Find and consume are two steps in oidc-provider; who comes second here used it a second time.
      const grantId = (await store.find(model, hashOf(id)))?.grant_id;
      if (grantId !== undefined && grantId !== null) await grantEnded(grantId, "a code was used twice");
      throw new errors.InvalidGrant("it was used by another request at the same time");
    },
    destroy: (id) => store.destroy(model, hashOf(id)),
    async revokeByGrantId(grantId) {
      // oidc-provider asks each of its models; access tokens are among them whatever the client may do.
      if (model === "AccessToken") await grantEnded(grantId, "revoked");
    },
  };
}

function refreshTokens(options: AdapterOptions): Adapter {
  const { refreshTokens: store, now } = options;
  return {
    async upsert(id, payload) {
      const at = now();
      const { grantId = "", clientId = "" } = payload;
      const isBegun = await store.begin(
        {
          id: randomUUID(),
          grant_id: grantId,
          account_id: payload.accountId ?? "",
          client_id: clientId,
          session: payload.sessionUid === undefined ? null : options.nameInTokens(payload.sessionUid),
          created_at: at,
          expires_at: at + options.refreshAbsoluteMs,
        },
        {
          hash: hashOf(id),
          payload: JSON.stringify({ ...payload, jti: undefined }),
          idle_expires_at: at + Math.min(options.refreshIdleMs, options.refreshAbsoluteMs),
        },
        { grant: options.nameInTokens(grantId), needsConsent: options.needsConsent(clientId) },
      );
      if (!isBegun) throw new errors.InvalidGrant("what it was given under ended meanwhile");
    },
    /** For revocation (RFC 7009); the refresh grant looks itself. */
    async find(id) {
      const found = await store.find(hashOf(id));
      if (found === undefined || found.family.revoked_at !== null) return undefined;
      // Its own expiry is that of the first token of the family.
      const exp = Math.floor(found.family.expires_at / 1000);
      return { ...parsed(found.token.payload), jti: id, exp };
    },
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    consume: () => Promise.reject(new Error("refresh tokens change hands in the refresh grant alone")),
    // Both done with the grant, see above, in one step: of a family that ended alone, nobody could end the rest any more.
    destroy: () => Promise.resolve(),
    revokeByGrantId: () => Promise.resolve(),
  };
}

const never = () => Promise.reject(new Error("clients are configured"));
const clientsAreConfigured: Adapter = {
  find: () => Promise.resolve(undefined),
  upsert: never,
  findByUid: never,
  findByUserCode: never,
  consume: never,
  destroy: never,
  revokeByGrantId: never,
};

function parsed(text: string): AdapterPayload {
  const payload: AdapterPayload = JSON.parse(text);
  return payload;
}
