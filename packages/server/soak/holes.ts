import type { ProtectionId } from "portcullis";

/** The usual wrong versions of what an identity server does, each as one change of our own source. */
export interface Hole {
  /** Row of the checklist whose probe finds it. */
  readonly protection: ProtectionId;
  /** The check that finds it; others may besides. */
  readonly check: string;
  /** What is wrong, as somebody would have written it. */
  readonly name: string;
  /** File below `packages`. */
  readonly file: string;
  /** Stands there once; where it does not, nothing starts. */
  readonly right: string;
  readonly wrong: string;
}

export const holes: readonly Hole[] = [
  {
    protection: "oauth",
    check: "pkce-missing",
    name: "a code needs no PKCE",
    file: "server/src/identity/oauth/provider.ts",
    right: "pkce: { required: () => true }",
    wrong: "pkce: { required: () => false }",
  },
  {
    protection: "oauth",
    check: "refresh-reuse",
    name: "a refresh token that was used is used again",
    file: "server/src/storage/refresh-tokens.ts",
    right: ".set({ successor: successor.hash, used_at: now, answer: successor.answer })",
    wrong: ".set({ used_at: now, answer: successor.answer })",
  },
  {
    protection: "oauth",
    check: "refresh-family",
    name: "reuse of a refresh token is refused, and ends nothing",
    file: "server/src/identity/oauth/refresh-grant.ts",
    right: 'await options.endGrant(family.grant_id, "reused");',
    wrong: "",
  },
  {
    protection: "oauth",
    check: "code-replay",
    name: "a code works twice",
    file: "server/src/storage/oidc-payloads.ts",
    right: ".set({ consumed_at: at })",
    wrong: ".set({ consumed_at: null })",
  },
  {
    protection: "oauth",
    check: "redirect-query",
    name: "redirect URIs are compared by their beginning",
    file: "server/src/identity/oauth/clients.ts",
    right: "if (registered.includes(uri)) return true;",
    wrong: "if (registered.some((one) => uri.startsWith(one))) return true;",
  },
  {
    protection: "oauth",
    check: "refresh-after-revocation",
    name: "revoking a refresh token is answered, and does nothing",
    file: "server/src/identity/oauth/routes.ts",
    right: 'form: isAccessToken ? { ...body, token: "an access token" } : body,',
    wrong: 'form: { ...body, token: "an access token" },',
  },
  {
    protection: "oauth",
    check: "refresh-scope",
    name: "a refresh brings whatever is asked for",
    file: "server/src/identity/oauth/refresh-grant.ts",
    right: "const scope = scopeOf(granted, asked.scope);",
    wrong: "const scope = asked.scope ?? granted;",
  },
  {
    protection: "oauth",
    check: "refresh-other-client",
    name: "a refresh token serves every client",
    file: "server/src/identity/oauth/refresh-grant.ts",
    right: "if (family.client_id !== client.clientId) throw",
    wrong: 'if (family.client_id === "") throw',
  },
  {
    protection: "oauth",
    check: "access-token-lifetime",
    name: "an access token lives a day",
    file: "server/src/identity/identity.ts",
    right: "const accessTokenSeconds = 15 * 60;",
    wrong: "const accessTokenSeconds = 24 * 3600;",
  },
  {
    protection: "oauth",
    check: "response-issuer",
    name: "the answer of an authorization does not say who answers",
    file: "server/src/identity/oauth/bridge.ts",
    right: 'location: typeof location === "string" ? location : undefined,',
    wrong: 'location: typeof location === "string" ? location.replace(/&iss=[^&]*/, "") : undefined,',
  },
  {
    protection: "oauth",
    check: "metadata-pkce",
    name: "the method plain is announced",
    file: "server/src/identity/oauth/routes.ts",
    right: 'code_challenge_methods_supported: ["S256"],',
    wrong: 'code_challenge_methods_supported: ["S256", "plain"],',
  },
  {
    protection: "sessions",
    check: "cookie-httponly",
    name: "scripts read the cookie",
    file: "portcullis/src/lib/set-cookie.ts",
    right: 'if (httpOnly) text += "; HttpOnly";',
    wrong: "",
  },
  {
    protection: "sessions",
    check: "cookie-secure",
    name: "the cookie travels over plain http",
    file: "portcullis/src/lib/set-cookie.ts",
    right: 'if (secure) text += "; Secure";',
    wrong: "",
  },
  {
    protection: "sessions",
    check: "cookie-samesite",
    name: "the cookie comes along from other sites",
    file: "server/src/identity/browser-sessions/routes.ts",
    right: "{ name: sessionCookieName, value: started.cookie },",
    wrong: '{ name: sessionCookieName, value: started.cookie, sameSite: "Lax" },',
  },
  {
    protection: "sessions",
    check: "fixation",
    name: "whoever signs in keeps the id the browser came with",
    file: "server/src/identity/oauth/own-sessions.ts",
    right: "const session = isSame ? before : new (provider().Session)();",
    wrong:
      "const session = isSame ? before : Reflect.construct(provider().Session, [instead === undefined ? {} : { jti: instead }]);",
  },
  {
    protection: "sessions",
    check: "rotation",
    name: "whoever signs in again keeps the session there was",
    file: "server/src/identity/oauth/own-sessions.ts",
    right: "before.resetIdentifier();",
    wrong: "void before;",
  },
  {
    protection: "sessions",
    check: "sign-out",
    name: "signing out takes the cookie away, and the session goes on",
    file: "server/src/identity/browser-sessions/routes.ts",
    right: "await options.end(caller, query.everywhere === true, request);",
    wrong: "",
  },
  {
    protection: "sessions",
    check: "sign-out",
    name: "signing out at the server's own pages takes the cookie away, and the session goes on",
    file: "server/src/identity/oauth/own-sessions.ts",
    right: "await endSession({ id: session.jti, uid: session.uid, grantIds });",
    wrong: "",
  },
  {
    protection: "sessions",
    check: "sign-out-everywhere",
    name: "signing out everywhere ends this session alone",
    file: "server/src/identity/browser-sessions/browser-sessions.ts",
    right: "if (isEverywhere) {",
    wrong: "if (false) {",
  },
  {
    protection: "sessions",
    check: "sign-out-everywhere",
    name: "signing out everywhere at the server's own pages ends this session alone",
    file: "server/src/identity/account/own-pages.ts",
    right: "await accounts.signOutEverywhere(account.id, request);",
    wrong: "",
  },
  {
    protection: "sessions",
    check: "one-answer",
    name: "a sign-in says that there is no such account",
    file: "server/src/identity/account/own-pages.ts",
    right: "return answer(signInPage(body.email, wrong), { status: 401 });",
    wrong:
      'return answer(signInPage(body.email, (await accounts.findByEmail(body.email)) === undefined ? "No such account." : wrong), { status: 401 });',
  },
  {
    protection: "sessions",
    check: "one-answer",
    name: "a sign-in without an account has another status",
    file: "server/src/identity/account/own-pages.ts",
    right: "return answer(signInPage(body.email, wrong), { status: 401 });",
    wrong:
      "return answer(signInPage(body.email, wrong), { status: (await accounts.findByEmail(body.email)) === undefined ? 200 : 401 });",
  },
  {
    protection: "sessions",
    check: "one-time",
    name: "no password is hashed where there is no account",
    file: "server/src/identity/passwords.ts",
    right: "const phc = readPhc(stored ?? nobody);",
    wrong: `if (stored === undefined || stored === null) return false;
  const phc = readPhc(stored);`,
  },
  {
    protection: "sessions",
    check: "one-answer",
    name: "a sign-up tells that an address is taken",
    file: "server/src/identity/accounts.ts",
    right: "if (there.id === row.id) {",
    wrong: `if (there.id !== row.id) return "no-address";
      if (there.id === row.id) {`,
  },
  {
    protection: "sessions",
    check: "one-answer",
    name: "a forgotten password tells whether there is an account",
    file: "server/src/identity/account/json.ts",
    right: "return { problem: null };",
    wrong: 'return { problem: (await accounts.findByEmail(body.email)) === undefined ? "no-address" : null };',
  },
  {
    protection: "api-keys",
    check: "revoked",
    name: "a key that was revoked still works",
    file: "server/src/storage/api-keys.ts",
    right: `.set({ revoked_at: at })
          .where("id", "=", id)`,
    wrong: `.set({ revoked_at: null })
          .where("id", "=", id)`,
  },
  {
    protection: "api-keys",
    check: "shown-once",
    name: "the list of keys shows them again",
    file: "portcullis/src/lib/issue-api-key.ts",
    right: `    name,
    environment: deployment,`,
    wrong: `    name: key,
    environment: deployment,`,
  },
  {
    protection: "api-keys",
    check: "scopes",
    name: "a key may do what its owner may, whatever it was made for",
    file: "portcullis/src/gates/api-keys.ts",
    right: "scopes: Object.freeze(record.scopes.map(intern)),",
    wrong: 'scopes: Object.freeze(["notes:read", "notes:write", "keys:read"]),',
  },
];
