import { randomUUID } from "node:crypto";
import { createLocalJWKSet, importJWK, jwtVerify, SignJWT } from "jose";
import type { Provider } from "oidc-provider";
import { type Api, type Credential, jwt, publicKey } from "portcullis";
import { accountStore } from "../storage/accounts.ts";
import { oidcPayloadStore } from "../storage/oidc-payloads.ts";
import { refreshTokenStore } from "../storage/refresh-tokens.ts";
import { revocationStore } from "../storage/revocations.ts";
import { signingKeyStore } from "../storage/signing-keys.ts";
import type { Storage } from "../storage/storage.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { isCommon } from "./breached.ts";
import { mailToConsole, type SendMail } from "./mail.ts";
import { createAdapter } from "./oauth/adapter.ts";
import { clientProblems, type ClientOptions } from "./oauth/clients.ts";
import { mountInteractions } from "./oauth/interactions.ts";
import { createProvider } from "./oauth/provider.ts";
import { type RefreshEvent, registerRefreshGrant } from "./oauth/refresh-grant.ts";
import { mountOAuth } from "./oauth/routes.ts";
import { openSigningKeys } from "./oauth/signing-keys.ts";
import { openRevocations, userEpoch } from "./revocations.ts";
import { hashOf } from "./secrets.ts";

export type { Account, Accounts } from "./accounts.ts";
export { mailToConsole, mailToFile } from "./mail.ts";
export type { Mail, SendMail } from "./mail.ts";
export type { ClientOptions } from "./oauth/clients.ts";

/** What the identity server is made of. */
export interface IdentityOptions {
  /** Its own address, an https origin: `https://api.example.com`. */
  readonly issuer: string;
  /** Shown to people. */
  readonly serviceName: string;
  readonly storage: Storage;
  /** At least 32 random bytes, the same at every start and on every instance; encrypts private keys at rest. */
  readonly secret: string | Uint8Array;
  readonly clients: readonly ClientOptions[];
  /** APIs that tokens are for, by their address, with the scopes each has. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  /** Default: printed, for development. */
  readonly sendMail?: SendMail;
  /** Whether a password is known from a breach. Default: a short list of the commonest. */
  readonly isBreached?: (password: string) => boolean | Promise<boolean>;
  readonly now?: () => number;
  readonly onError?: (error: unknown) => void;
  readonly onEvent?: (event: RefreshEvent) => void;
}

/** Accounts, OAuth and sessions behind one API. */
export interface Identity {
  readonly accounts: Accounts;
  /** For `createApi({ credentials })`: the access tokens this server issues for that resource. */
  tokensFor(resource: string): Credential;
  /** Declares its routes on an API; each goes through the gates as any other does. */
  mount(api: Api): void;
  close(): Promise<void>;
}

const minute = 60_000;
const day = 24 * 60 * minute;
const accessTokenSeconds = 15 * 60;

