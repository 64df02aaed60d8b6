import { setTimeout as wait } from "node:timers/promises";
import type { Caller, Credential, CredentialVerifier } from "portcullis";
import { anyCaller, apiKeys, createApi, issueApiKey, memoryKeyStore, nothing, publicAccess, session } from "portcullis";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Refusal } from "../../src/refusal.ts";
import type { Reply } from "../front-door.ts";
import { bearer, noteIds, routeUntyped, sharedDoor, testApi, token, tokens } from "../front-door.ts";

const limit = "100000/s";
const Who = z.strictObject({ subject: z.string().max(50), roles: z.array(z.string().max(20)).max(9) });

function whoAmI(api: ReturnType<typeof testApi>["api"]): void {
  api.route({ path: "GET /v1/me", access: anyCaller, output: Who, limit }, ({ caller }) => caller);
  routeUntyped(api, { path: "GET /v1/maybe", access: publicAccess("everybody"), output: Who }, ({ caller }) => {
    return caller ?? { subject: "nobody", roles: [] };
  });
}

describe("authentication", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    whoAmI(test.api);
    return test;
  });
  const send = (line: string, authorization: string | readonly string[]): Promise<Reply> =>
    door.ask(line, { headers: { Authorization: authorization } });

  it("asks for a caller on every route that is not public, whatever the method", async () => {
    const lines = [
      "GET /v1/me",
      "HEAD /v1/me",
      `GET /v1/notes/${noteIds[0]}`,
      `DELETE /v1/notes/${noteIds[0]}`,
      "POST /v1/notes",
    ];
    for (const line of lines) {
      const reply = await door.ask(line);
      expect([reply.status, reply.headers.get("www-authenticate")], line).toEqual([401, 'Bearer realm="notes"']);
    }
    expect((await door.ask("GET /v1/open")).status).toBe(200);
  });

  it("says no to a stranger before it reads what he sent", async () => {
    const reply = await door.ask("POST /v1/notes", { body: "{ no json", headers: { "Content-Type": "text/plain" } });
    expect(reply.code).toBe("no-credential");
    expect((await door.ask("GET /v1/notes/not-even-an-id")).code).toBe("no-credential");
    expect((await door.ask("GET /v1/me?nobody=declared")).code).toBe("no-credential");
  });

  it("admits exactly Bearer, one blank and a token, the scheme in any case", async () => {
    const good = await token("alice");
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      expect((await send("GET /v1/me", `${scheme} ${good}`)).json).toMatchObject({ subject: "alice" });
    }
  });

  const schemes: readonly (readonly [string, (token: string) => string])[] = [
    ["the bare token", (good) => good],
    ["no blank", (good) => `Bearer${good}`],
    ["two blanks", (good) => `Bearer  ${good}`],
    ["a colon", (good) => `Bearer: ${good}`],
    ["an equals sign", (good) => `Bearer=${good}`],
    ["a scheme twice", (good) => `Bearer Bearer ${good}`],
    ["another scheme", (good) => `Token ${good}`],
    ["JWT for a scheme", (good) => `JWT ${good}`],
    ["a scheme that ends alike", (good) => `XBearer ${good}`],
    ["a scheme that begins alike", (good) => `BearerX ${good}`],
    ["a quoted token", (good) => `Bearer "${good}"`],
    ["a token in brackets", (good) => `Bearer <${good}>`],
    ["a parameter behind it", (good) => `Bearer ${good}, realm=x`],
    ["a second token behind it", (good) => `Bearer ${good} ${good}`],
    ["Basic", () => `Basic ${btoa("alice:password")}`],
    ["Basic with the token for a password", (good) => `Basic ${btoa(`:${good}`)}`],
    ["Digest", () => 'Digest username="alice"'],
    ["no token", () => "Bearer"],
    ["an empty token", () => "Bearer "],
    ["nothing", () => ""],
    ["null", () => "Bearer null"],
    ["undefined", () => "Bearer undefined"],
    ["a made-up token", () => "Bearer aaaa.bbbb.cccc"],
    ["a token of the algorithm none", () => `Bearer ${btoa('{"alg":"none"}')}.${btoa('{"sub":"alice"}')}.`],
  ];
  it.each(schemes)("refuses %s on a route that needs a caller, and on a public one", async (_what, write) => {
    const authorization = write(await token("alice"));
    for (const line of ["GET /v1/me", "GET /v1/maybe", "GET /v1/open", "POST /v1/notes"]) {
      const reply = await send(line, authorization);
      expect([reply.status, reply.headers.get("www-authenticate")?.startsWith("Bearer")], line).toEqual([401, true]);
      expect(reply.said).not.toContain("subject");
    }
  });

  it("refuses a tab for the blank, which only some readers take for one", async () => {
    const reply = await send("GET /v1/me", `Bearer\t${await token("alice")}`);
    expect([reply.status, reply.code]).toEqual([400, "bad-header"]);
  });

  it("takes a bad credential for neither a caller nor a stranger", async () => {
    expect((await door.ask("GET /v1/maybe")).json).toMatchObject({ subject: "nobody" });
    expect((await door.ask("GET /v1/maybe", { as: "alice" })).json).toMatchObject({ subject: "alice" });
    const expired = await bearer("alice", { iat: 1_000_000_000, exp: 1_000_000_600 });
    const reply = await door.ask("GET /v1/maybe", { headers: expired });
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token"']);
  });

  it("refuses two Authorization headers, also of the same token", async () => {
    const good = `Bearer ${await token("alice")}`;
    for (const second of [good, "Bearer x", ""]) {
      const reply = await send("GET /v1/me", [good, second]);
      expect([reply.status, reply.code]).toEqual([400, "bad-header"]);
    }
  });

  it("finds no token anywhere else", async () => {
    const good = await token("alice");
    const elsewhere: readonly Readonly<Record<string, string>>[] = [
      { "Proxy-Authorization": `Bearer ${good}` },
      { "X-Authorization": `Bearer ${good}` },
      { "X-Access-Token": good },
      { "X-Forwarded-Authorization": `Bearer ${good}` },
      { Cookie: `token=${good}; Authorization=Bearer ${good}` },
      { "X-User": "alice", "X-User-Id": "alice", "X-Forwarded-User": "alice", "Remote-User": "alice" },
    ];
    for (const headers of elsewhere) {
      const reply = await door.ask("GET /v1/me", { headers });
      expect([reply.status, reply.code], Object.keys(headers).join()).toEqual([401, "no-credential"]);
    }
    expect((await door.ask(`GET /v1/me?access_token=${good}`)).code).toBe("credential-in-url");
    const inBody = await door.ask("POST /v1/notes", { json: { text: "x", access_token: good } });
    expect(inBody.code).toBe("no-credential");
  });

  it("refuses the header under another spelling, which some other server would read", async () => {
    const good = `Bearer ${await token("alice")}`;
    const reply = await door.ask("GET /v1/me", { headers: { Authorization_: good } });
    expect(reply.status).toBe(401);
  });

  it("answers 404 for an unknown path whatever was sent with it", async () => {
    for (const authorization of ["Bearer bad", "Basic x", `Bearer ${await token("alice")}`]) {
      expect((await send("GET /v1/none", authorization)).code).toBe("route-not-found");
    }
  });

  it("tells the client nothing of why, and the record all of it", async () => {
    const stranger = await door.ask("GET /v1/me");
    const expired = await door.ask("GET /v1/me", { headers: await bearer("alice", { exp: 1_000_000_000 }) });
    for (const reply of [stranger, expired]) {
      expect(reply.json).toMatchObject({ title: "Authentication required", status: 401 });
      expect(Object.keys(z.record(z.string(), z.unknown()).parse(reply.json)).sort()).toEqual(
        ["type", "code", "status", "title", "requestId"].sort(),
      );
    }
    expect(await door.recorded(stranger)).toContainEqual(
      expect.objectContaining({ type: "refused", protection: "authentication", code: "no-credential" }),
    );
    const entries = await door.recorded(expired);
    expect(entries).toContainEqual(
      expect.objectContaining({ protection: "jwt", reason: expect.stringMatching(/exp/) }),
    );
  });
});

