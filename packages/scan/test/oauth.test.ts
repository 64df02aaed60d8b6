import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseOAuthClient, type ScanOptions, scan } from "../src/scan.ts";
import { clients, startAuthorizationServer, type Wrong } from "./authorization-server.ts";

// What the server is built of says how it would be set up for others than tests.
beforeAll(() => {
  for (const name of ["warn", "info", "error", "log"] as const) vi.spyOn(console, name).mockReturnValue();
});
afterAll(() => vi.restoreAllMocks());

const account = { user: "alice@example.com", password: "correct horse battery" };

// Side by side, each at a server of its own: a scan here waits more than it works.
describe.concurrent("oauth", { timeout: 60_000 }, () => {
  it("finds nothing at a sound server, for a public and for a confidential client", async () => {
    const app = await attack({});
    expect(app.broken).toEqual([]);
    expect(app.inconclusive).toEqual([]);
    expect(app.held).toEqual(expect.arrayContaining([...everything, "pkce-missing"]));
    const web = await attack({}, { oauth: [{ ...clients.web, scope: "openid offline_access email" }, clients.app] });
    expect(web.broken).toEqual([]);
    expect(web.inconclusive).toEqual([]);
    expect(web.held).toEqual(expect.arrayContaining([...everything, "pkce-optional", ...secretly]));
    expect(Math.max(app.requests, web.requests)).toBeLessThan(240);
  });

  it.each<[string, Wrong, readonly string[], Partial<ScanOptions>?]>([
    ["PKCE is welcome and not demanded", { configuration: { pkce: { required: () => false } } }, ["pkce-missing"]],
    ["PKCE is accepted with the method plain", { asks: plainAsS256 }, ["pkce-plain"]],
    [
      "PKCE is read by nobody",
      { configuration: { pkce: { required: () => false } }, asks: withoutPkce },
      ["pkce-missing", "pkce-plain", "verifier-wrong", "verifier-missing", "pkce-downgrade"],
    ],
    [
      "any redirect address is taken",
      { redirects: () => true },
      ["redirect-host", "redirect-path", "redirect-query", "redirect-scheme"],
    ],
    [
      "a redirect address is what begins like the registered one",
      { redirects: (uri, registered) => uri.startsWith(registered) },
      ["redirect-path", "redirect-query"],
    ],
    [
      "a redirect address is any of the registered host",
      { redirects: (uri, registered) => sameHost(uri, registered) },
      ["redirect-path", "redirect-query"],
    ],
    [
      "hosts below the registered one are taken",
      { redirects: (uri) => /^https:\/\/[\w.]+\.app\.example\.com\/callback$/.test(uri) },
      ["redirect-host"],
    ],
    [
      "http is as good as https",
      { redirects: (uri, known) => uri === known.replace(/^https/, "http") },
      ["redirect-scheme"],
    ],
    ["ports are not looked at", { redirects: (uri, known) => uri.replace(/:\d+/, "") === known }, ["redirect-host"]],
    ["capitals are not looked at", { redirects: (uri, known) => uri.toLowerCase() === known }, ["redirect-path"]],
    ["a slash at the end is not looked at", { redirects: (uri, known) => uri === `${known}/` }, ["redirect-path"]],
    ["a code is never used up", { forgetsUse: "AuthorizationCode" }, ["code-replay"]],
    ["what came of a stolen token stays good", { keepsFamily: true }, ["code-replay-revokes", "refresh-family"]],
    [
      "a code serves every client",
      { configuration: { expiresWithSession: () => false }, finds: ofEveryClient("AuthorizationCode"), asks: remember },
      ["code-other-client"],
    ],
    [
      "a refresh token serves every client",
      { finds: ofEveryClient("RefreshToken"), asks: remember },
      ["refresh-other-client"],
    ],
    ["refresh tokens are not rotated", { configuration: { rotateRefreshToken: false } }, ["refresh-reuse"]],
    ["a refresh token is never used up", { forgetsUse: "RefreshToken" }, ["refresh-reuse"]],
    ["a refresh brings whatever is asked for", { finds: withEveryScope }, ["refresh-scope"]],
    [
      "nothing is revoked",
      { answers: (path) => (path === "/token/revocation" ? {} : undefined) },
      ["access-after-revocation", "refresh-after-revocation"],
    ],
    [
      "nobody is signed out",
      { answers: (path) => (path === "/session/end/confirm" ? { bye: true } : undefined) },
      ["session-after-logout", "old-cookie-after-logout"],
    ],
    [
      "refresh tokens outlive the session they belong to",
      { configuration: { issueRefreshToken: () => true, expiresWithSession: () => false } },
      ["refresh-after-logout"],
    ],
    ["any secret will do", { anySecret: true }, ["client-secret-wrong"], asWeb],
    [
      "the implicit grant is still there",
      {
        configuration: { responseTypes: ["code", "id_token token"] },
        client: {
          grant_types: ["authorization_code", "refresh_token", "implicit"],
          response_types: ["code", "id_token token"],
        },
      },
      ["grant-implicit"],
    ],
    ["a password is as good as a code", { answers: forPassword }, ["grant-password"]],
    [
      "access tokens live a day",
      { configuration: { ttl: { AccessToken: 86_400, Grant: 90_000, Session: 90_000 } } },
      ["access-token-lifetime"],
    ],
    ["responses lack their issuer", { says: withoutParam("iss") }, ["response-issuer"]],
    ["the state is lost", { says: withoutParam("state") }, ["state"]],
    ["the nonce is lost", { finds: withoutNonce }, ["nonce"]],
    [
      "tokens may be cached",
      { says: (name, value) => (name === "cache-control" ? undefined : value) },
      ["token-no-store"],
    ],
    ["a token is taken from the address", { asks: tokenFromUrl }, ["token-in-url"]],
    [
      "the method plain is announced",
      { announces: (text) => text.replace('["S256"]', '["S256","plain"]') },
      ["metadata-pkce"],
    ],
    [
      "an algorithm is announced that is none",
      { announces: (text) => text.replace('["HS256"', '["none","HS256"') },
      ["metadata-none"],
    ],
  ])("finds that %s, and nothing else", async (_wrong, wrong, checks, changed = {}) => {
    const found = await attack(wrong, changed);
    expect(found.broken.toSorted(), found.why.join("\n")).toEqual([...checks].sort());
    expect(found.inconclusive).toEqual([]);
  });

  it("finds nothing where refresh tokens of a session end with it", async () => {
    const found = await attack({ configuration: { issueRefreshToken: () => true } });
    expect(found.broken).toEqual([]);
    expect(found.held).toContain("refresh-after-logout");
  });

  it("says of one mistake at many addresses which it is, once", async () => {
    const found = await attack({ redirects: (uri, registered) => uri.startsWith(registered) });
    const why = found.verdicts.find(({ check }) => check === "redirect-path")?.why ?? "";
    for (const what of ["/callback/)", "/callback/extra)", "/callback/../../"]) expect(why).toContain(what);
    expect(why).not.toContain("CALLBACK");
  });

  it("says what it takes where it is given nothing, and still reads what the server says of itself", async () => {
    const found = await attack({}, { oauth: [], accounts: [] });
    expect(found.broken).toEqual([]);
    expect(found.held).toContain("metadata-pkce");
    expect(found.inconclusive).toEqual([expect.stringMatching(/^flow: .*--oauth client=.*--account/)]);
    const signedOut = await attack({}, { accounts: [] });
    expect(signedOut.inconclusive).toEqual([expect.stringMatching(/^flow: .*asks somebody to sign in.*--account/)]);
    const unknown = await attack({}, { oauth: [{ ...clients.app, id: "nobody" }] });
    expect(unknown.inconclusive).toEqual([expect.stringMatching(/^flow: The authorization request came to no answer/)]);
  });

  it("shows no code, token, secret or password in its evidence", async () => {
    const { verdicts } = await attack({ redirects: () => true }, { oauth: [clients.web, clients.app] });
    const shown = JSON.stringify(verdicts);
    expect(shown).not.toContain(clients.web.secret);
    expect(shown).not.toContain("correct horse");
    expect(shown).not.toMatch(/code=[\w-]{20}|"(?:access|refresh)_token\\?":\s*\\?"[\w-]{20}/);
  });
});

describe("a client on the command line", () => {
  it("is read, with commas in its addresses", () => {
    expect(parseOAuthClient("client=web:s:1,redirect=https://a.example/cb?x=1,2,scope=openid offline_access")).toEqual({
      id: "web",
      secret: "s:1",
      redirect: "https://a.example/cb?x=1,2",
      scope: "openid offline_access",
    });
    const named = "client=app,redirect=com.example:/cb,authorize=/oauth/authorize,token=/oauth/token";
    expect(parseOAuthClient(named)).toMatchObject({ authorize: "/oauth/authorize", token: "/oauth/token" });
  });

  it("says how it is written, and shows no secret", () => {
    for (const text of ["web", "client=,redirect=https://a.example", "client=web:hush,redirect=no", "who=me"]) {
      expect(() => parseOAuthClient(text)).toThrow(/--oauth/);
      expect(() => parseOAuthClient(text)).not.toThrow(/hush/);
    }
  });
});

const everything = [
  "metadata-issuer",
  "metadata-agree",
  "metadata-pkce",
  "metadata-none",
  "token-no-store",
  "access-token-lifetime",
  "state",
  "nonce",
  "response-issuer",
  "redirect-host",
  "redirect-path",
  "redirect-query",
  "redirect-scheme",
  "pkce-plain",
  "verifier-wrong",
  "verifier-missing",
  "code-replay",
  "code-replay-revokes",
  "code-other-client",
  "grant-implicit",
  "grant-password",
  "refresh-reuse",
  "refresh-family",
  "refresh-other-client",
  "refresh-scope",
  "refresh-after-revocation",
  "access-after-revocation",
  "id-token-as-access",
  "refresh-as-access",
  "token-in-url",
  "session-after-logout",
  "old-cookie-after-logout",
];
const secretly = ["client-secret-wrong", "client-secret-missing", "refresh-without-secret"];

async function attack(wrong: Wrong, changed: Partial<ScanOptions> = {}) {
  const server = await startAuthorizationServer(wrong);
  const scanning = scan({
    url: server.url,
    identities: [],
    only: ["oauth"],
    accounts: [account],
    oauth: [clients.app, clients.web],
    patienceMs: 500,
    seed: 1,
    ...changed,
  });
  await Promise.allSettled([scanning]);
  await server.close();
  const { verdicts, requests } = await scanning;
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  const why = verdicts.map(({ check, verdict, why }) => `${verdict} ${check}: ${why}`);
  return {
    broken: named("broken"),
    held: named("held"),
    inconclusive: verdicts
      .filter(({ verdict }) => verdict === "inconclusive")
      .map(({ check, why }) => `${check}: ${why}`),
    verdicts,
    requests,
    why,
  };
}

const asWeb = { oauth: [{ ...clients.web, scope: "openid offline_access email" }, clients.app] };

function sameHost(uri: string, registered: string): boolean {
  if (!URL.canParse(uri)) return false;
  const [left, right] = [new URL(uri), new URL(registered)];
  return left.origin === right.origin && left.username === "";
}

function plainAsS256(_path: string, params: URLSearchParams): void {
  if (params.get("code_challenge_method") !== "plain") return;
  const challenge = createHash("sha256")
    .update(params.get("code_challenge") ?? "")
    .digest("base64url");
  params.set("code_challenge", challenge);
  params.set("code_challenge_method", "S256");
}

function withoutPkce(_path: string, params: URLSearchParams): void {
  for (const name of ["code_challenge", "code_challenge_method", "code_verifier"]) params.delete(name);
}

let asking = "";
function remember(path: string, params: URLSearchParams): void {
  asking = path === "/token" ? (params.get("client_id") ?? clients.web.id) : "";
}

/** What was issued to one client is found as if it had been issued to whoever asks. */
function ofEveryClient(kind: string): NonNullable<Wrong["finds"]> {
  return (found, payload) =>
    found === kind && asking !== "" ? { ...payload, clientId: asking } : withGrant(found, payload);
}

function withGrant(found: string, payload: Parameters<NonNullable<Wrong["finds"]>>[1]) {
  return found === "Grant" && asking !== "" ? { ...payload, clientId: asking } : payload;
}

function withEveryScope(kind: string, payload: Parameters<NonNullable<Wrong["finds"]>>[1]) {
  return kind === "RefreshToken" ? { ...payload, scope: "openid offline_access email" } : payload;
}

function withoutNonce(kind: string, payload: Parameters<NonNullable<Wrong["finds"]>>[1]) {
  const { nonce: _nonce, ...rest } = payload;
  return kind === "AuthorizationCode" ? rest : payload;
}

function forPassword(path: string, params: URLSearchParams) {
  if (path !== "/token" || params.get("grant_type") !== "password") return undefined;
  return { access_token: "a token for a password 0123456789", token_type: "Bearer", expires_in: 900 };
}

function withoutParam(name: string): NonNullable<Wrong["says"]> {
  return (header, value) => {
    if (header !== "location" || !value.startsWith("https://")) return value;
    const to = new URL(value);
    to.searchParams.delete(name);
    return to.href;
  };
}

const tokenFromUrl: NonNullable<Wrong["asks"]> = (path, params, request) => {
  const token = path === "/me" ? params.get("access_token") : null;
  if (token === null) return;
  request.headers.authorization = `Bearer ${token}`;
  params.delete("access_token");
};
