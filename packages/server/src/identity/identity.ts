import type { Provider } from "oidc-provider";
import { jwksFrom, jwt, StartRefused } from "portcullis";
import { accountStore } from "../storage/accounts.ts";
import { apiKeyStore } from "../storage/api-keys.ts";
import { browserSessionStore } from "../storage/browser-sessions.ts";
import { endEverything } from "../storage/everything.ts";
import { grantStore } from "../storage/grants.ts";
import { oidcPayloadStore } from "../storage/oidc-payloads.ts";
import { refreshTokenStore } from "../storage/refresh-tokens.ts";
import { revocationStore } from "../storage/revocations.ts";
import { settingStore } from "../storage/settings.ts";
import { signingKeyStore } from "../storage/signing-keys.ts";
import { mountAccountPages } from "./account/account.ts";
import { accountPaths } from "./account/paths.ts";
import { createAccounts, refusingWhenBusy } from "./accounts.ts";
import { isCommon } from "./breached.ts";
import { createKeys } from "./api-keys.ts";
import { addressProblems } from "./demands.ts";
import { type Asker, createTeller } from "./events.ts";
import type { Identity } from "./identity-server.ts";
import { tellLeftEvents } from "./left-events.ts";
import { offerKeys } from "./offered-keys.ts";
import { wordsOfService } from "./guessable-words.ts";
import { mountKeys } from "./key-routes.ts";
import { mailToConsole } from "./mail.ts";
import { createBrowserSessions } from "./browser-sessions/browser-sessions.ts";
import { browserClient, ownIssuer } from "./browser-sessions/own-issuer.ts";
import { browserSessionPaths } from "./browser-sessions/routes.ts";
import { createAccessTokens } from "./oauth/access-tokens.ts";
import { createAdapter } from "./oauth/adapter.ts";
import { createConsents } from "./oauth/consents.ts";
import { createFlowCookies } from "./oauth/flow-cookies.ts";
import { mountInteractions } from "./oauth/interactions.ts";
import { createOwnSessions } from "./oauth/own-sessions.ts";
import { createProvider } from "./oauth/provider.ts";
import { registerRefreshGrant } from "./oauth/refresh-grant.ts";
import { mountOAuth } from "./oauth/routes.ts";
import { openSigningKeys } from "./oauth/signing-keys.ts";
import { grantTakenBack, tellOfProvider } from "./oauth/telling.ts";
import { type IdentityOptions, optionProblems } from "./options.ts";
import { openRevocations } from "./revocations.ts";
import { hashOf } from "./secrets.ts";
import { startUpkeep } from "./upkeep.ts";
import { withoutVersion } from "./without-version.ts";

export type { Account, Accounts } from "./accounts.ts";
export { breachedByRange } from "./breached.ts";
export { openBrowserSessions } from "./browser-sessions/browser-sessions.ts";
export type {
  BrowserSession,
  BrowserSessions,
  BrowserSessionSettings,
  BrowserSessionsOptions,
} from "./browser-sessions/browser-sessions.ts";
export type { IdClaims, IssuerOptions } from "./browser-sessions/relying-party.ts";
export type { Key, KeyAsker, Keys, KeySettings, KeyToCreate, NewKey } from "./api-keys.ts";
export type { AccountEvent, Asker, BrowserSessionEvent, IdentityEvent, KeyEvent, OAuthEvent } from "./events.ts";
export type { Identity } from "./identity-server.ts";
export { mailToConsole, mailToFile } from "./mail.ts";
export type { Mail, SendMail } from "./mail.ts";
export type { ClientOptions } from "./oauth/clients.ts";
export type { IdentityOptions } from "./options.ts";
export type { Push } from "./push.ts";
export { redisPush } from "./redis-push.ts";
export type { RedisPushClient, RedisPushListener } from "./redis-push.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const accessTokenSeconds = 15 * 60;
/** Of a browser at this server itself; seconds. */
const ownLifetimes = { idle: day / 1000, absolute: (14 * day) / 1000 } as const;
/** How long the answer to a refresh may be asked for again. */
const replayMs = 10_000;

