import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, parseJson, isRecord, textAt } from "../src/json.ts";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe("sessions", { timeout: 60_000 }, () => {
  it("finds nothing where sessions are made, kept and ended as they should be, and nobody is told apart", async () => {
    const found = await scanSessions({});
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(
      expect.arrayContaining(["one-answer", "one-time", "fixation", "sign-out", "session-in-url", "token-sign-out"]),
    );
  });

  it("finds a cookie without its flags", async () => {
    const found = await scanSessions({ flags: "" });
    expect(found.broken).toEqual(["cookie-httponly", "cookie-secure", "cookie-samesite"]);
  });

  it("finds a session id that survives sign-in, whether the client made it up or the server gave it away", async () => {
    expect((await scanSessions({ adopts: "any" })).broken).toContain("fixation");
    server?.close();
    expect((await scanSessions({ adopts: "issued", issues: true })).broken).toContain("fixation");
  });

  it("finds that signing in again goes on with the session there was", async () => {
    expect((await scanSessions({ keepsOld: true })).broken).toEqual(["rotation"]);
  });

  it("finds a session elsewhere that outlives signing out everywhere", async () => {
    const found = await scanSessions({ everywhere: "ends only this one" });
    expect(found.broken).toEqual(["sign-out-everywhere"]);
    server?.close();
    expect((await scanSessions({ everywhere: "ends all" })).held).toContain("sign-out-everywhere");
  });

  it("finds a cookie that is to live for ever, and none in one that is remembered for a season", async () => {
    const flags = "; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=";
    expect((await scanSessions({ flags: `${flags}315360000` })).broken).toEqual(["cookie-lifetime"]);
    server?.close();
    expect((await scanSessions({ flags: `${flags}7776000` })).broken).toEqual([]);
  });

  it("finds a session and a token that outlive sign-out", async () => {
    expect((await scanSessions({ forgets: false })).broken).toEqual(["sign-out", "token-sign-out"]);
  });

  it("signs nobody in where a password is asked for again, to delete the account or to change it", async () => {
    const found = await scanSessions({});
    const at = found.verdicts.filter(({ operation }) => operation === "POST /account/delete");
    expect(at.map(({ verdict }) => verdict)).not.toContain("held");
    expect(found.deleted).toEqual([]);
  });

  it("finds a session id taken from the URL", async () => {
    expect((await scanSessions({ inUrl: true })).broken).toEqual(["session-in-url"]);
  });

  it("finds words, a status and a header that tell who has an account", async () => {
    for (const unknown of [
      { status: 404, json: { error: "Wrong name or password" } },
      { status: 401, json: { error: "No such user" } },
      { status: 401, json: { error: "Wrong name or password", hint: "Register first" } },
      { status: 401, json: { error: "Wrong name or password" }, headers: { "x-reason": "no-user" } },
    ]) {
      const found = await scanSessions({ unknown });
      expect(found.at("one-answer")).toEqual(["POST /login"]);
      server?.close();
    }
  });

  it("finds a reset that tells who has an account, and leaves a sign-up in peace that must refuse a taken name", async () => {
    const found = await scanSessions({ resetTells: true });
    expect(found.at("one-answer")).toEqual(["POST /forgot-password"]);
    expect(found.verdicts.find(({ operation }) => operation === "POST /register")?.verdict).toBe("not-applicable");
  });

  it("finds a page that tells it, in whatever way it writes the name", async () => {
    const found = await scanSessions({ resetTells: "in a page" });
    expect(found.at("one-answer")).toEqual(["POST /forgot-password"]);
  });

  it("finds a sign-up that promises a message to everybody and tells the taken names all the same", async () => {
    const found = await scanSessions({ signUp: "tells" });
    expect(found.at("one-answer")).toEqual(["POST /register"]);
  });

  it("finds the time a password is hashed only for those who exist", async () => {
    const found = await scanSessions({ hashMs: { known: 60, unknown: 0 } });
    expect(found.broken).toEqual(["one-time"]);
  });

  it("does not take noise for a difference, however large it is", async () => {
    const found = await scanSessions({ hashMs: { known: 5, unknown: 5, jitter: 80 } });
    expect(found.broken).toEqual([]);
  });
});

interface Behaviour {
  readonly flags?: string;
  /** Which ids from before a sign-in it goes on with. */
  readonly adopts?: "any" | "issued";
  /** Gives everybody a session before anybody signs in. */
  readonly issues?: boolean;
  readonly forgets?: boolean;
  /** Who is signed in already keeps his session id when he signs in again. */
  readonly keepsOld?: true;
  readonly everywhere?: "ends all" | "ends only this one";
  readonly inUrl?: boolean;
  readonly unknown?: { status: number; json: JsonRecord; headers?: Readonly<Record<string, string>> };
  readonly resetTells?: boolean | "in a page";
  readonly signUp?: "tells";
  readonly hashMs?: { readonly known: number; readonly unknown: number; readonly jitter?: number };
}

