import {
  type BrowserSessionsOptions,
  type ClientOptions,
  type IdentityOptions,
  openBrowserSessions,
  openIdentity,
} from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import {
  type Api,
  type ApiConfig,
  createApi,
  type Credential,
  jwt,
  type JwtOptions,
  memorySink,
  nothing,
  publicAccess,
  secret,
} from "portcullis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

let stores: TestStores;
let storage: Storage;
beforeAll(async () => {
  stores = await embeddedStores();
  storage = await stores.open();
});
afterAll(() => stores.stop());

const client: ClientOptions = {
  id: "app",
  name: "App",
  redirectUris: ["https://app.example.com/callback"],
  scopes: ["notes:read"],
};

async function start(over: Partial<IdentityOptions>): Promise<void> {
  const identity = await openIdentity({
    issuer: "https://id.example.com",
    serviceName: "Notes",
    storage,
    secret: "tests-only: 48 characters of nothing in particular",
    clients: [client],
    resources: { "https://api.example.com": ["notes:read"] },
    ...over,
  });
  await identity.close();
}

describe("oauth: options that make no sense stop the start, and say what to write instead", () => {
  it.each([
    [{ issuer: "https://id.example.com/" }, /issuer: .* no origin over https/],
    [{ issuer: "https://id.example.com/auth" }, /issuer/],
    [{ issuer: "http://id.example.com" }, /issuer/],
    [{ issuer: "https://id.example.com:443" }, /issuer/],
    [{ issuer: "HTTPS://ID.example.com" }, /issuer/],
    [{ issuer: "https://user@id.example.com" }, /issuer/],
    [{ issuer: "id.example.com" }, /issuer/],
    [{ serviceName: " " }, /serviceName/],
    [{ secret: "" }, /secret: it is empty: is the variable set[\s\S]*export SECRET=\$\(openssl rand -base64 48\)/],
    [{ secret: "short" }, /secret: 5 bytes are too few/],
    [{ secret: "0123456789abcdef0123456789abcdef" }, /secret: 32 hexadecimal digits are 128 bits/],
    [{ secret: "xyz".repeat(16) }, /secret: it repeats/],
    [{ secret: new Uint8Array(16) }, /secret/],
    [{ guessableWords: ["Acme", "x!"] }, /guessableWords: "x!" is no word/],
    [{ push: { tell() {}, listen: () => () => {} } }, /push: the embedded store has one instance/],
    [{ resources: {} }, /resources: no API is named/],
    [{ resources: { api: ["notes:read"] } }, /api is no address/],
    [{ resources: { "https://api.example.com#x": ["notes:read"] } }, /no address/],
    [{ resources: { "https://api.example.com": ["notes:read", "open id"] } }, /"open id" is no scope/],
    [{ resources: { "https://api.example.com": ["notes:read", "openid"] } }, /means something else/],
    [{ clients: [client, client] }, /there are two of it/],
  ] satisfies [Partial<IdentityOptions>, RegExp][])("%j", async (over, message) => {
    await expect(start(over)).rejects.toThrow(message);
  });

  it("an algorithm that needs a shared secret, or none", async () => {
    for (const name of ["HS256", "none"]) {
      const over: Partial<IdentityOptions> = JSON.parse(JSON.stringify({ tokenAlgorithm: name }));
      await expect(start(over)).rejects.toThrow(`tokenAlgorithm: ${name} is none we sign with`);
    }
  });

  it.each([
    [{ id: "" }, /no plain name/],
    [{ id: "a b" }, /no plain name/],
    [{ id: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff" }, /looks like that of an account/],
    [{ name: "" }, /no name/],
    [{ secret: "short" }, /secret has 5 characters/],
    [{ callsAsItself: true }, /needs a secret/],
    [{ redirectUris: [] }, /no redirect URI/],
    [{ redirectUris: ["nowhere"] }, /is no address/],
    [{ redirectUris: ["https://*.example.com/callback"] }, /wildcard/],
    [{ redirectUris: ["https://app.example.com/callback#"] }, /fragment/],
    [{ redirectUris: ["https://u:p@app.example.com/callback"] }, /user name/],
    [{ redirectUris: ["http://app.example.com/callback"] }, /plain http/],
    [{ redirectUris: ["http://localhost.example.com/callback"] }, /plain http/],
    [{ redirectUris: ["javascript:alert(1)"] }, /anybody may claim/],
    [{ redirectUris: ["myapp://callback"] }, /anybody may claim/],
    [{ origins: ["https://app.example.com/"] }, /no origin/],
    [{ origins: ["*"] }, /no origin/],
    [{ origins: ["null"] }, /no origin/],
    [{ scopes: ["notes:all"] }, /no resource has notes:all/],
  ] satisfies [Partial<ClientOptions>, RegExp][])("client %j", async (over, message) => {
    await expect(start({ clients: [{ ...client, ...over }] })).rejects.toThrow(message);
  });

  it.each(["issuer", "serviceName", "storage", "secret", "clients", "resources"])("no %s", async (field) => {
    await expect(start({ [field]: undefined })).rejects.toThrow(
      new RegExp(`1 problem[^]*${field}: is missing\n +fix: .`),
    );
  });

  it("an option there is none of, a storage nobody waited for, sessions that lead nowhere", async () => {
    // As a program without types would write it.
    const misspelt: Partial<IdentityOptions> = {};
    Object.assign(misspelt, { browserSession: {} });
    await expect(start(misspelt)).rejects.toThrow(
      /browserSession: is no option\n +fix: The options are issuer, .*browserSessions/,
    );
    const untyped: Partial<IdentityOptions> = {};
    Object.assign(untyped, { storage: Promise.resolve(storage) });
    await expect(start(untyped)).rejects.toThrow(
      /storage: it is no open storage\n +fix: Open it first: await openStorage/,
    );
    Object.assign(untyped, { storage, browserSessions: {} });
    await expect(start(untyped)).rejects.toThrow(/returnTo: there is no list[^]*Write paths of the app: \["\/"/);
  });

  it("says everything at once", async () => {
    await expect(start({ issuer: "x", secret: "x", resources: {} })).rejects.toThrow(
      /issuer:[\s\S]*secret:[\s\S]*resources:[\s\S]*no resource has notes:read/,
    );
  });

  it("starts with what makes sense", async () => {
    await start({});
    await start({ issuer: "http://localhost:8443" });
    const [own, secret] = [await stores.open(), crypto.getRandomValues(new Uint8Array(32))];
    await start({ issuer: "http://127.0.0.1:8443", storage: own, secret });
    await start({ clients: [] });
  });

  it("verifies tokens for no resource it does not have", async () => {
    const identity = await openIdentity({
      issuer: "https://id.example.com",
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { "https://api.example.com": [] },
    });
    expect(() => identity.tokensFor("https://api.example.com/")).toThrow(/none of the resources/);
    await identity.close();
  });
});

describe("sessions: an API that people could not sign in at does not start, and says what to write instead", () => {
  const issuer = "https://api.example.com";
  const app = "https://app.example.com";

  async function mounted(over: Partial<ApiConfig>, given: Partial<IdentityOptions> = {}): Promise<Api> {
    const identity = await openIdentity({
      issuer,
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { [`${issuer}/api`]: [] },
      browserSessions: { returnTo: ["/"] },
      ...given,
    });
    const api = createApi({
      name: "notes",
      hosts: ["api.example.com"],
      credentials: [identity.sessions().credential],
      proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" },
      audit: { sinks: [memorySink(10)] },
      ...over,
    });
    identity.mount(api);
    await identity.close();
    return api;
  }
  const said = (api: Api) =>
    api.problems().map(({ where, field, problem, fix }) => `${where} ${field}: ${problem} ${fix}`);

  it("is silent where all fits", async () => {
    expect(said(await mounted({}))).toEqual([]);
    expect(said(await mounted({ version: { header: "api-version", default: "1" } }))).toEqual([]);
    expect(said(await mounted({ origins: [app] }, { browserSessions: { returnTo: ["/"], app } }))).toEqual([]);
  });

  it("has to serve the issuer's host, with its port", async () => {
    for (const hosts of [["localhost:3000"], ["api.example.com:8443"], ["127.0.0.1"]]) {
      const [one, ...more] = said(await mounted({ hosts }));
      expect(one).toMatch(
        /^openIdentity issuer: https:\/\/api\.example\.com is none of the hosts .*hosts: \["api\.example\.com"\]/,
      );
      expect(more).toEqual([]);
    }
    expect(said(await mounted({ hosts: ["localhost"] }, { issuer: "http://localhost:8787" }))).toEqual([]);
  });

  it("has to take the sessions, and to let the app read who is signed in", async () => {
    expect(said(await mounted({ credentials: [] }))).toContainEqual(
      expect.stringMatching(/credential: the API does not take the sessions .*identity\.sessions\(\)\.credential/),
    );
    expect(said(await mounted({}, { browserSessions: { returnTo: ["/"], app } }))).toEqual([
      expect.stringMatching(/app: pages of https:\/\/app\.example\.com may not read .*origins: \["https:\/\/app/),
    ]);
  });

  it("has to tell its people from those of another issuer, who may have the same sub", async () => {
    const kept = "tests-only: 48 characters of nothing in particular";
    const third = (more: Partial<JwtOptions> = {}) =>
      jwt({ name: "third", issuer: "https://third.example", audience: "notes", keys: secret(kept), ...more });
    const here = { serviceName: "Notes", storage, secret: kept } as const;
    const identity = await openIdentity({
      ...here,
      issuer,
      clients: [],
      resources: { [`${issuer}/api`]: [] },
      browserSessions: { returnTo: ["/"] },
    });
    const own = [identity.sessions().credential, identity.tokensFor(`${issuer}/api`)];
    const elsewhere = (more: Partial<BrowserSessionsOptions> = {}) => {
      const at = { url: "https://id.example.com", clientId: "notes" };
      const sessions = openBrowserSessions({ ...here, origin: issuer, issuer: at, returnTo: ["/"], ...more });
      void sessions.close();
      return sessions.credential;
    };
    const untold = (...credentials: Credential[]) =>
      createApi({ name: "notes", hosts: ["localhost"], credentials, audit: { sinks: [memorySink(10)] } })
        .problems()
        .map(({ field }) => field)
        .filter((field) => field.startsWith("credentials"));
    expect(untold(...own)).toEqual([]);
    expect(untold(...own, third())).toEqual(["credentials.third"]);
    expect(untold(...own, third({ subject: "iss-and-sub" }))).toEqual([]);
    expect(untold(elsewhere())).toEqual([]);
    expect(untold(elsewhere(), third())).toEqual(["credentials.browser sessions", "credentials.third"]);
    const mapped = elsewhere({ subject: ({ sub }) => `id.example.com ${sub}` });
    expect(untold(mapped, third({ subject: "iss-and-sub" }))).toEqual([]);
    await identity.close();
  });

  it("has to speak as the issuer's address says", async () => {
    const local = { hosts: ["localhost:1"] } as const;
    const config = { ...local, credentials: [], version: { none: "a test" }, name: "notes" } as const;
    const encrypted = createApi({ ...config, audit: { sinks: [memorySink(10)] } });
    const identity = await openIdentity({
      issuer: "https://localhost:1",
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { "https://localhost:1/api": [] },
    });
    identity.mount(encrypted);
    await identity.close();
    encrypted.route({ path: "GET /", access: publicAccess("a test"), output: nothing }, () => undefined);
    await expect(encrypted.listen({ port: 0 })).rejects.toThrow(
      /issuer: https:\/\/localhost:1 cannot be reached: the API speaks http\n +fix: Give api\.listen a certificate/,
    );
  });
});
