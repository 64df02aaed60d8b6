import { describe, expect, it } from "vitest";
import type { CredentialVerifier } from "../../src/credential.ts";
import { session, type SessionCaller, type SessionOptions } from "../../src/gates/sessions.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld } from "./environment.ts";

describe("session", () => {
  it("admits whoever the application's check returns, frozen, and marks the credential as ambient", async () => {
    const found = { subject: "alice", tenant: "acme", scopes: ["a"], roles: ["admin"], claims: { plan: "pro" } };
    const caller = await build(() => found).verify("__Host-session=s1");
    expect(caller).toEqual({
      subject: "alice",
      tenant: "acme",
      scopes: ["a"],
      roles: ["admin"],
      proof: { kind: "sessions", issuer: undefined, credentialId: undefined, ambient: true, claims: { plan: "pro" } },
    });
    expect(Object.isFrozen(caller)).toBe(true);
    expect(Object.isFrozen(found) || Object.isFrozen(found.roles) || Object.isFrozen(found.claims)).toBe(false);
  });

  it("needs no more than a subject", async () => {
    expect(await build(() => ({ subject: "alice" })).verify("__Host-session=s1")).toMatchObject({
      subject: "alice",
      tenant: undefined,
      scopes: [],
      roles: [],
      proof: { claims: {} },
    });
    expect(await build(() => ({ subject: "alice", tenant: null })).verify("__Host-session=s")).toMatchObject({
      tenant: undefined,
    });
    expect(await build(() => ({ subject: "alice", tenant: "" })).verify("__Host-session=s")).toMatchObject({
      tenant: undefined,
    });
  });

  it("hands the check the named cookies only, with their values as they are", async () => {
    const seen: Readonly<Record<string, string>>[] = [];
    const verifier = build(
      (cookies) => {
        seen.push({ ...cookies });
        return { subject: "alice" };
      },
      ["__Host-session", "__Host-device"],
    );
    await verifier.verify("__Host-session=a=b%20c==; __Host-device=d; theme=dark; __proto__=x");
    await verifier.verify("__Host-device=d");
    expect(seen).toEqual([{ "__Host-session": "a=b%20c==", "__Host-device": "d" }, { "__Host-device": "d" }]);
  });

  it("waits for nothing where the check does not, and accepts any kind of promise", async () => {
    expect(build(() => ({ subject: "alice" })).verify("__Host-session=s")).not.toBeInstanceOf(Promise);
    expect(await build(async () => ({ subject: "alice" })).verify("__Host-session=s")).toMatchObject({
      subject: "alice",
    });
  });

  it("asks the check on every request and keeps nothing, so that a session ends at once", async () => {
    let alive = true;
    let asked = 0;
    const verifier = build(() => {
      asked++;
      return alive ? { subject: "alice" } : null;
    });
    expect(await codeOf(verifier, "__Host-session=s")).toBe("admitted");
    expect(verifier.cached("__Host-session=s")).toBeUndefined();
    expect(await codeOf(verifier, "__Host-session=s")).toBe("admitted");
    alive = false;
    expect(await codeOf(verifier, "__Host-session=s")).toBe("bad-credential");
    expect(asked).toBe(3);
  });

  it.each([null, undefined, { subject: "" }])("refuses where the check answers %j", async (found) => {
    expect(
      await codeOf(
        build(() => found),
        "__Host-session=s",
      ),
    ).toBe("bad-credential");
    expect(
      await codeOf(
        build(async () => found),
        "__Host-session=s",
      ),
    ).toBe("bad-credential");
  });

  it("cannot decide, and refuses with 503, where the check throws or rejects", async () => {
    const cause = new Error("database is gone");
    const throws = await build(() => {
      throw cause;
    }).verify("__Host-session=s");
    const rejects = await build(() => Promise.reject(cause)).verify("__Host-session=s");
    for (const outcome of [throws, rejects]) {
      expect(outcome).toMatchObject({ code: "verifier-unavailable", status: 503, cause });
    }
  });

  it.each([
    '{"subject":7}',
    '{"subject":null}',
    '{"subject":["alice"]}',
    "{}",
    "true",
    "7",
    '"alice"',
    "[]",
    '{"subject":"alice","tenant":7}',
    '{"subject":"alice","scopes":"admin"}',
    '{"subject":"alice","roles":[1]}',
    '{"subject":"alice","roles":null}',
    '{"subject":"alice","claims":"x"}',
    '{"subject":"alice","claims":null}',
  ])("cannot decide where the check answers nonsense that no compiler saw: %s", async (text) => {
    const nonsense: SessionCaller = JSON.parse(text);
    expect(
      await codeOf(
        build(() => nonsense),
        "__Host-session=s",
      ),
    ).toBe("verifier-unavailable");
    expect(
      await codeOf(
        build(async () => nonsense),
        "__Host-session=s",
      ),
    ).toBe("verifier-unavailable");
  });

  it.each([
    "",
    "__Host-session",
    "=s",
    "theme=dark",
    "__Host-session=a; __Host-session=b",
    "__host-session=s",
    "__Host-session=a; theme",
  ])("refuses cookies without a single reading, and does not ask the check: %s", async (value) => {
    let asked = false;
    const verifier = build(() => {
      asked = true;
      return { subject: "alice" };
    });
    expect(await codeOf(verifier, value)).toBe("bad-credential");
    expect(asked).toBe(false);
  });

  it("recognises nothing in Authorization: cookies do not travel there", () => {
    const verifier = build(() => ({ subject: "alice" }));
    for (const value of ["", "s1", "__Host-session=s1"]) expect(verifier.recognises(value)).toBe(false);
  });

  describe("options", () => {
    const problems = (over: Partial<SessionOptions>) =>
      session({ cookies: ["__Host-session"], resolve: () => null, ...over }).problems();

    it("accepts prefixed names, and others with a written reason that is kept in the manifest", () => {
      expect(problems({})).toEqual([]);
      expect(problems({ cookies: ["__Secure-session"] })).toEqual([]);
      const reason = "the old front end still sets it";
      expect(problems({ cookies: ["sid"], dangerouslyUnprefixedCookie: reason })).toEqual([]);
      const options = { cookies: ["sid"], resolve: () => null, dangerouslyUnprefixedCookie: reason };
      expect(session(options).describe()).toEqual({ cookies: ["sid"], dangerouslyUnprefixedCookie: reason });
    });

    it.each<[string, Partial<SessionOptions>]>([
      ["cookies", { cookies: [] }],
      ["cookies", { cookies: ["sid"] }],
      ["cookies", { cookies: ["__host-sid"] }],
      ["cookies", { cookies: ["__Host-"] }],
      ["cookies", { cookies: ["__Host-a", "__Host-a"] }],
      ["cookies", { cookies: ["__Host-a b"] }],
      ["cookies", { cookies: ["__Host-a;b"] }],
      ["dangerouslyUnprefixedCookie", { cookies: ["sid"], dangerouslyUnprefixedCookie: " " }],
      ["name", { name: "" }],
    ])("stops on a nonsensical %s: %j", (field, over) => {
      expect(problems(over)).toMatchObject([{ where: over.name ?? "sessions", field }]);
      const credential = session({ cookies: ["__Host-session"], resolve: () => null, ...over });
      expect(() => credential.build(testWorld().environment)).toThrow(/./);
    });
  });
});

function build(
  resolve: SessionOptions["resolve"],
  cookies: readonly string[] = ["__Host-session"],
): CredentialVerifier {
  return session({ cookies, resolve }).build(testWorld().environment);
}

async function codeOf(verifier: CredentialVerifier, value: string): Promise<string> {
  const outcome = await verifier.verify(value);
  return outcome instanceof Refusal ? outcome.code : "admitted";
}