async function scanSessions(behaviour: Behaviour) {
  const deleted: string[] = [];
  const url = await serve(behaviour, deleted);
  const { verdicts } = await scan({
    url,
    openapi: description,
    only: ["sessions"],
    identities: [identityOf("alice", "Bearer token-of-alice-0000")],
    accounts: [
      { user: "alice@example.com", password: "correct horse" },
      { user: "dora@example.com", password: "battery staple" },
    ],
    seed: 1,
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return {
    broken: named("broken"),
    held: named("held"),
    at: (name: string) =>
      verdicts.filter(({ verdict, check }) => verdict === "broken" && check === name).map(({ operation }) => operation),
    verdicts,
    deleted,
  };
}

const credentials = {
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["email", "password"],
        properties: { email: { type: "string", format: "email" }, password: { type: "string", minLength: 8 } },
      },
    },
  },
};
const onlyName = {
  content: {
    "application/json": {
      schema: { type: "object", required: ["email"], properties: { email: { type: "string", format: "email" } } },
    },
  },
};
const fine = { responses: { 200: { description: "Fine" } } };
const everybody = { security: [] };

const description = {
  openapi: "3.1.0",
  info: { title: "sessions", version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  paths: {
    "/me": { get: fine },
    "/session": { post: { ...everybody, ...fine, requestBody: credentials } },
    "/login": { post: { ...everybody, ...fine, requestBody: credentials } },
    "/logout": { post: fine },
    "/logout-everywhere": { post: fine },
    "/account/delete": { post: { ...everybody, ...fine, requestBody: credentials } },
    "/register": { post: { ...everybody, ...fine, requestBody: credentials } },
    "/forgot-password": { post: { ...everybody, ...fine, requestBody: onlyName } },
  },
};

/** The API itself, on loopback: cookies by POST /session, tokens by POST /login. */
async function serve(behaviour: Behaviour, deleted: string[]): Promise<string> {
  const flags = behaviour.flags ?? "; HttpOnly; Secure; SameSite=Strict; Path=/";
  const accounts = new Map([
    ["alice@example.com", "correct horse"],
    ["dora@example.com", "battery staple"],
  ]);
  const open = new Map<string, string>();
  const issued = new Set<string>();
  const fresh = () => randomBytes(24).toString("base64url");

  const listening = createServer((request, response) => {
    void answer().catch(() => response.destroy());

    async function answer(): Promise<void> {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      const json = parseJson(text);
      const body = isRecord(json) ? json : {};
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
      const cookie = /(?:^|; )sid=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
      const token = request.headers.authorization?.replace(/^Bearer /, "");
      const session = cookie ?? (behaviour.inUrl === true ? (searchParams.get("sid") ?? undefined) : undefined);
      const who =
        open.get(token ?? session ?? "") ?? (token === "token-of-alice-0000" ? "alice@example.com" : undefined);
      const say = (status: number, what: unknown, headers: Readonly<Record<string, string>> = {}) => {
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(what));
      };
      const given: Record<string, string> = {};
      if (behaviour.issues === true && cookie === undefined) {
        const id = fresh();
        issued.add(id);
        given["set-cookie"] = `sid=${id}${flags}`;
      }
      const user = textAt(body, "email") ?? "";
      if (pathname === "/me") return say(who === undefined ? 401 : 200, { id: who ?? "Nobody" }, given);
      if (pathname === "/logout") {
        if (behaviour.forgets !== false) open.delete(token ?? session ?? "");
        return say(200, { bye: true });
      }
      if (pathname === "/logout-everywhere" && behaviour.everywhere !== undefined) {
        for (const [id, whose] of open) if (behaviour.everywhere === "ends all" && whose === who) open.delete(id);
        open.delete(session ?? "");
        return say(200, { bye: true });
      }
      if (pathname === "/forgot-password") {
        if (behaviour.resetTells === "in a page") {
          const text = accounts.has(user) ? "a mail was sent" : "no such account";
          response.writeHead(200, { "content-type": "text/html" }).end(`<p>${user.replace("@", "&#64;")}: ${text}</p>`);
          return;
        }
        const tells = behaviour.resetTells === true && !accounts.has(user);
        return say(200, { message: tells ? "We do not know that address" : "Look into your mail" });
      }
      if (pathname === "/account/delete") {
        if (accounts.get(user) === textAt(body, "password")) deleted.push(user);
        return say(200, {});
      }
      if (pathname === "/register") {
        if (behaviour.signUp === "tells")
          return say(202, { message: accounts.has(user) ? "That name is taken" : "Look into your mail" });
        if (accounts.has(user)) return say(409, { error: "That name is taken" });
        accounts.set(user, textAt(body, "password") ?? "");
        return say(201, { id: fresh() });
      }
      if (pathname !== "/session" && pathname !== "/login") return say(404, { error: "Not found" }, given);
      const { known = 0, unknown = 0, jitter = 0 } = behaviour.hashMs ?? {};
      const waits = (accounts.has(user) ? known : unknown) + Math.random() * jitter;
      if (waits > 0 && pathname === "/login") await new Promise((resolve) => setTimeout(resolve, waits));
      if (accounts.get(user) !== textAt(body, "password")) {
        const { unknown: told } = behaviour;
        if (told !== undefined && !accounts.has(user) && pathname === "/login")
          return say(told.status, told.json, told.headers);
        return say(401, { error: "Wrong name or password" });
      }
      const isBack = behaviour.keepsOld === true && open.has(cookie ?? "");
      const adopted =
        isBack || behaviour.adopts === "any" || (behaviour.adopts === "issued" && issued.has(cookie ?? ""));
      const id = adopted && cookie !== undefined ? cookie : fresh();
      open.set(id, user);
      if (pathname === "/login") return say(200, { accessToken: id });
      return say(200, { id: user }, { "set-cookie": `sid=${id}${flags}` });
    }
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}