describe("authentication with several kinds of credential", () => {
  let key = "";
  let bearerKey = "";
  const store = memoryKeyStore();
  const inBearer = memoryKeyStore();
  beforeAll(async () => {
    key = (await issueApiKey({ store, prefix: "prj", subject: "carol", scopes: [], name: "k" })).key;
    bearerKey = (await issueApiKey({ store: inBearer, prefix: "two", subject: "dave", scopes: [], name: "k" })).key;
  });
  const door = sharedDoor(() => {
    const test = testApi({
      credentials: [
        tokens,
        apiKeys({ prefix: "two", store: inBearer, name: "bearer-keys" }),
        apiKeys({ prefix: "prj", store, header: "X-Api-Key" }),
        session({
          cookies: ["__Host-s"],
          resolve: (cookies) => (cookies["__Host-s"] === "e" ? { subject: "erin" } : null),
        }),
      ],
    });
    whoAmI(test.api);
    return test;
  });
  const ask = async (headers: Readonly<Record<string, string | readonly string[]>>, line = "GET /v1/me") => {
    const reply = await door.ask(line, { headers });
    return reply.code ?? Who.parse(reply.json).subject;
  };

  it("knows each by its own place and shape", async () => {
    expect(await ask(await bearer("alice"))).toBe("alice");
    expect(await ask({ "X-Api-Key": key })).toBe("carol");
    expect(await ask({ Authorization: `Bearer ${bearerKey}` })).toBe("dave");
    expect(await ask({ Cookie: "__Host-s=e" })).toBe("erin");
  });

  it("takes no credential in the place of another", async () => {
    expect(await ask({ Authorization: `Bearer ${key}` })).toBe("bad-credential");
    expect(await ask({ "X-Api-Key": bearerKey })).toBe("bad-api-key");
    expect(await ask({ "X-Api-Key": await token("alice") })).toBe("bad-api-key");
    expect(await ask({ "X-Api-Key": `Bearer ${key}` })).toBe("bad-api-key");
    expect(await ask({ Cookie: `__Host-s=${key}` })).toBe("no-credential");
  });

  it("refuses two credentials, good or bad, of one caller or two, on public routes too", async () => {
    const { authorization } = await bearer("alice");
    const pairs: readonly Readonly<Record<string, string>>[] = [
      { Authorization: authorization, "X-Api-Key": key },
      { Authorization: authorization, "X-Api-Key": "nonsense" },
      { Authorization: authorization, "X-Api-Key": "" },
      { Authorization: authorization, Cookie: "__Host-s=e" },
      { "X-Api-Key": key, Cookie: "__Host-s=e" },
      { "X-Api-Key": key, Cookie: "__Host-s=stale" },
    ];
    for (const headers of pairs) {
      for (const line of ["GET /v1/me", "GET /v1/maybe"]) {
        expect(await ask(headers, line), JSON.stringify(Object.keys(headers))).toBe("several-credentials");
      }
    }
    expect(await ask({ Authorization: "Basic x", "X-Api-Key": key })).toBe("bad-credential");
  });

  it("does not count an empty cookie as one", async () => {
    expect(await ask({ ...(await bearer("alice")), Cookie: "__Host-s=" })).toBe("alice");
  });

  it("refuses a key header that is sent twice or under another spelling", async () => {
    expect(await ask({ "X-Api-Key": [key, key] })).toBe("bad-header");
    expect(await ask({ "X-Api-Key": key, X_Api_Key: "other" })).toBe("bad-header");
    expect(await ask({ X_Api_Key: key })).toBe("bad-header");
  });

  it("refuses an empty or a bad key on a public route too", async () => {
    for (const bad of ["", "prj_live_x", `${key}x`, key.toUpperCase()]) {
      expect(await ask({ "X-Api-Key": bad }, "GET /v1/maybe"), bad).toBe("bad-api-key");
    }
  });
});

