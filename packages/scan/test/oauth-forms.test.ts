import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { identityOf, type ScanOptions, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const redirect = "https://app.example.com/callback";
const account = { user: "alice@example.com", password: "correct & horse <battery>" };

describe("an authorization server that somebody wrote, without metadata", { timeout: 60_000 }, () => {
  it("is attacked through a sign-in in two steps, a consent whose first button says no, and an answer by form", async () => {
    const found = await attack({});
    expect(found.why.filter((line) => /^(?:broken|inconclusive)/.test(line))).toEqual([]);
    expect(found.held).toEqual(
      expect.arrayContaining(["redirect-host", "pkce-missing", "verifier-wrong", "code-replay", "grant-implicit"]),
    );
  });

  it("is found to check no verifier", async () => {
    expect((await attack({ verifies: false })).broken).toEqual(["verifier-wrong", "verifier-missing"]);
  });

  it("is found to send a password on by a redirect that keeps the form", async () => {
    const found = await attack({ resends: true });
    expect(found.broken).toEqual(["form-resent"]);
    expect(found.evidence).toContain("<password>");
    expect(found.evidence).not.toMatch(/correct.{0,20}horse/);
  });

  it("is not called broken for a page that says no with 200, nor for sending an error to the address it knows", async () => {
    for (const refusal of ["page", "redirect"] as const) {
      const found = await attack({ refusal });
      expect(found.broken).toEqual([]);
      expect(found.held).toContain("redirect-path");
      server?.close();
    }
  });

  it("is attacked as somebody who is signed in already, where signing in needs scripts", async () => {
    const found = await attack(
      { scripts: true },
      { accounts: [], identities: [identityOf("alice", "cookie:sid=signed-in-already")] },
    );
    expect(found.broken).toEqual([]);
    expect(found.held).toContain("verifier-wrong");
    server?.close();
    const nobody = await attack({ scripts: true });
    expect(nobody.why.filter((line) => line.startsWith("inconclusive"))).toEqual([
      expect.stringMatching(/needs its scripts: pass the cookie of somebody who is signed in/),
    ]);
  });

  it("is not called held where it refuses everybody after a while", async () => {
    const found = await attack({ lastsFor: 5 });
    expect(found.broken).toEqual([]);
    expect(found.held.filter((check) => /^(?:redirect|pkce|verifier|code)-/.test(check))).toEqual([]);
    expect(found.why.join()).toMatch(/an honest flow works no more after the attacks/i);
  });
});

interface Behaviour {
  readonly verifies?: boolean;
  /** How it says no to a redirect address; default 400. */
  readonly refusal?: "page" | "redirect";
  readonly scripts?: true;
  /** Answers the password with 307. */
  readonly resends?: true;
  /** Requests to the token endpoint that are answered at all. */
  readonly lastsFor?: number;
}

async function attack(behaviour: Behaviour, changed: Partial<ScanOptions> = {}) {
  const url = await serve(behaviour);
  const { verdicts } = await scan({
    url,
    openapi: {
      openapi: "3.1.0",
      info: { title: "id", version: "1" },
      paths: { "/me": { get: { responses: { 200: { description: "Me" } } } } },
    },
    only: ["oauth"],
    identities: [],
    accounts: [account],
    oauth: [{ id: "app", redirect, scope: "profile", authorize: "/connect/authorize", token: "/connect/token" }],
    patienceMs: 100,
    seed: 1,
    ...changed,
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return {
    broken: named("broken"),
    held: named("held"),
    evidence: JSON.stringify(verdicts),
    why: verdicts.map(({ check, verdict, why }) => `${verdict} ${check}: ${why}`),
  };
}

/** Two pages to sign in, one to agree, codes with PKCE; answers by a form that sends itself. */
async function serve(behaviour: Behaviour): Promise<string> {
  const sessions = new Map<string, { user: string; step: "password" | "consent" | "done" }>([
    ["signed-in-already", { user: account.user, step: "done" }],
  ]);
  const codes = new Map<string, string>();
  let answered = 0;
  const fresh = () => randomBytes(24).toString("base64url");
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

  const listening = createServer((request, response) => {
    void respond(request).then(
      ([status, body, headers]) => response.writeHead(status, headers).end(body),
      () => response.destroy(),
    );
  });

  async function respond(request: IncomingMessage): Promise<readonly [number, string, Record<string, string>]> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const posted = new URLSearchParams(await textOf(request));
    const json = (status: number, body: unknown) =>
      [status, JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" }] as const;
    const page = (body: string, headers: Record<string, string> = {}) =>
      [200, `<!doctype html><body>${body}`, { "content-type": "text/html; charset=utf-8", ...headers }] as const;
    if (url.pathname === "/connect/token") {
      answered += 1;
      if (answered > (behaviour.lastsFor ?? 1000)) return json(400, { error: "invalid_grant" });
      const challenge = codes.get(posted.get("code") ?? "");
      codes.delete(posted.get("code") ?? "");
      const made = createHash("sha256")
        .update(posted.get("code_verifier") ?? "")
        .digest("base64url");
      if (challenge === undefined || (behaviour.verifies !== false && made !== challenge))
        return json(400, { error: "invalid_grant" });
      return json(200, { access_token: fresh(), token_type: "Bearer", expires_in: 600 });
    }
    const id = /sid=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
    const session = sessions.get(id);
    if (url.pathname === "/me") return session?.step === "done" ? json(200, { id: session.user }) : json(401, {});
    if (url.pathname !== "/connect/authorize") return json(404, { error: "not found" });
    const asked = url.searchParams;
    const isKnown = asked.get("client_id") === "app" && asked.get("redirect_uri") === redirect;
    const state = asked.get("state") ?? "";
    if (!isKnown && behaviour.refusal === "page") return page("<h1>This request is not valid</h1>");
    if (!isKnown && behaviour.refusal === "redirect")
      return [302, "", { location: `${redirect}?error=invalid_request&state=${state}` }];
    if (!isKnown) return json(400, { error: "invalid_request" });
    if (asked.get("response_type") !== "code" || asked.get("code_challenge_method") !== "S256")
      return [302, "", { location: `${redirect}?error=invalid_request&state=${state}` }];
    const here = escaped(url.pathname + url.search);
    if (session === undefined && behaviour.scripts === true)
      return page('<div id="app"></div><script src="/app.js"></script>');
    if (session === undefined && posted.has("email")) {
      const made = fresh();
      sessions.set(made, { user: posted.get("email") ?? "", step: "password" });
      return page(
        `<form method=post action="${here}"><input type='password' name=pw required><input type=checkbox name=remember><button>Sign in</button></form>`,
        { "set-cookie": `sid=${made}; Path=/; HttpOnly` },
      );
    }
    if (session === undefined)
      return page(
        `<form action="/search"><input type=search name=q></form><form method="POST" action="${here}"><input name="_csrf" type="hidden" value="a&amp;b"><input type="email" name="email"><button type="submit">Next</button></form>`,
      );
    if (session.step === "password") {
      const isRight = session.user === account.user && posted.get("pw") === account.password && !posted.has("remember");
      if (!isRight) return page(`<p>Wrong</p><form method=post><input type=password name=pw></form>`);
      session.step = "consent";
      if (behaviour.resends === true) return [307, "", { location: url.pathname + url.search }];
    }
    if (session.step === "consent" && posted.get("answer") === "yes") session.step = "done";
    else if (session.step === "consent" && posted.has("answer"))
      return [302, "", { location: `${redirect}?error=access_denied&state=${state}` }];
    if (session.step === "consent")
      return page(
        `<form method="post" action="${here}"><button name="answer" value="no">Cancel</button><button name="answer" value="yes"><b>Allow</b> access</button></form>`,
      );
    const code = fresh();
    codes.set(code, asked.get("code_challenge") ?? "");
    return page(
      `<form method="post" action="${redirect}"><input type="hidden" name="code" value="${code}"><input type="hidden" name="state" value="${escaped(state)}"></form><script>document.forms[0].submit()</script>`,
    );
  }
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
