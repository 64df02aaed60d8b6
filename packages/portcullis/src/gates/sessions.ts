import type { Caller } from "../caller.ts";
import type { AskedBy, Credential, CredentialVerifier } from "../credential.ts";
import type { Environment, Problem } from "../environment.ts";
import { isPromise, type MaybePromise } from "../lib/maybe-promise.ts";
import { OptionsError } from "../lib/options-error.ts";
import { isToken } from "../lib/token.ts";
import { Refusal } from "../refusal.ts";

/** Who the application's own check found behind the cookies. */
export interface SessionCaller {
  /** Who owns things; never empty. */
  readonly subject: string;
  readonly tenant?: string | null | undefined;
  readonly scopes?: readonly string[];
  readonly roles?: readonly string[];
  /** What handlers need besides; given to them as `caller.proof.claims`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** How cookies become a caller. */
export interface SessionOptions {
  /** Names of the cookies the check reads; no other cookie is handed to it. */
  readonly cookies: readonly string[];
  /**
   * The application's own check, asked on every request. It gets the named cookies that were sent and says who that is;
   * null or undefined where it is nobody. Throwing means "could not decide" and refuses the request. `request` is for
   * records of what the check does besides, such as renewing a session.
   */
  readonly resolve: (
    cookies: Readonly<Record<string, string>>,
    request?: AskedBy,
  ) => MaybePromise<SessionCaller | null | undefined>;
  /** Distinct among an API's credentials; default `sessions`. */
  readonly name?: string;
  /**
   * Accepts cookie names without `__Host-`: anybody on a sibling host can set them in the browser, those without
   * `__Secure-` also whoever writes into plain http. The reason is kept in the manifest.
   */
  readonly dangerouslyUnprefixedCookie?: string;
  /**
   * Leaves a cookie that proves nobody in the browser; it counts as absent all the same. For cookies that whoever set
   * them renews, with a refresh token for example. Default false: such a cookie is cleared.
   */
  readonly keepBadCookie?: boolean;
}

/**
 * Accepts a session cookie: the caller is whoever `resolve` says. Nothing is cached, so a session that ends is over with
 * the next request. The browser attaches cookies by itself, so the csrf gate applies to every such caller.
 *
 * @returns a credential for `createApi`; refuses with `bad-credential` (401) where the check knows nobody, and with
 *   `verifier-unavailable` (503) where it throws or answers nonsense
 * @see OWASP ASVS 5.0 sections 3.3 and 7.2, RFC 6265bis section 4.1.3 (cookie name prefixes)
 */
export function session(options: SessionOptions): Credential {
  const { resolve, name = "sessions" } = options;
  return issuedSession({
    ...options,
    name,
    problems: () => [
      ...(typeof resolve === "function" ? [] : [{ where: name, ...NO_RESOLVE }]),
      ...siblingProblems(name, options),
    ],
    resolver: () => resolve,
  });
}

/** What a check behind cookies may say: who it is, nobody, or a refusal with its own reason. */
export type Resolved = SessionCaller | Refusal | null | undefined;

/** A session as another library makes it: its check needs the API's clock or network, and it may name an issuer. */
export interface IssuedSessionOptions extends Omit<SessionOptions, "resolve" | "name"> {
  readonly name: string;
  /** Tells its subjects from those of other issuers. Default: none. */
  readonly issuer?: string;
  /** True where subjects are told apart already. Default false. */
  readonly mapsSubject?: boolean;
  /** What else stops the start. Default: nothing. */
  readonly problems?: () => readonly Problem[];
  /** What else the manifest says. Default: nothing. */
  readonly describe?: () => Readonly<Record<string, unknown>>;
  /** Makes the check once, when the API starts. */
  readonly resolver: (
    environment: Environment,
  ) => (cookies: Readonly<Record<string, string>>, request?: AskedBy) => MaybePromise<Resolved>;
}

/** The general form of {@link session}, which the presets for other libraries' sessions are made of. */
export function issuedSession(options: IssuedSessionOptions): Credential {
  const { name, issuer, dangerouslyUnprefixedCookie, keepBadCookie = false } = options;
  const cookies: readonly string[] = Object.freeze([...options.cookies]);
  const problems = () => [...optionProblems(name, cookies, options), ...(options.problems?.() ?? [])];
  return {
    protection: "sessions",
    name,
    carrier: { in: "cookie", cookies, kept: keepBadCookie },
    issuer,
    mapsSubject: options.mapsSubject ?? false,
    problems,
    describe: () => ({
      cookies: [...cookies],
      ...(issuer !== undefined && { issuer }),
      ...(dangerouslyUnprefixedCookie && { dangerouslyUnprefixedCookie }),
      ...options.describe?.(),
    }),
    build(environment) {
      const [problem] = problems();
      if (problem !== undefined) throw new OptionsError(`${problem.where}: ${problem.problem}.`, problem.fix);
      return createVerifier(cookies, options.resolver(environment), issuer);
    },
  };
}

function createVerifier(
  names: readonly string[],
  resolve: ReturnType<IssuedSessionOptions["resolver"]>,
  issuer: string | undefined,
): CredentialVerifier {
  const callerOf = (found: Resolved): Caller | Refusal =>
    found instanceof Refusal ? found : sessionCaller(found, issuer);
  return {
    // Cookies never travel in Authorization, so nothing there is for us.
    recognises: () => false,
    cached: () => undefined,
    verify(value, request) {
      const cookies = readNamed(value, names);
      if (cookies === undefined)
        return new Refusal("bad-credential", "a session cookie is missing, malformed or there twice");
      try {
        const found = resolve(cookies, request);
        return isPromise(found) ? Promise.resolve(found).then(callerOf).catch(undecided) : callerOf(found);
      } catch (cause) {
        return undecided(cause);
      }
    },
  };
}

/** The named cookies that were sent, at least one; undefined where there is none or the text has no single reading. */
function readNamed(text: string, names: readonly string[]): Readonly<Record<string, string>> | undefined {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of text.split("; ")) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, equals);
    if (equals < 1 || name in cookies) return undefined;
    if (names.includes(name)) cookies[name] = pair.slice(equals + 1);
  }
  return Object.keys(cookies).length === 0 ? undefined : Object.freeze(cookies);
}

