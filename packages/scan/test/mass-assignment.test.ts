import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, recordAt, textAt } from "../src/json.ts";
import type { ScanResult } from "../src/scan.ts";
import { type Asked, type Answered, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

describe("a sign-up", { timeout: 30_000 }, () => {
  it("finds a role that whoever signs up gives himself, in his own record", async () => {
    const found = await scanSignUp({ stores: (body) => ({ role: "user", ...body }) });
    expect(found).toEqual(["broken sign-up-fields"]);
  });

  it("names the accounts that were given more power, and none that was not", async () => {
    const { leftovers } = await signUpResult({ stores: (body) => ({ role: "user", ...body }) });
    const named = leftovers.filter((line) => line.includes('has "role": "admin"'));
    expect(named).toHaveLength(2);
    expect(named[0]).toMatch(/^the account \S+@\S+, made by POST \/register, has .*: take that away or delete it$/);
    expect((await signUpResult({ stores: () => ({ role: "user" }) })).leftovers.join()).not.toContain("has ");
  });

  it("finds it where a body with all the fields is refused, by a column that knows its words", async () => {
    const known = (body: JsonRecord) => Object.keys(body).every((name) => ["email", "password", "role"].includes(name));
    const found = await scanSignUp({
      refuses: (body) => !known(body) || !["user", "admin"].includes(textAt(body, "role") ?? "user"),
      stores: ({ role = "user" }) => ({ role }),
    });
    expect(found).toEqual(["broken sign-up-fields"]);
  });

  it("finds it where the answer alone shows it, and not where an answer repeats what was sent", async () => {
    const stores = ({ role = "user" }: JsonRecord) => ({ role });
    expect(await scanSignUp({ stores, view: () => ({}) })).toEqual(["broken sign-up-fields"]);
    const echoes = await scanSignUp({ stores: () => ({}), view: () => ({}), answer: (body) => body });
    expect(echoes).toEqual(["held sign-up-fields"]);
  });

  it("holds where fields nobody declared are left out, or refused", async () => {
    expect(await scanSignUp({ stores: () => ({ role: "user" }) })).toEqual(["held sign-up-fields"]);
    const closed = (body: JsonRecord) => Object.keys(body).length > 2;
    expect(await scanSignUp({ refuses: closed, stores: () => ({}) })).toEqual(["held sign-up-fields"]);
  });

  it("says nothing of an API that shows no account to anybody", async () => {
    const found = await scanSignUp({ stores: (body) => body, view: () => undefined, answer: () => ({}) });
    expect(found).toEqual(["not-applicable sign-up-fields"]);
  });
});

describe("a field that somebody gives his own record", () => {
  const scanMe = async (takesBack: boolean) => {
    const record: Record<string, unknown> = { id: "alice", name: "Alice" };
    const before = ({ method, path, who, body }: Asked): Answered | undefined => {
      if (path !== "/me" || who !== "alice") return undefined;
      if (method !== "PATCH") return [200, record];
      for (const [name, value] of Object.entries(body)) if (takesBack || value !== null) record[name] = value;
      return [200, record];
    };
    const started = await startThings({ before });
    const fields = { type: "object", properties: { id: { type: "string" }, name: { type: "string" } } };
    const content = { "application/json": { schema: fields } };
    const named = { "application/json": { schema: { type: "object", properties: { name: { type: "string" } } } } };
    const responses = { 200: { description: "You", content } };
    const paths = { "/me": { get: { responses }, patch: { requestBody: { content: named }, responses } } };
    const openapi = { ...description, paths };
    const { verdicts } = await scanThings(started.url, ["mass-assignment"], { openapi });
    await started.close();
    return { record, found: verdicts.filter(({ verdict }) => verdict === "broken") };
  };

  it("is emptied again where it was not there before, and where it cannot be, that is said", async () => {
    const emptied = await scanMe(true);
    expect(emptied.record).toMatchObject({ name: "Alice", role: null, isAdmin: null });
    expect(emptied.found.map(({ check }) => check)).toEqual(["own-record-power"]);
    expect(emptied.found[0]?.why).toMatch(/^"role", "roles", .*"verified" of .* two different values of each stuck\.$/);
    expect((await scanMe(false)).found[0]?.why).toContain('"role" could not be taken out again; ');
  });
});

describe("fields of what is created and changed", { timeout: 30_000 }, () => {
  const scanStored = async (keeps: (name: string) => boolean) => {
    const stored = new Map<string, JsonRecord>();
    const started = await startThings({
      before: ({ method, path, who, body }) => {
        const id = /^\/things\/([^/]+)$/.exec(path)?.[1];
        if (who === undefined || (path !== "/things" && id === undefined)) return undefined;
        const kept = Object.fromEntries(Object.entries(body).filter(([name]) => name === "name" || keeps(name)));
        if (id === undefined && method === "POST") {
          const made = { owner: who, ...kept, id: randomUUID() };
          stored.set(made.id, made);
          return [201, made];
        }
        const thing = stored.get(id ?? "");
        if (thing === undefined) return undefined;
        if (method === "PATCH") stored.set(id ?? "", { ...thing, ...kept });
        if (method === "DELETE") stored.delete(id ?? "");
        return method === "DELETE" ? [204] : [200, stored.get(id ?? "")];
      },
    });
    close = started.close;
    const { verdicts } = await scanThings(started.url, ["mass-assignment"]);
    const told = verdicts.map(({ verdict, check, operation, why }) => ({
      verdict,
      name: `${check} ${operation}`,
      why,
    }));
    return { told, broken: told.filter(({ verdict }) => verdict === "broken") };
  };

  it("are one finding of each operation, which names all that stuck, the worst first", async () => {
    const { broken } = await scanStored(() => true);
    expect(broken.map(({ name }) => name)).toEqual([
      "server-set-power POST /things",
      "server-set-power PATCH /things/:id",
    ]);
    for (const { why } of broken) expect(why).toMatch(/^"role", "roles", .*"owner.*"createdAt" are set by the client/);
  });

  it("are another finding where one that is worse sticks, and the same where one sticks that is not", async () => {
    const names = async (...fields: readonly string[]) => {
      const { broken, told } = await scanStored((name) => fields.includes(name));
      await close?.();
      expect(told.filter(({ verdict }) => verdict === "held").map(({ name }) => name)).toContain(
        fields.includes("role") ? "server-set POST /things" : "server-set-power POST /things",
      );
      return broken.map(({ name }) => name)[0];
    };
    expect(await names("plan")).toBe("server-set POST /things");
    expect(await names("plan", "createdAt")).toBe("server-set POST /things");
    expect(await names("role")).toBe("server-set-power POST /things");
  });

  it("hold where none of them is kept", async () => {
    const { broken, told } = await scanStored(() => false);
    expect(broken).toEqual([]);
    expect(told.filter(({ verdict }) => verdict === "held").length).toBeGreaterThan(0);
  });
});

interface SignUp {
  readonly refuses?: (body: JsonRecord) => boolean;
  /** What is kept of a body besides the name and the password. */
  readonly stores: (body: JsonRecord) => JsonRecord;
  /** What `/me` shows of it; undefined refuses. Default: all. */
  readonly view?: (kept: JsonRecord) => JsonRecord | undefined;
  /** What a sign-up is answered with, besides the id; default: what is kept. */
  readonly answer?: (body: JsonRecord, kept: JsonRecord) => JsonRecord;
}

/** What is said of the sign-up of an API that keeps what it is told to. */
async function scanSignUp(api: SignUp): Promise<readonly string[]> {
  const { verdicts } = await signUpResult(api);
  return verdicts
    .filter(({ check, protection }) => protection === "mass-assignment" && check.startsWith("sign-up"))
    .map(({ verdict, check }) => `${verdict} ${check}`);
}

async function signUpResult({ refuses, stores, view = (kept) => kept, answer }: SignUp): Promise<ScanResult> {
  const accounts = new Map<string, { password: string; kept: JsonRecord }>();
  const tokens = new Map<string, string>();

  function before({ method, path, body, request }: Asked): Answered | undefined {
    const email = textAt(body, "email") ?? "";
    const password = textAt(body, "password") ?? "";
    if (method === "POST" && path === "/register") {
      if (refuses?.(body) === true || accounts.has(email)) return [400, { title: "No" }];
      const { email: _email, password: _password, ...rest } = body;
      const kept = stores(rest);
      accounts.set(email, { password, kept });
      return [201, { id: randomUUID(), email, ...(answer?.(rest, kept) ?? kept) }];
    }
    if (method === "POST" && path === "/login") {
      if (accounts.get(email)?.password !== password) return [401, { title: "No" }];
      const token = `tok-${randomUUID()}`;
      tokens.set(`Bearer ${token}`, email);
      return [200, { token }];
    }
    const who = tokens.get(request.headers.authorization ?? "");
    if (who === undefined || path !== "/me") return undefined;
    const shown = view(accounts.get(who)?.kept ?? {});
    return shown === undefined ? [403, { title: "No" }] : [200, { email: who, ...shown }];
  }

  const api = await startThings({ before });
  await close?.();
  close = api.close;
  const text = { type: "string" };
  const schema = { type: "object", required: ["email", "password"], properties: { email: text, password: text } };
  const operation = (status: number) => ({
    post: {
      security: [],
      requestBody: { content: { "application/json": { schema } } },
      responses: { [status]: { description: "It" } },
    },
  });
  return await scanThings(api.url, ["mass-assignment"], {
    openapi: {
      ...description,
      paths: { ...recordAt(description, "paths"), "/register": operation(201), "/login": operation(200) },
    },
  });
}
