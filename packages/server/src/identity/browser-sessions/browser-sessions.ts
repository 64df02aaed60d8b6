import { type Api, type Caller, type Credential, type Problem, session, StartRefused } from "portcullis";
import { type BrowserSessionRow, browserSessionStore } from "../../storage/browser-sessions.ts";
import type { Storage } from "../../storage/storage.ts";
import { addressProblems, sessionProblems } from "../demands.ts";
import { type Asker, type BrowserSessionEvent, createTeller } from "../events.ts";
import { isOrigin } from "../oauth/clients.ts";
import { startUpkeep } from "../upkeep.ts";
import { withoutVersion } from "../without-version.ts";
import type { BrowserSession } from "./browser-session.ts";
import { createRelyingParty, type IdClaims, type IssuerOptions } from "./relying-party.ts";
import { createRenewal, type Standing } from "./renewal.ts";
import { type ReturnPaths, returnPathsProblem } from "./return-paths.ts";
import { mountBrowserSessions, type SignedIn } from "./routes.ts";
import { type Kept, newSessionCookie, secretsOf, type SessionSecrets, sessionCookieName } from "./session-secrets.ts";
import type { SignInAt } from "./sign-in-at.ts";

export type { BrowserSession } from "./browser-session.ts";

/** How sessions last and where they lead. */
export interface BrowserSessionSettings {
  /** Paths of the app people may come back to after signing in; the first where none is asked for. */
  readonly returnTo: ReturnPaths;
  /**
   * Origin of the app where it is another than the one of these routes, on the same site: `https://app.example.com` beside
   * `https://api.example.com`. Name it in `createApi({ origins })` too. Default: the same.
   */
  readonly app?: string;
  /** Seconds without a request that end a session, 60 .. 2_592_000; default 28_800 (8 hours). */
  readonly idleSeconds?: number;
  /** Seconds after which people sign in again however busy they were, up to 34_560_000; default 604_800 (7 days). */
  readonly absoluteSeconds?: number;
}

/** Sessions of people who sign in at an issuer elsewhere. */
export interface BrowserSessionsOptions extends BrowserSessionSettings {
  /** Where these routes are, an https origin: `https://app.example.com`; the issuer knows `<origin>/auth/callback`. */
  readonly origin: string;
  readonly issuer: IssuerOptions;
  readonly storage: Storage;
  /** At least 32 random bytes, the same at every start and on every instance. */
  readonly secret: string | Uint8Array;
  readonly serviceName: string;
  /** Who owns things, where `sub` of the ID token is not what handlers know people by. */
  readonly subject?: (claims: IdClaims) => string;
  readonly fetch?: typeof fetch;
  readonly now?: () => number;
  readonly onError?: (error: unknown) => void;
  readonly onEvent?: (event: BrowserSessionEvent) => void;
}

