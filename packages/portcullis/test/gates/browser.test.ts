import type { Api, ApiConfig, Listening } from "portcullis";
import { anyCaller, createApi, nothing, publicAccess, session } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const app = "https://app.example";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** An API with a cookie session beside bearer tokens, and one origin. */
async function serve(): Promise<{ port: number; entries: ReturnType<typeof testApi>["entries"] }> {
  const test = testApi({ origins: [app] }, createWithSession);
  test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing }, () => undefined);
  test.api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("signing in"),
      input: { body: z.strictObject({ user: z.string().max(50) }) },
      output: nothing,
      startsSession: { account: "body.user" },
    },
    () => undefined,
  );
  open = await test.api.listen({ port: 0, handleSignals: false });
  return { port: open.port, entries: test.entries };
}

function createWithSession(config: ApiConfig): Api {
  return createApi({
    ...config,
    credentials: [
      ...config.credentials,
      session({
        cookies: ["__Host-session"],
        resolve: (cookies) => {
          if (cookies["__Host-session"] === "throws") throw new Error("store down");
          return cookies["__Host-session"] === "alices" ? { subject: "alice" } : null;
        },
      }),
    ],
  });
}

function write(path: string, headers: Readonly<Record<string, string>>, body = ""): string {
  const lines = Object.entries({ Host: "localhost", ...headers, "Content-Length": String(body.length) });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

const cookie = { Cookie: "__Host-session=alices" };

describe("csrf", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    [
      "admits a cookie write from the same origin by Sec-Fetch-Site",
      { ...cookie, "Sec-Fetch-Site": "same-origin" },
      204,
    ],
    ["admits a cookie write a person made by hand", { ...cookie, "Sec-Fetch-Site": "none" }, 204],
    ["refuses a cookie write from another site", { ...cookie, "Sec-Fetch-Site": "cross-site" }, 403],
    ["refuses a cookie write from a sibling host", { ...cookie, "Sec-Fetch-Site": "same-site" }, 403],
    ["admits a sibling that is a configured origin", { ...cookie, "Sec-Fetch-Site": "same-site", Origin: app }, 204],
    ["refuses a cookie write with a foreign Origin", { ...cookie, Origin: "https://evil.example" }, 403],
    ["refuses a cookie write with Origin null", { ...cookie, Origin: "null" }, 403],
    ["admits a cookie write with our own Origin", { ...cookie, Origin: "http://localhost" }, 204],
    ["refuses a cookie write that says nothing of where it comes from", cookie, 403],
    [
      "refuses it as a form and as text too",
      { ...cookie, Origin: "https://evil.example", "Content-Type": "text/plain" },
      403,
    ],
  ];
  it.each(cases)("%s", async (_name, headers, status) => {
    const { port } = await serve();
    expect((await raw(port, write("/v1/writes", headers))).status).toBe(status);
  });

  it("asks nothing of a credential in a header", async () => {
    const { port } = await serve();
    const headers = { Authorization: `Bearer ${await token("alice")}`, Origin: "https://evil.example" };
    expect((await raw(port, write("/v1/writes", headers))).status).toBe(204);
  });

  it("guards a route that starts a session although no cookie proved anybody", async () => {
    const { port } = await serve();
    const body = '{"user":"alice"}';
    const json = { "Content-Type": "application/json" };
    expect((await raw(port, write("/v1/sign-in", { ...json, "Sec-Fetch-Site": "cross-site" }, body))).status).toBe(403);
    expect((await raw(port, write("/v1/sign-in", { ...json, Origin: "https://evil.example" }, body))).status).toBe(403);
    // A program that is no browser sends neither.
    expect((await raw(port, write("/v1/sign-in", json, body))).status).toBe(204);
  });
});