describe("authentication that cannot decide", () => {
  const alice: Caller = {
    subject: "alice",
    tenant: undefined,
    scopes: [],
    roles: [],
    proof: { kind: "jwt", issuer: undefined, credentialId: undefined, ambient: false, claims: {} },
  };
  const verdicts: Readonly<Record<string, CredentialVerifier["verify"]>> = {
    good: () => alice,
    later: () => Promise.resolve(alice),
    throws: () => {
      throw new Error("key store at db-7 is gone");
    },
    rejects: () => Promise.reject(new Error("key store at db-7 is gone")),
    hangs: () => wait(60_000, alice, { ref: false }),
    unavailable: () => new Refusal("verifier-unavailable", "no keys"),
  };
  const own: Credential = {
    protection: "jwt",
    name: "own",
    carrier: { in: "header", header: "x-own" },
    issuer: undefined,
    mapsSubject: false,
    problems: () => [],
    describe: () => ({}),
    build: () => ({
      recognises: () => true,
      cached: () => undefined,
      verify: (value) => verdicts[value]?.(value) ?? new Refusal("bad-credential", "no"),
    }),
  };
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [own], handlerTimeoutMs: 60 });
    whoAmI(test.api);
    return test;
  });

  it.each(["throws", "rejects", "hangs", "unavailable"])("refuses with 503 where the verifier %s", async (verdict) => {
    for (const line of ["GET /v1/me", "GET /v1/maybe"]) {
      const reply = await door.ask(line, { headers: { "X-Own": verdict } });
      expect([reply.status, reply.code], line).toEqual([503, "verifier-unavailable"]);
      expect(reply.said).not.toMatch(/db-7|subject/);
    }
  });

  it("tells the log the cause, and the client that it may come again", async () => {
    const reply = await door.ask("GET /v1/me", { headers: { "X-Own": "throws" } });
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({ type: "error-thrown", error: expect.stringContaining("db-7 is gone") }),
    );
  });

  it("admits where it decides, at once or later", async () => {
    for (const verdict of ["good", "later"]) {
      expect((await door.ask("GET /v1/me", { headers: { "X-Own": verdict } })).json).toMatchObject({
        subject: "alice",
      });
    }
  });
});