/** Sessions of browsers; tokens stay on this side. */
export interface BrowserSessions {
  /** For `createApi({ credentials })`; looked up on every request. */
  readonly credential: Credential;
  /** Declares its routes on an API. */
  mount(api: Api): void;
  /** The session that proved a caller; undefined where something else did. */
  of(caller: Caller): BrowserSession | undefined;
  /** An access token of the caller's for calls to other APIs; never hand it to the browser. */
  accessToken(caller: Caller): string | undefined;
  /** The sessions a person has, the newest first. */
  list(subject: string): Promise<readonly BrowserSession[]>;
  /** Ends one session of a person. @returns false where there is none */
  end(subject: string, name: string, asker?: Asker): Promise<boolean>;
  /** Ends all sessions of a person. @param except  name of the one that stays @returns how many it ended */
  endAll(subject: string, except?: string): Promise<number>;
  /** Takes out what has ended or run out; done every minute by itself. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens sessions of people who sign in at any OpenID issuer.
 *
 * @throws StartRefused where the options make no sense, with all that is wrong
 */
export function openBrowserSessions(options: BrowserSessionsOptions): BrowserSessions {
  const { origin, issuer, secret } = options;
  const problems = [...settingsProblems(options)];
  const add = (field: string, problem: string, fix: string) =>
    problems.push({ where: "openBrowserSessions", field, problem, fix });
  if (!isOrigin(origin)) add("origin", `${origin} is no origin over https`, "Write scheme and host.");
  const { protocol, hostname } = URL.canParse(issuer.url) ? new URL(issuer.url) : { protocol: "", hostname: "" };
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && isLocal)) {
    add("issuer", `${issuer.url} is no address over https`, "Write it as the issuer's metadata spells it.");
  }
  if (Buffer.from(secret).length < 32) {
    add("secret", "it has fewer than 32 bytes", "Generate one and keep it: openssl rand -base64 48");
  }
  if (problems.length > 0) throw new StartRefused(problems);
  const now = options.now ?? Date.now;
  const party = createRelyingParty({
    ...issuer,
    redirectUri: `${origin}/auth/callback`,
    fetch: options.fetch ?? fetch,
    now,
  });
  const { onError = (error: unknown) => console.error(error) } = options;
  const teller = createTeller(options.onEvent, onError);
  const sessions = createBrowserSessions({ ...options, onError, tell: teller.tell }, { party });
  return {
    ...sessions,
    mount(api) {
      sessions.mount(api);
      teller.mount(api);
    },
  };
}

const defaults = { idleSeconds: 28_800, absoluteSeconds: 604_800 } as const;
const minute = 60_000;