describe("sessions", () => {
  it("clears a cookie nobody knows and counts it as absent, so that signing in again works", async () => {
    const { port } = await serve();
    const stale = { Cookie: "__Host-session=old", "Sec-Fetch-Site": "same-origin" };
    const refused = await raw(port, write("/v1/writes", stale));
    expect(refused.status).toBe(401);
    expect(refused.headers.get("set-cookie")).toMatch(/^__Host-session=; .*Max-Age=0/);
    const again = await raw(
      port,
      write("/v1/sign-in", { ...stale, "Content-Type": "application/json" }, '{"user":"a"}'),
    );
    expect(again.status).toBe(204);
  });

  it("refuses with 503 where the check throws", async () => {
    const { port } = await serve();
    const headers = { Cookie: "__Host-session=throws", "Sec-Fetch-Site": "same-origin" };
    expect((await raw(port, write("/v1/writes", headers))).status).toBe(503);
  });

  it("refuses a cookie beside a token, because nobody can say which was meant", async () => {
    const { port } = await serve();
    const headers = { ...cookie, Authorization: `Bearer ${await token("bob")}`, "Sec-Fetch-Site": "same-origin" };
    expect((await raw(port, write("/v1/writes", headers))).status).toBe(400);
  });

  it("records a sign-in with the account hashed, never named", async () => {
    const { port, entries } = await serve();
    await raw(port, write("/v1/sign-in", { "Content-Type": "application/json" }, '{"user":"alice@example.com"}'));
    await open?.close();
    const event = entries.find((entry) => entry.kind === "event" && entry.type === "signed-in");
    expect(event).toMatchObject({ route: "POST /v1/sign-in", account: expect.stringMatching(/^[\w-]{16}$/) });
    expect(JSON.stringify(entries)).not.toContain("alice@example.com");
  });
});

describe("cors", () => {
  const get = (headers: string): string => `GET /v1/open HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;

  it("names a configured origin, with Vary, and lets cookies along", async () => {
    const { port } = await serve();
    const answer = await raw(port, get(`Origin: ${app}\r\n`));
    expect(answer.headers.get("access-control-allow-origin")).toBe(app);
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    expect(answer.headers.get("vary")).toBe("Origin");
  });

  it.each([
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:444",
    "https://APP.example",
    "https://sub.app.example",
    "https://app.example_.evil.example",
  ])("names no other origin: %s", async (origin) => {
    const { port } = await serve();
    const answer = await raw(port, get(`Origin: ${origin}\r\n`));
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(answer.headers.get("vary")).toBe("Origin");
  });

  it("tells a refusal apart from nothing: 401, 404 and 405 carry the CORS headers too", async () => {
    const { port } = await serve();
    for (const line of ["GET /v1/notes/11111111-1111-4111-8111-111111111111", "GET /v1/none", "PUT /v1/open"]) {
      const answer = await raw(port, `${line} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${app}\r\n\r\n`);
      expect(answer.headers.get("access-control-allow-origin"), line).toBe(app);
    }
  });

  it("answers a preflight from the path's own methods and refuses other origins, methods and headers", async () => {
    const { port } = await serve();
    const ask = (origin: string, method: string, headers = ""): Promise<Awaited<ReturnType<typeof raw>>> =>
      raw(
        port,
        `OPTIONS /v1/writes HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: ${method}\r\n${headers}\r\n`,
      );
    const granted = await ask(app, "POST", "Access-Control-Request-Headers: authorization, content-type\r\n");
    expect(granted.status).toBe(204);
    expect(granted.headers.get("access-control-allow-methods")).toBe("OPTIONS, POST");
    expect(granted.headers.get("access-control-max-age")).toBe("7200");
    expect((await ask("https://evil.example", "POST")).status).toBe(403);
    expect((await ask(app, "DELETE")).status).toBe(403);
    expect((await ask(app, "POST", "Access-Control-Request-Headers: x-evil\r\n")).status).toBe(403);
  });

  it("answers an OPTIONS that is no preflight with Allow alone", async () => {
    const { port } = await serve();
    const answer = await raw(port, "OPTIONS /v1/open HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect([answer.status, answer.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  });
});
