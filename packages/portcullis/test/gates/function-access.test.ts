import { anyCaller, apiKeys, createApi, issueApiKey, memoryKeyStore, nothing, publicAccess, session } from "portcullis";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { bearer, richTokens, routeUntyped, sharedDoor, testApi, tokens } from "../front-door.ts";

const limit = "100000/s";

describe("function-access", () => {
  const store = memoryKeyStore();
  let reader = "";
  let writer = "";
  const ran: string[] = [];
  beforeAll(async () => {
    const issue = (scopes: readonly string[]) =>
      issueApiKey({ store, prefix: "prj", subject: "kim", scopes, name: "k" });
    reader = (await issue(["notes:read"])).key;
    writer = (await issue(["notes:read", "notes:write"])).key;
  });
  const door = sharedDoor(() => {
    const test = testApi({
      credentials: [
        richTokens,
        apiKeys({ prefix: "prj", store, header: "x-api-key" }),
        session({
          cookies: ["__Host-s"],
          resolve: (cookies) => ({ subject: "sam", scopes: ["notes:read"], roles: [cookies["__Host-s"] ?? ""] }),
        }),
      ],
    });
    const route = (path: string, access: unknown): void =>
      routeUntyped(test.api, { path, access, output: nothing }, () => void ran.push(path));
    route("GET /v1/read", { scopes: ["notes:read"] });
    route("POST /v1/write", { scopes: ["notes:read", "notes:write"] });
    route("GET /v1/admin", { roles: ["admin", "owner"] });
    route("GET /v1/both", { scopes: ["notes:read"], roles: ["admin"] });
    route("GET /v1/any", anyCaller);
    route("GET /v1/free", publicAccess("x"));
    test.api.route(
      {
        path: "PUT /v1/admin",
        access: { roles: ["admin"] },
        input: { body: z.strictObject({ name: z.string().max(5) }) },
        output: nothing,
        limit,
      },
      () => void ran.push("PUT /v1/admin"),
    );
    return test;
  });
  const ask = async (line: string, claims: Readonly<Record<string, unknown>>) => {
    const reply = await door.ask(line, { headers: await bearer("alice", claims) });
    return reply.code ?? reply.status;
  };

  it("demands every scope that is named", async () => {
    expect(await ask("POST /v1/write", { scope: "notes:read notes:write" })).toBe(204);
    expect(await ask("POST /v1/write", { scope: "notes:write notes:read more" })).toBe(204);
    expect(await ask("POST /v1/write", { scope: "notes:write" })).toBe("scope-missing");
    expect(await ask("POST /v1/write", { scope: "notes:read" })).toBe("scope-missing");
    expect(await ask("POST /v1/write", {})).toBe("scope-missing");
  });

  it.each([
    "notes",
    "notes:",
    "notes:*",
    "*",
    "notes:reader",
    "NOTES:READ",
    "xnotes:read",
    "notes:read,notes:write",
    "notes:read;",
    "notes:rea",
    "",
  ])("takes no other text for a scope: %s", async (scope) => {
    expect(await ask("GET /v1/read", { scope })).toBe("scope-missing");
  });

  it("demands one of the roles that are named, exactly", async () => {
    expect(await ask("GET /v1/admin", { roles: ["admin"] })).toBe(204);
    expect(await ask("GET /v1/admin", { roles: ["x", "owner"] })).toBe(204);
    for (const roles of [["Admin"], ["administrator"], ["admi"], ["admin "], ["user"], [], ["*"]]) {
      expect(await ask("GET /v1/admin", { roles }), roles.join()).toBe("role-missing");
    }
    expect(await ask("GET /v1/admin", {})).toBe("role-missing");
    expect(await ask("GET /v1/admin", { role: "admin", admin: true, is_admin: true, groups: ["admin"] })).toBe(
      "role-missing",
    );
  });

  it("demands scopes and roles together where both are named", async () => {
    expect(await ask("GET /v1/both", { scope: "notes:read", roles: ["admin"] })).toBe(204);
    expect(await ask("GET /v1/both", { scope: "notes:read" })).toBe("role-missing");
    expect(await ask("GET /v1/both", { roles: ["admin"] })).toBe("scope-missing");
  });

  it("takes no role for a scope and no scope for a role", async () => {
    expect(await ask("GET /v1/admin", { scope: "admin owner" })).toBe("role-missing");
    expect(await ask("GET /v1/read", { roles: ["notes:read"] })).toBe("scope-missing");
  });

  it("says 403 with the scopes that are needed, and runs nothing", async () => {
    ran.length = 0;
    const reply = await door.ask("POST /v1/write", { as: "alice" });
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="notes:read notes:write"',
    ]);
    const role = await door.ask("GET /v1/admin", { as: "alice" });
    expect([role.status, role.headers.has("www-authenticate"), role.said.includes("admin")]).toEqual([
      403,
      false,
      false,
    ]);
    expect(ran).toEqual([]);
  });

  it("says 401 to a stranger, because a scope is not what he lacks", async () => {
    for (const line of ["GET /v1/read", "GET /v1/admin", "GET /v1/both"]) {
      expect((await door.ask(line)).code, line).toBe("no-credential");
    }
  });

  it("refuses before the body is read, so that no admin's schema is told to a user", async () => {
    const reply = await door.ask("PUT /v1/admin", { as: "alice", json: { wrong: true } });
    expect(reply.code).toBe("role-missing");
  });

  it("holds keys and sessions to the same", async () => {
    const key = async (line: string, value: string) => (await door.ask(line, { headers: { "X-Api-Key": value } })).code;
    expect(await key("GET /v1/read", reader)).toBeUndefined();
    expect(await key("POST /v1/write", reader)).toBe("scope-missing");
    expect(await key("POST /v1/write", writer)).toBeUndefined();
    expect(await key("GET /v1/admin", writer)).toBe("role-missing");
    const cookie = async (line: string, value: string) =>
      (await door.ask(line, { headers: { Cookie: `__Host-s=${value}` } })).code;
    expect(await cookie("GET /v1/admin", "admin")).toBeUndefined();
    expect(await cookie("GET /v1/admin", "user")).toBe("role-missing");
    expect(await cookie("GET /v1/read", "user")).toBeUndefined();
  });

  it("guards HEAD like GET and no more than the method that was asked for", async () => {
    expect((await door.ask("HEAD /v1/admin", { as: "alice" })).status).toBe(403);
    expect((await door.ask("HEAD /v1/admin", { headers: await bearer("alice", { roles: ["admin"] }) })).status).toBe(
      204,
    );
    expect(await ask("GET /v1/admin", { roles: ["admin"] })).toBe(204);
  });

  it("demands nothing more where the policy says so", async () => {
    expect(await ask("GET /v1/any", {})).toBe(204);
    expect((await door.ask("GET /v1/free")).status).toBe(204);
  });

  it("is one event with what was lacking, for the record only", async () => {
    const reply = await door.ask("GET /v1/admin", { as: "alice" });
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({
        protection: "function-access",
        code: "role-missing",
        reason: "needs one of admin, owner",
      }),
    );
  });
});

describe("function-access at the start", () => {
  const problems = (access: unknown, credentials = [tokens]) => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials });
    routeUntyped(api, { path: "GET /v1/x", access, output: nothing });
    return api.problems().map((one) => one.field);
  };

  it("refuses roles that nothing gives", () => {
    expect(problems({ roles: ["admin"] })).toContain("access.roles");
    expect(problems({ roles: ["admin"] }, [richTokens])).toEqual([]);
  });

  it("refuses an empty demand, which would let everybody in", () => {
    for (const access of [{ scopes: [] }, { roles: [] }, { scopes: [], roles: [] }])
      expect(problems(access)).toEqual(["access"]);
  });
});