/** The same for an issuer in this process, whose options were judged already. */
export function createBrowserSessions(
  options: Omit<BrowserSessionsOptions, "issuer" | "onEvent"> & {
    readonly onError: (error: unknown) => void;
    readonly tell: (event: BrowserSessionEvent) => void;
  },
  { party, own }: SignInAt,
): BrowserSessions {
  const { secret, now = Date.now, subject: subjectOf = ({ sub }) => sub } = options;
  const { idleSeconds = defaults.idleSeconds, absoluteSeconds = defaults.absoluteSeconds } = options;
  const { onError } = options;
  const store = browserSessionStore(options.storage, own?.grants);
  const idleMs = idleSeconds * 1000;
  const noteEveryMs = Math.min(minute, idleMs / 10);
  const { issuer } = party;
  const tell = (
    type: BrowserSessionEvent["type"],
    about: Pick<BrowserSessionEvent, "subject" | "why"> & { readonly request?: Asker | undefined },
  ): void => options.tell({ type, issuer, ...about });
  /** What a caller was proved by; the key is in the caller's claims and tells nothing itself. */
  const proved = new WeakMap<object, Standing & { readonly secrets: SessionSecrets }>();

  const renewal = createRenewal({
    store,
    party,
    now,
    onError,
    renewed: ({ subject }, request) => tell("session-renewed", { subject, request }),
    ended: ({ subject }, request) => tell("session-ended", { subject, why: "the issuer ended it", request }),
  });

  const checked = session({
    name: "browser sessions",
    cookies: [sessionCookieName],
    async resolve(cookies, request) {
      const secrets = secretsOf(cookies[sessionCookieName] ?? "", secret);
      if (secrets === undefined) return undefined;
      const found = await look(secrets);
      if (found === undefined) return undefined;
      const standing = own === undefined ? asSigned : await own.standing(found.row.subject, found.kept.tokens.access);
      if (standing === undefined) {
        await over(found, "the account or its grant ended", request);
        return undefined;
      }
      const fresh = await renewal.fresh(found, secrets, request);
      if (fresh === undefined) return undefined;
      const at = now();
      const { row } = fresh;
      const kept: Kept = { ...fresh.kept, claims: { ...fresh.kept.claims, ...standing.claims } };
      if (at - row.seen_at >= noteEveryMs) await store.touch(row.hash, at, Math.min(at + idleMs, row.expires_at));
      const handle = Object.freeze({ startedAt: row.created_at });
      proved.set(handle, { row, kept, secrets });
      return {
        subject: row.subject,
        scopes: kept.tokens.scope.split(" ").filter((scope) => scope !== ""),
        roles: standing.roles,
        claims: {
          ...(kept.claims.email === undefined ? {} : { email: kept.claims.email }),
          ...(kept.claims.email_verified === undefined ? {} : { email_verified: kept.claims.email_verified }),
          session: handle,
        },
      };
    },
  });
  // At the start it is told from callers of other issuers. Ids of our own accounts are nobody's to choose.
  const mapsSubject = own !== undefined || options.subject !== undefined;
  const credential: Credential = { ...checked, issuer, mapsSubject };

  async function look(secrets: SessionSecrets): Promise<Standing | undefined> {
    const row = await store.find(secrets.hash, now());
    if (row === undefined || row.issuer !== issuer) return undefined;
    const kept = secrets.open(row.sealed);
    return kept === undefined ? undefined : { row, kept };
  }

  async function over({ row }: Standing, why: string, request?: Asker): Promise<void> {
    if (await store.end(row.hash, now())) tell("session-ended", { subject: row.subject, why, request });
  }

  async function endAll(subject: string, request?: Asker, except?: string): Promise<number> {
    const ended = await store.endAll(issuer, subject, now(), except);
    if (ended > 0) tell("session-ended", { subject, why: `all of them: ${ended}`, request });
    return ended;
  }

  function provedBy(caller: Caller | undefined) {
    const handle = caller?.proof.kind === "sessions" ? caller.proof.claims["session"] : undefined;
    return typeof handle === "object" && handle !== null ? proved.get(handle) : undefined;
  }

  /** Of whichever issuer's they were: others may have theirs in the same tables, and no process any more. */
  const sweep = () =>
    store.sweep(now(), ({ issuer, subject, idle_expires_at, expires_at }) => {
      const why = idle_expires_at < expires_at ? "nobody used it" : "it was as old as it may be";
      options.tell({ type: "session-ended", issuer, subject, why });
    });
  // Where the issuer is in this process, its own upkeep does it.
  const upkeep = own === undefined ? startUpkeep([sweep], minute, onError) : undefined;

  return {
    credential,
    mount(given) {
      const api = withoutVersion(given);
      const where = "browser sessions";
      api.demand((around) => [
        // Of an issuer of ours it is the same, which says so itself.
        ...(own === undefined ? addressProblems(around, where, "origin", options.origin) : []),
        ...sessionProblems(around, where, credential, options.app),
      ]);
      mountBrowserSessions(api, {
        serviceName: options.serviceName,
        origin: options.origin,
        app: options.app ?? options.origin,
        returnTo: options.returnTo,
        secret,
        party,
        now,
        takeSignIn: (hash, expiresAt) => store.takeSignIn(hash, expiresAt),
        unreachable(error) {
          onError(error);
        },
        refused: (why, request) => tell("sign-in-refused", { why, request }),
        nameOf: (caller) => provedBy(caller)?.row.hash,
        of: (caller) => {
          const found = provedBy(caller);
          return found === undefined ? undefined : signedIn(found);
        },
        async start({ tokens, claims }, { instead, userAgent, request }) {
          const cookie = newSessionCookie();
          const secrets = secretsOf(cookie, secret);
          if (secrets === undefined) throw new Error("a new cookie is none");
          const subject = subjectOf(claims);
          if (subject === "") throw new Error("the subject is empty");
          const at = now();
          const { expiresAt, refresh } = tokens;
          const madeRoom = await store.insert({
            hash: secrets.hash,
            issuer,
            subject,
            sealed: secrets.seal({
              claims,
              tokens: {
                access: tokens.access,
                scope: tokens.scope,
                ...(expiresAt === undefined ? {} : { expiresAt }),
                ...(refresh === undefined ? {} : { refresh }),
              },
            }),
            created_at: at,
            idle_expires_at: at + Math.min(idleSeconds, absoluteSeconds) * 1000,
            expires_at: at + absoluteSeconds * 1000,
            user_agent: userAgent?.slice(0, 200) ?? null,
            issuer_session: own?.sessionOf(tokens.access) ?? null,
            grant_id: (await own?.grantOf(tokens)) ?? null,
          });
          for (let one = 0; one < madeRoom; one++) {
            tell("session-ended", { subject, why: "the oldest of more than a person may have", request });
          }
          const before = instead === undefined ? undefined : await store.end(instead, at, secrets.hash);
          if (before !== undefined) {
            const why = "another sign-in in the same browser took its place";
            tell("session-ended", { subject: before.subject, why, request });
          }
          tell("session-started", { subject, request });
          return { cookie, name: secrets.hash };
        },
        async renew(caller, request) {
          const found = provedBy(caller);
          if (found === undefined) return undefined;
          const fresh = await renewal.fresh(found, found.secrets, request, true);
          return fresh === undefined ? undefined : signedIn(fresh);
        },
        async end(caller, isEverywhere, request) {
          const found = provedBy(caller);
          if (found === undefined) return;
          // The row first: whatever fails after it, the cookie opens nothing any more.
          await over(found, isEverywhere ? "signed out everywhere" : "signed out", request);
          if (isEverywhere) {
            await endAll(found.row.subject, request);
            await own?.endEverything(found.row.subject, request);
          }
          const { refresh } = found.kept.tokens;
          if (refresh !== undefined) await party.revoke(refresh).catch(onError);
        },
        issuerCookie: own?.cookie,
      });
    },
    of(caller) {
      const found = provedBy(caller);
      return found === undefined ? undefined : shown(found.row);
    },
    accessToken: (caller) => provedBy(caller)?.kept.tokens.access,
    list: async (subject) => (await store.list(issuer, subject, now())).map(shown),
    async end(subject, name, request) {
      const sessions = await store.list(issuer, subject, now());
      if (!sessions.some(({ hash }) => hash === name) || !(await store.end(name, now()))) return false;
      tell("session-ended", { subject, why: "ended by name", request });
      return true;
    },
    endAll: (subject, except) => endAll(subject, undefined, except),
    sweep,
    close: async () => upkeep?.close(),
  };
}