describe("authentication and the roles function", () => {
  const door = sharedDoor(() => {
    const test = testApi({
      handlerTimeoutMs: 500,
      roles(caller): readonly string[] | Promise<readonly string[]> {
        if (caller.subject === "throws") throw new Error("no roles");
        if (caller.subject === "rejects") return Promise.reject(new Error("no roles"));
        if (caller.subject === "hangs") return wait(60_000, [], { ref: false });
        if (caller.subject === "later") return Promise.resolve(["admin"]);
        if (caller.subject === "null") return JSON.parse("null");
        if (caller.subject === "text") return JSON.parse('"admin"');
        return taken ? [] : ["admin"];
      },
    });
    whoAmI(test.api);
    test.api.route({ path: "GET /v1/admin", access: { roles: ["admin"] }, output: nothing, limit }, () => undefined);
    return test;
  });
  let taken = false;

  it("asks on every request, so that a role that is taken is gone at once", async () => {
    taken = false;
    const headers = await bearer("alice");
    expect((await door.ask("GET /v1/admin", { headers })).status).toBe(204);
    taken = true;
    expect((await door.ask("GET /v1/admin", { headers })).code).toBe("role-missing");
    expect((await door.ask("GET /v1/admin", { as: "later" })).status).toBe(204);
  });

  it("wins over what the token says of itself", async () => {
    taken = true;
    const reply = await door.ask("GET /v1/me", { headers: await bearer("alice", { roles: ["admin"], role: "admin" }) });
    expect(reply.json).toEqual({ subject: "alice", roles: [] });
  });

  it.each(["throws", "rejects", "hangs", "null", "text"])(
    "lets nobody in where it answers nonsense or nothing: %s, on public routes too",
    async (as) => {
      for (const line of ["GET /v1/admin", "GET /v1/me", "GET /v1/maybe"]) {
        const reply = await door.ask(line, { as });
        expect(reply.status, line).toBeGreaterThanOrEqual(500);
        expect(reply.said).not.toMatch(/no roles|subject/);
      }
    },
  );
});

describe("authentication at the start", () => {
  const problems = (policy: Readonly<Record<string, unknown>>, credentials: readonly Credential[] = [tokens]) => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials });
    routeUntyped(api, { path: "GET /v1/x", output: nothing, ...policy });
    return api.problems().map((one) => `${one.field}: ${one.problem}`);
  };

  it("refuses a route that does not say who may call it", () => {
    expect(problems({})).toEqual(["access: nobody decided who may call it"]);
    expect(problems({ access: {} })).toEqual(["access: demands nothing"]);
    expect(problems({ access: undefined })).toEqual(["access: nobody decided who may call it"]);
    expect(problems({ access: publicAccess("") })).toEqual(["access: is public without a reason"]);
    expect(problems({ access: publicAccess("uptime checks") })).toEqual([]);
  });

  it("refuses a route that needs a caller where no credential could prove one", () => {
    expect(problems({ access: anyCaller }, [])).toEqual(["access: needs a caller and the API accepts no credential"]);
  });
});
