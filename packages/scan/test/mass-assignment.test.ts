import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, recordAt, textAt } from "../src/json.ts";
import { type Asked, type Answered, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

describe("a sign-up", { timeout: 30_000 }, () => {
  it("finds a role that whoever signs up gives himself, in his own record", async () => {
    const found = await scanSignUp({ stores: (body) => ({ role: "user", ...body }) });
    expect(found).toEqual(["broken sign-up-fields"]);
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
    return { record, why: verdicts.find(({ check }) => check === "own-role")?.why };
  };

  it("is emptied again where it was not there before, and where it cannot be, that is said", async () => {
    const emptied = await scanMe(true);
    expect(emptied.record).toMatchObject({ name: "Alice", role: null, isAdmin: null });
    expect(emptied.why).toMatch(/two different values stuck\.$/);
    expect((await scanMe(false)).why).toMatch(/two different values stuck; it could not be taken out again\.$/);
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
async function scanSignUp({ refuses, stores, view = (kept) => kept, answer }: SignUp): Promise<readonly string[]> {
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
  const { verdicts } = await scanThings(api.url, ["mass-assignment"], {
    openapi: {
      ...description,
      paths: { ...recordAt(description, "paths"), "/register": operation(201), "/login": operation(200) },
    },
  });
  return verdicts
    .filter(({ check, protection }) => protection === "mass-assignment" && check.startsWith("sign-up"))
    .map(({ verdict, check }) => `${verdict} ${check}`);
}