/** Of an issuer elsewhere nothing more is known than what it signed. */
const asSigned = Object.freeze({ roles: Object.freeze([]), claims: Object.freeze({}) });

function signedIn({ row, kept: { claims } }: Standing): SignedIn {
  const { sub, email, email_verified } = claims;
  return {
    session: shown(row),
    claims: {
      sub,
      ...(email === undefined ? {} : { email }),
      ...(email_verified === undefined ? {} : { email_verified }),
    },
  };
}

function shown(row: BrowserSessionRow): BrowserSession {
  return {
    name: row.hash,
    subject: row.subject,
    startedAt: row.created_at,
    seenAt: row.seen_at,
    idleExpiresAt: row.idle_expires_at,
    expiresAt: row.expires_at,
    userAgent: row.user_agent ?? undefined,
  };
}

/** What is wrong with how sessions last and where they lead. */
export function settingsProblems(settings: BrowserSessionSettings): readonly Problem[] {
  const { app, returnTo, idleSeconds = defaults.idleSeconds, absoluteSeconds = defaults.absoluteSeconds } = settings;
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) =>
    problems.push({ where: "browser sessions", field, problem, fix });
  if (app !== undefined && !isOrigin(app)) add("app", `${app} is no origin over https`, "Write scheme and host.");
  const odd = returnPathsProblem(returnTo);
  if (odd !== undefined) add("returnTo", odd, 'Write paths of the app: ["/", "/notes/*"].');
  const isWhole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!isWhole(idleSeconds, 60, 2_592_000)) add("idleSeconds", `it is ${idleSeconds}`, "Write 60 to 2592000.");
  if (!isWhole(absoluteSeconds, idleSeconds, 34_560_000))
    add("absoluteSeconds", `it is ${absoluteSeconds}`, "Write at least idleSeconds and at most 34560000.");
  return problems;
}
