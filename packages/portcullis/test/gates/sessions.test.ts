import { setTimeout as wait } from "node:timers/promises";
import { anyCaller, answer, nothing, publicAccess, refuse } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { CredentialVerifier } from "../../src/credential.ts";
import { session, type SessionCaller, type SessionOptions } from "../../src/gates/sessions.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld } from "../credentials/environment.ts";
import type { Reply } from "../front-door.ts";
import { bearer, openDoor, sharedDoor, testApi, tokens } from "../front-door.ts";

describe("sessions: the application's own check", () => {
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
      const reason = "the old front end still sets it";
      expect(problems({ cookies: ["__Secure-session"], dangerouslyUnprefixedCookie: reason })).toEqual([]);
      expect(problems({ cookies: ["sid"], dangerouslyUnprefixedCookie: reason })).toEqual([]);
      const options = { cookies: ["sid"], resolve: () => null, dangerouslyUnprefixedCookie: reason };
      expect(session(options).describe()).toEqual({ cookies: ["sid"], dangerouslyUnprefixedCookie: reason });
    });

    it.each<[string, Partial<SessionOptions>]>([
      ["cookies", { cookies: [] }],
      ["cookies", { cookies: ["sid"] }],
      ["cookies", { cookies: ["__host-sid"] }],
      ["cookies", { cookies: ["__Secure-session"] }],
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

describe("sessions", () => {
  const alive = new Set(["alices"]);
  const seen: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi({
      handlerTimeoutMs: 60,
      credentials: [
        tokens,
        session({
          cookies: ["__Host-session"],
          resolve(cookies) {
            seen.push({ ...cookies });
            const value = cookies["__Host-session"] ?? "";
            if (value === "throws") throw new Error("store down");
            if (value === "hangs") return wait(60_000, null, { ref: false });
            return alive.has(value) ? { subject: "alice", scopes: ["a"] } : null;
          },
        }),
      ],
    });
    const limit = "1000/s";
    test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing, limit }, () => undefined);
    test.api.route(
      { path: "GET /v1/me", access: anyCaller, output: z.strictObject({ subject: z.string() }), limit },
      ({ caller }) => ({ subject: caller.subject }),
    );
    test.api.route(
      {
        path: "POST /v1/sign-in",
        access: publicAccess("signing in"),
        input: { body: z.strictObject({ user: z.string().max(50), password: z.string().max(50).optional() }) },
        output: nothing,
        startsSession: { account: "body.user" },
        limit: { rate: limit, by: "body.user" },
      },
      ({ body }) => {
        if (body.password === "wrong") return refuse("sign-in-failed", `${body.user} exists, wrong password`);
        if (body.user === "nobody") return refuse("sign-in-failed", "no such account");
        return answer(undefined, { cookies: [{ name: "__Host-session", value: "alices", maxAgeSeconds: 600 }] });
      },
    );
    return test;
  });

  const own = { "Sec-Fetch-Site": "same-origin" };
  const write = (cookie: string | readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    door.ask("POST /v1/writes", { headers: { Cookie: cookie, ...own, ...more } });

  it("admits a live session, and no longer once it is over", async () => {
    expect((await write("__Host-session=alices")).status).toBe(204);
    alive.delete("alices");
    expect((await write("__Host-session=alices")).status).toBe(401);
    alive.add("alices");
  });

  it("clears a cookie nobody knows and counts it as absent, so that signing in again works", async () => {
    const refused = await write("__Host-session=old");
    expect(refused.status).toBe(401);
    expect(refused.headers.get("set-cookie")).toBe(
      "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
    );
    const again = await door.ask("POST /v1/sign-in", {
      json: { user: "a" },
      headers: { Cookie: "__Host-session=old", ...own },
    });
    // Browsers keep what the last line of a name says.
    expect([again.status, setCookies(again)]).toEqual([
      204,
      ["__Host-session=alices; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Strict"],
    ]);
  });

  it("clears the old cookie of whoever did not manage to sign in", async () => {
    const json = { user: "b", password: "wrong" };
    const refused = await door.ask("POST /v1/sign-in", { json, headers: { Cookie: "__Host-session=old", ...own } });
    expect([refused.status, setCookies(refused)]).toEqual([
      401,
      ["__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"],
    ]);
  });

  it("leaves a bad cookie where another library renews it, and counts it as a guess all the same", async () => {
    const resolve = (): null => null;
    const credential = session({ cookies: ["__Host-session"], resolve, keepBadCookie: true });
    const limits = { global: "100000/s", address: "100000/s", failures: "3/min" } as const;
    const kept = await openDoor(testApi({ credentials: [tokens, credential], limits }));
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
      const reply = await kept.ask("GET /v1/open", { headers: { Cookie: `__Host-session=guess-${n}` } });
      expect(reply.headers.get("set-cookie")).toBeUndefined();
      statuses.push(reply.status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    await kept.close();
  });

  it("serves a public route to a stale cookie as to a stranger", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Cookie: "__Host-session=old" } });
    expect([reply.status, reply.headers.get("set-cookie")?.startsWith("__Host-session=;")]).toEqual([200, true]);
  });

  it("refuses with 503 where the check throws or never answers, and clears nothing", async () => {
    for (const value of ["throws", "hangs"]) {
      const reply = await write(`__Host-session=${value}`);
      expect([reply.status, reply.code, reply.headers.has("set-cookie")], value).toEqual([
        503,
        "verifier-unavailable",
        false,
      ]);
      expect(reply.said).not.toContain("store down");
    }
  });

  it("does not let a stranger in on a public route where the check could not decide", async () => {
    expect((await door.ask("GET /v1/open", { headers: { Cookie: "__Host-session=throws" } })).status).toBe(503);
  });

  it("refuses a cookie beside a token, because nobody can say which was meant", async () => {
    const reply = await write("__Host-session=alices", await bearer("bob"));
    expect([reply.status, reply.code]).toEqual([400, "several-credentials"]);
  });

  it("clears the cookies of a browser that has two kinds of session, and those alone that nobody renews", async () => {
    const cookie = (name: string, keepBadCookie = false) =>
      session({ name, cookies: [`__Host-${name}`], resolve: () => ({ subject: name }), keepBadCookie });
    const both = await openDoor(testApi({ credentials: [cookie("user"), cookie("staff"), cookie("theirs", true)] }));
    const ask = async (Cookie: string): Promise<unknown> => {
      const reply = await both.ask("GET /v1/open", { headers: { Cookie } });
      return [reply.code, setCookies(reply).map((one) => one.split(";")[0])];
    };
    expect(await ask("__Host-user=a")).toEqual([undefined, []]);
    expect(await ask("__Host-user=a; __Host-staff=b")).toEqual([
      "several-credentials",
      ["__Host-user=", "__Host-staff="],
    ]);
    expect(await ask("__Host-user=a; __Host-theirs=b")).toEqual(["several-credentials", ["__Host-user="]]);
    await both.close();
  });

  it("refuses a session cookie that stands there twice, in one line or in two", async () => {
    for (const cookie of [
      "__Host-session=alices; __Host-session=mallorys",
      ["__Host-session=alices", "__Host-session=m"],
    ]) {
      const reply = await write(cookie);
      expect([reply.status, reply.code]).toEqual([400, "bad-header"]);
    }
  });

  it("takes no session from another cookie, another spelling, or another place", async () => {
    for (const cookie of [
      "session=alices",
      "__host-session=alices",
      "__Secure-session=alices",
      " __Host-sessio=alices",
    ]) {
      expect((await write(cookie)).status, cookie).toBe(401);
    }
    const header = await door.ask("GET /v1/me", { headers: { "__Host-session": "alices" } });
    expect(header.status).toBe(401);
    expect((await door.ask("GET /v1/me?session=alices")).status).not.toBe(200);
  });

  it("hands the check its own cookie and no other", async () => {
    seen.length = 0;
    await door.ask("GET /v1/me", { headers: { Cookie: "theme=dark; __Host-session=alices; token=secret" } });
    expect(seen).toEqual([{ "__Host-session": "alices" }]);
  });

  it("sets a cookie that scripts, other sites and plain http never see", async () => {
    const reply = await door.ask("POST /v1/sign-in", { json: { user: "alice" } });
    expect(reply.headers.get("set-cookie")).toBe(
      "__Host-session=alices; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Strict",
    );
  });

  it("gives one answer for an unknown account and a wrong password", async () => {
    const unknown = await door.ask("POST /v1/sign-in", { json: { user: "nobody" } });
    const wrong = await door.ask("POST /v1/sign-in", { json: { user: "alice", password: "wrong" } });
    const shape = (reply: Reply): unknown => [reply.status, [...reply.headers.keys()], reply.said];
    expect(shape(unknown)).toEqual(shape(wrong));
    expect(unknown.json).toMatchObject({ status: 401, title: "Wrong user or password" });
  });

  it("records a sign-in with the account hashed, never named", async () => {
    const reply = await door.ask("POST /v1/sign-in", { json: { user: "alice@example.com" } });
    const entries = await door.recorded(reply);
    expect(entries).toContainEqual(
      expect.objectContaining({
        type: "signed-in",
        route: "POST /v1/sign-in",
        account: expect.stringMatching(/^[\w-]{16}$/),
      }),
    );
    expect(JSON.stringify(entries)).not.toContain("alice@example.com");
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

/** Every Set-Cookie line of an answer, in the order browsers take them. */
function setCookies({ head }: Reply): readonly string[] {
  return head.split("\r\n").flatMap((line) => (line.startsWith("set-cookie: ") ? [line.slice(12)] : []));
}