/**
 * Opens an identity server.
 *
 * @throws Error where the options make no sense, or the stored keys do not open with this secret
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { issuer, storage, clients, resources } = options;
  const now = options.now ?? Date.now;
  const onError = options.onError ?? ((error) => console.error(error));
  const problems = clientProblems(clients);
  if (problems.length > 0) throw new Error(problems.join("; "));

  const payloads = oidcPayloadStore(storage.db);
  const refreshTokens = refreshTokenStore(storage.db);
  const keys = await openSigningKeys({
    store: signingKeyStore(storage.db),
    secret: options.secret,
    algorithm: "EdDSA",
    lifetimes: { signsMs: 30 * day, announcedMs: 60 * minute, keptMs: 120 * minute },
    now,
  });

  const revocations = await openRevocations({
    store: revocationStore(storage.db, storage.pool),
    isAlone: storage.kind === "embedded",
    keepMs: accessTokenSeconds * 1000 + minute,
    now,
    monotonic: () => performance.now(),
    onError,
  });

  const accounts = createAccounts({
    store: accountStore(storage.db),
    sendMail: options.sendMail ?? mailToConsole(),
    isBreached: options.isBreached ?? isCommon,
    linkTo: (purpose, token) => `${issuer}/account/${purpose}/${token}`,
    serviceName: options.serviceName,
    now,
    onError,
    async ended(accountId, epoch) {
      await revocations.revoke({ kind: "user", value: userEpoch(accountId, epoch) });
      await refreshTokens.revokeByAccount(accountId, "signed out", now());
      await payloads.destroySessionsOf(accountId);
    },
  });

  const adapter = createAdapter({
    payloads,
    refreshTokens,
    client: () => Promise.resolve(undefined),
    now,
    refreshIdleMs: 14 * day,
    refreshAbsoluteMs: 90 * day,
  });
  const provider = makeProvider();

  function makeProvider(): Provider {
    const made = createProvider({
      issuer,
      adapter,
      keys,
      clients,
      resources,
      account: (id) => accounts.find(id),
      epoch: (id) => accounts.epochOf(id),
      accessTokenSeconds,
      sessionSeconds: (14 * day) / 1000,
      grantClaim,
      onError,
    });
    registerRefreshGrant(made, {
      store: refreshTokens,
      now,
      idleMs: 14 * day,
      replayMs: 10_000,
      replaysMost: 3,
      isAlive: async (id) => (await accounts.find(id))?.isDisabled === false,
      accessToken,
      onEvent: options.onEvent ?? (() => {}),
      async revoked(grantId) {
        await revocations.revoke({ kind: "grant", value: grantClaim(grantId) });
        await payloads.revokeByGrant(grantId);
      },
    });
    return made;
  }

  async function accessToken(claims: Parameters<Parameters<typeof registerRefreshGrant>[1]["accessToken"]>[0]) {
    const [key] = keys.all();
    if (key === undefined) throw new Error("there is no key to sign with");
    const seconds = Math.floor(now() / 1000);
    const token = await new SignJWT({
      client_id: claims.clientId,
      scope: claims.scope,
      grant: grantClaim(claims.grantId),
      epoch: await accounts.epochOf(claims.subject),
      ...(claims.sessionId === undefined ? {} : { sid: claims.sessionId }),
    })
      .setProtectedHeader({ alg: keys.algorithm, typ: "at+jwt", kid: key.kid })
      .setIssuer(issuer)
      .setSubject(claims.subject)
      .setAudience(claims.audience)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + accessTokenSeconds)
      .setJti(randomUUID())
      .sign(await importJWK(key, keys.algorithm));
    return { token, expiresIn: accessTokenSeconds };
  }

  /** @see RFC 7009 section 2.1: only the client it was issued to, and nothing is said where it is no token */
  async function revokeAccessToken(token: string, clientId: string): Promise<void> {
    const keySet = createLocalJWKSet({ keys: [...keys.published()] });
    const verified = await jwtVerify(token, keySet, { issuer, typ: "at+jwt" }).catch(() => undefined);
    const jti = verified?.payload.jti;
    if (jti !== undefined && verified?.payload["client_id"] === clientId)
      await revocations.revoke({ kind: "jti", value: jti });
  }

  return {
    accounts,
    tokensFor: (resource) =>
      jwt({
        name: `tokens for ${resource}`,
        issuer,
        audience: resource,
        typ: "at+jwt",
        keys: keys.published().map((key) => publicKey(key)),
        maxAgeSeconds: accessTokenSeconds,
        revocations: revocations.forTokens,
      }),
    mount(api) {
      mountOAuth(api, {
        issuer,
        provider: () => provider,
        keys,
        clients,
        scopes: [...new Set(Object.values(resources).flat())],
        revokeAccessToken,
      });
      mountInteractions(api, {
        serviceName: options.serviceName,
        accounts,
        clients,
        provider: () => provider,
        paths: { signUp: "/account/sign-up", forgotten: "/account/forgotten" },
      });
    },
    close: () => revocations.close(),
  };
}

/** Tells grants apart in tokens without telling their id. */
function grantClaim(grantId: string): string {
  return hashOf(grantId).slice(0, 22);
}