/**
 * Opens an identity server.
 *
 * @throws StartRefused where the options make no sense, with all that is wrong; Error where the stored keys do not open
 *   with this secret
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { issuer, storage, resources } = options;
  const now = options.now ?? Date.now;
  const onError = options.onError ?? ((error) => console.error(error));
  const problems = optionProblems(options);
  if (problems.length > 0) throw new StartRefused(problems);
  const [[resource, resourceScopes] = ["", []]] = Object.entries(resources);
  const ofBrowsers = browserClient(issuer, options.serviceName, resourceScopes, options.secret);
  const clients = options.browserSessions === undefined ? options.clients : [...options.clients, ofBrowsers];

  const offeredScopes = new Set(Object.values(resources).flat());
  const teller = createTeller(options.onEvent, onError);
  const { tell } = teller;

  const payloads = oidcPayloadStore(storage);
  const refreshTokens = refreshTokenStore(storage);
  const browserRows = browserSessionStore(storage);
  const keyStore = signingKeyStore(storage.db);
  const keys = await openSigningKeys({
    store: keyStore,
    secret: options.secret,
    algorithm: options.tokenAlgorithm ?? "EdDSA",
    lifetimes: { signsMs: 30 * day, announcedMs: 60 * minute, keptMs: 120 * minute },
    now,
  });

  // Whose clock is behind keeps a token alive for longer, and forgets later what was taken back.
  const keepMs = accessTokenSeconds * 1000 + 2 * minute;
  const revocationRows = revocationStore(storage, storage.pool);
  const revocations = await openRevocations({
    store: revocationRows,
    isAlone: storage.kind === "embedded",
    push: options.push,
    keepMs,
    now,
    monotonic: () => performance.now(),
    onError,
  });
  const takingBack = { revoked: revocations.noted, keepMs, now };
  const accountRows = accountStore(storage, takingBack);
  const grantEnds = { ...takingBack, hashOf, nameInTokens };
  const grants = grantStore(storage, grantEnds);

  const accessTokens = createAccessTokens({
    issuer,
    keys,
    revocations,
    nameInTokens,
    seconds: accessTokenSeconds,
    tell,
    now,
  });

  const accounts = createAccounts({
    store: accountRows,
    sendMail: options.sendMail ?? mailToConsole(),
    isBreached: options.isBreached ?? isCommon,
    guessableWords: wordsOfService(options.serviceName, issuer, options.guessableWords),
    linkTo: (purpose, token) => `${issuer}/account/${purpose}/${token}`,
    serviceName: options.serviceName,
    now,
    onError,
    onEvent: tell,
    // None of it opens anything by now: it carries the epoch that is over.
    async ended(accountId) {
      await refreshTokens.revokeByAccount(accountId, "signed out", now());
      await payloads.destroySessionsOf(accountId);
      await sessions?.endAll(accountId);
    },
    keysEnded(accountId, keys) {
      const why = "the address was claimed by its owner";
      for (const key of keys) tell({ type: "key-revoked", subject: accountId, key, why });
    },
  });

  const adapter = createAdapter({
    payloads,
    refreshTokens,
    async grantEnded(grantId, why) {
      const grant = await payloads.find("Grant", hashOf(grantId));
      await grants.end(grantId, why);
      tell(grantTakenBack(grant?.account_id ?? undefined, grant?.client_id ?? undefined));
    },
    now,
    nameInTokens,
    needsConsent: (id) => !clients.some((client) => client.id === id && client.isFirstParty === true),
    refreshIdleMs: 14 * day,
    refreshAbsoluteMs: 90 * day,
  });
  const consents = createConsents(payloads, () => provider, now);
  const flowCookies = createFlowCookies(options.secret, now);
  const leaveSession = (accountId: string, uid: string) => payloads.destroySession(accountId, nameInTokens(uid), now());
  const ownSessions = createOwnSessions({
    provider: () => provider,
    accounts,
    endSession: grants.endSession,
    leave: leaveSession,
    idle: ownLifetimes.idle,
    absolute: ownLifetimes.absolute,
    now,
  });
  let provider = makeProvider();

  function makeProvider(): Provider {
    const made = createProvider({
      issuer,
      adapter,
      keys,
      clients,
      resources,
      account: standing,
      consents,
      lifetimes: {
        accessToken: accessTokenSeconds,
        sessionIdle: ownLifetimes.idle,
        sessionAbsolute: ownLifetimes.absolute,
        refreshAbsolute: (90 * day) / 1000,
      },
      grantClaim: nameInTokens,
      sessionClaim: nameInTokens,
      onError,
    });
    registerRefreshGrant(made, {
      store: refreshTokens,
      now,
      idleMs: 14 * day,
      replayMs,
      replaysMost: 3,
      concurrentMs: 5_000,
      concurrentMost: 100,
      epochOf: async (id) => (await standing(id))?.epoch,
      accessToken: accessTokens.issue,
      onEvent: tell,
      endGrant: grants.end,
      scopesOf: (resource) => (Object.hasOwn(resources, resource) ? resources[resource] : undefined),
    });
    tellOfProvider(made, tell);
    return made;
  }

  async function withdraw(accountId: string, clientId: string, request?: Asker): Promise<void> {
    const about = { subject: accountId, client: clientId, request };
    const ended = await grants.withdraw(accountId, clientId);
    tell({ type: "consent-withdrawn", ...about });
    for (const key of ended) tell({ type: "key-revoked", ...about, key, why: "the application was withdrawn" });
  }

  const sessions =
    options.browserSessions === undefined
      ? undefined
      : createBrowserSessions(
          { ...options, ...options.browserSessions, origin: issuer, now, onError, tell },
          ownIssuer({
            issuer,
            client: ofBrowsers,
            resource,
            provider: () => provider,
            keys,
            revocations: revocations.forTokens,
            account: (id) => accounts.find(id),
            grantOf: async (refresh) => (await refreshTokens.find(hashOf(refresh)))?.family.grant_id,
            grants: grantEnds,
            endOwnSession: ownSessions.end,
            signedIn: ownSessions.accountOf,
            endEverything: async (id, asker) => void (await accounts.signOutEverywhere(id, asker)),
            now,
          }),
        );

  /** Address, epoch and whether it may be signed in, from one look: of two, one might be from before a change. */
  async function standing(id: string) {
    const row = await accountRows.find(id);
    if (row === undefined || row.disabled_at !== null) return undefined;
    return { id, email: row.email, isVerified: row.verified_at !== null, epoch: row.epoch };
  }

  let ofProvider = keys.all();
  /** However far it comes: the provider signs with the keys there are, and with no others. */
  const followKeys = () =>
    keys.refresh().finally(() => {
      if (keys.all() !== ofProvider) provider = makeProvider();
      ofProvider = keys.all();
    });

  const keyRows = apiKeyStore(storage, { ...takingBack, generation: revocations.generation });
  const apiKeysOf =
    options.keys === undefined
      ? undefined
      : createKeys({
          settings: options.keys,
          store: keyRows,
          scopes: offeredScopes,
          mayCall: async (id) => (await standing(id)) !== undefined,
          isClient: (id) => clients.some((client) => client.id === id),
          tell,
          now,
          monotonic: () => performance.now(),
        });

  const ranOut = (subject: string) => tell({ type: "issuer-session-ended", issuer, subject, why: "it ran out" });
  /** Each a job of its own: what fails in one piles up there, and nowhere else. */
  const sweeps = [
    () => keyRows.sweep(now() - 90 * day),
    () => payloads.sweep(now(), ranOut),
    () => accountRows.sweep(now()),
    () => refreshTokens.sweep(now(), now() - 2 * replayMs),
    () => revocationRows.sweep(now()),
    () => keyStore.sweep(now()),
    async () => sessions?.sweep(),
  ];

  // What commands on this store need to make keys that this server takes.
  await offerKeys(settingStore(storage.db), options.keys, offeredScopes, clients);

  async function tellLeft(): Promise<void> {
    if (teller.isHeard()) await tellLeftEvents(storage, tell, onError);
  }

  const upkeep = startUpkeep([followKeys, tellLeft, ...sweeps], minute, onError);

  return {
    accounts,
    origins: [...new Set(clients.flatMap(({ origins = [] }) => origins))],
    tokensFor(resource) {
      if (!Object.hasOwn(resources, resource)) throw new Error(`${resource} is none of the resources`);
      const verified = jwt({
        name: `tokens for ${resource}`,
        issuer,
        audience: resource,
        typ: "at+jwt",
        keys: jwksFrom(() => keys.published()),
        maxAgeSeconds: accessTokenSeconds,
        revocations: revocations.forTokens,
      });
      // Ids of accounts and clients here are told from any other issuer's by what those are mapped to.
      return { ...verified, mapsSubject: true };
    },
    sessions() {
      if (sessions === undefined) {
        throw new Error(
          'openIdentity was given no browserSessions: say where people come back to, { returnTo: ["/"] }',
        );
      }
      return sessions;
    },
    mount(given) {
      const api = withoutVersion(given);
      api.demand((around) => addressProblems(around, "openIdentity", "issuer", issuer));
      sessions?.mount(api);
      mountOAuth(api, {
        issuer,
        provider: () => provider,
        keys,
        flowCookies,
        clients,
        scopes: [...offeredScopes],
        revokeAccessToken: accessTokens.revoke,
      });
      if (apiKeysOf !== undefined && options.keys !== undefined) {
        mountKeys(api, { keys: apiKeysOf, settings: options.keys, scopes: offeredScopes, issuer });
      }
      const inRoutes = refusingWhenBusy(accounts);
      mountInteractions(api, {
        serviceName: options.serviceName,
        accounts: inRoutes,
        clients,
        provider: () => provider,
        consents,
        flowCookies,
        leaveSession,
        issuer,
        tell,
        paths: accountPaths,
      });
      mountAccountPages(api, {
        serviceName: options.serviceName,
        accounts: inRoutes,
        sessions: ownSessions,
        beginsAt: sessions === undefined ? accountPaths.signIn : browserSessionPaths.signIn,
        flowCookies,
        clients,
        keys: apiKeysOf,
        async endBrowser(accountId, session, held = "", asker) {
          const row = await browserRows.find(session, now());
          if (row?.subject !== accountId || row.issuer !== issuer) return;
          // First what would begin it again without a password. Where that cannot be told any more, it may be any other.
          const began = row.issuer_session;
          const isEnded = began !== null && (await payloads.destroySession(accountId, began, now()));
          if (!isEnded) await payloads.destroyOtherSessions(accountId, hashOf(held), now());
          await sessions?.end(accountId, session, asker);
        },
        withdraw,
        allowed: (accountId) => consents.allowedBy(accountId),
        sessionOf: (caller) => sessions?.of(caller)?.name,
        issuer,
        tell,
      });
      teller.mount(api);
    },
    keys() {
      if (apiKeysOf === undefined) throw new Error("openIdentity was given no keys: name a prefix, keys: { prefix }");
      return apiKeysOf;
    },
    withdraw,
    async endEverything() {
      await endEverything(storage, takingBack, issuer);
      tell({ type: "everything-ended" });
    },
    upkeep: upkeep.now,
    async close() {
      await upkeep.close();
      await revocations.close();
    },
  };
}

/** Tells grants and sessions apart in tokens without telling their id. */
function nameInTokens(id: string): string {
  return hashOf(id).slice(0, 22);
}