/** What the check said, held to its type: a resolver is the application's, and not every one is checked by a compiler. */
function sessionCaller(found: SessionCaller | null | undefined, issuer: string | undefined): Caller | Refusal {
  if (found === null || found === undefined || found.subject === "") {
    return new Refusal("bad-credential", "the session is nobody's");
  }
  const { subject, tenant, scopes = NONE, roles = NONE, claims = NO_CLAIMS }: SessionCaller = found;
  if (typeof subject !== "string" || !isTextList(scopes) || !isTextList(roles)) return nonsense();
  if (typeof tenant !== "string" && tenant !== null && tenant !== undefined) return nonsense();
  if (typeof claims !== "object" || claims === null) return nonsense();
  return Object.freeze({
    subject,
    tenant: tenant || undefined,
    scopes: Object.freeze([...scopes]),
    roles: Object.freeze([...roles]),
    proof: Object.freeze({
      kind: "sessions",
      issuer,
      credentialId: undefined,
      ambient: true,
      claims: Object.freeze({ ...claims }),
    }),
  });
}

const NO_RESOLVE = Object.freeze({
  field: "resolve",
  problem: "there is no resolve",
  fix: "Give the function that checks a session.",
});
const NONE: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function nonsense(): Refusal {
  return new Refusal("verifier-unavailable", "resolve answered something that is no caller");
}

function undecided(cause: unknown): Refusal {
  return new Refusal("verifier-unavailable", "resolve threw", { cause });
}

/** Whose own cookie it is can name it __Host-; __Secure- keeps plain http out and a sibling host not. */
function siblingProblems(name: string, options: SessionOptions): readonly Problem[] {
  const settable = options.cookies.find((cookie) => /^__Secure-./.test(cookie));
  if (settable === undefined || options.dangerouslyUnprefixedCookie !== undefined) return [];
  return [
    {
      where: name,
      field: "cookies",
      problem: `a sibling host can set the cookie ${settable} for your users`,
      fix: `Name it __Host-${settable.slice("__Secure-".length)}, or give dangerouslyUnprefixedCookie a reason.`,
    },
  ];
}

function optionProblems(name: string, cookies: readonly string[], options: IssuedSessionOptions): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) => problems.push({ where: name, field, problem, fix });
  const reason = options.dangerouslyUnprefixedCookie;

  if (cookies.length === 0 || new Set(cookies).size !== cookies.length || !cookies.every(isToken)) {
    add(
      "cookies",
      "no cookie is named, or one is malformed or there twice",
      'Name the session cookie: ["__Host-session"].',
    );
  }
  const unprefixed = cookies.find((cookie) => !/^__(Host|Secure)-./.test(cookie));
  if (unprefixed !== undefined && reason === undefined) {
    add(
      "cookies",
      `the cookie ${unprefixed} has no __Host- prefix, so a sibling host can set it for your users`,
      `Name it __Host-${unprefixed}, or give dangerouslyUnprefixedCookie a reason.`,
    );
  }
  if (reason !== undefined && reason.trim() === "") {
    add("dangerouslyUnprefixedCookie", "the reason is empty", "Say why the cookie cannot have the prefix.");
  }
  if (name === "") add("name", "the name is empty", "Leave it out, or name the credential.");
  return problems;
}
