import { publicAccess } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { noteIds, sharedDoor, testApi } from "../front-door.ts";

describe("exposure: a credential in the URL", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const text = z.string().max(50).optional();
    const query = z.strictObject({ q: text, key: text, code: text, state: text, page_token: text, sig: text });
    test.api.route(
      {
        path: "GET /v1/search",
        access: publicAccess("x"),
        input: { query },
        output: z.strictObject({ ok: z.boolean() }),
        limit: "10000/s",
      },
      () => ({ ok: true }),
    );
    return test;
  });
  const names = [
    "token",
    "TOKEN",
    "access_token",
    "access-token",
    "accessToken",
    "AccessToken",
    "ACCESS_TOKEN",
    "id_token",
    "refresh_token",
    "auth_token",
    "authorization",
    "Authorization",
    "bearer",
    "jwt",
    "JWT",
    "api_key",
    "api-key",
    "apikey",
    "apiKey",
    "APIKEY",
    "X-Api-Key",
    "x_api_key",
    "client_secret",
    "clientSecret",
    "secret",
    "password",
    "Password",
    "passwd",
    "pwd",
    "session_id",
    "sessionId",
    "JSESSIONID",
    "PHPSESSID",
    "private_key",
    "_token_",
  ];
  it.each(names)("is refused by its name: %s", async (name) => {
    const reply = await door.ask(`GET /v1/search?q=a&${name}=hunter2hunter2`);
    expect([reply.status, reply.code, reply.said.includes("hunter2")]).toEqual([400, "credential-in-url", false]);
  });

  it("is refused without a value, with an empty one, and with an escape in its name", async () => {
    for (const query of [
      "token",
      "token=",
      "q=1&token=",
      "%74oken=x",
      "t%6fken=x",
      "access%5ftoken=x",
      "access+token=x",
    ]) {
      const reply = await door.ask(`GET /v1/search?${query}`);
      expect(reply.status, query).toBe(400);
    }
  });

  it("is refused on every route: public, private, unknown, of every method, and before anybody is asked who he is", async () => {
    const lines = [
      "GET /v1/open",
      `GET /v1/notes/${noteIds[0]}`,
      "GET /v1/none",
      "POST /v1/notes",
      `DELETE /v1/notes/${noteIds[0]}`,
      "OPTIONS /v1/open",
      "HEAD /v1/open",
    ];
    for (const line of lines) {
      for (const as of [undefined, "alice"]) {
        const reply = await door.ask(`${line}?access_token=x`, as === undefined ? {} : { as });
        expect(reply.status, line).toBe(400);
        if (!line.startsWith("HEAD")) expect(reply.code).toBe("credential-in-url");
      }
    }
  });

  it("is not repeated in any record, neither name nor value", async () => {
    const reply = await door.ask("GET /v1/search?session_id=hunter2hunter2");
    const entries = await door.recorded(reply);
    expect(entries).toContainEqual(expect.objectContaining({ protection: "exposure", code: "credential-in-url" }));
    expect(JSON.stringify(entries)).not.toContain("hunter2");
  });

  it("is not seen where there is none", async () => {
    for (const query of ["q=token", "q=password", "key=a", "code=a", "state=a", "page_token=a", "sig=a"]) {
      expect((await door.ask(`GET /v1/search?${query}`)).status, query).toBe(200);
    }
  });

  it("is refused before the host, too, as a URL's user and password", async () => {
    expect((await door.ask("GET http://alice:secret@localhost/v1/open")).status).toBe(400);
    expect((await door.ask("GET //alice:secret@localhost/v1/open")).status).toBe(400);
  });
});

describe("exposure: nothing but the routes", () => {
  const door = sharedDoor(() => testApi(), { healthPort: 0 });

  it.each([
    "/.env",
    "/.git/HEAD",
    "/.aws/credentials",
    "/.well-known/security.txt",
    "/debug",
    "/debug/pprof",
    "/metrics",
    "/health",
    "/healthz",
    "/live",
    "/ready",
    "/status",
    "/docs",
    "/swagger.json",
    "/openapi.json",
    "/manifest.json",
    "/graphql",
    "/admin",
    "/server-status",
    "/app.js.map",
    "/package.json",
    "/node_modules/portcullis/package.json",
    "/wp-login.php",
  ])("is there for strangers: %s is 404", async (path) => {
    const reply = await door.ask(`GET ${path}`);
    expect([reply.status, reply.code]).toEqual([404, "route-not-found"]);
  });

  it("answers health on a port of its own, to this machine only, and tells nothing", async () => {
    const live = await fetch(`http://127.0.0.1:${door.healthPort}/live`);
    expect([live.status, (await live.text()).length < 50]).toEqual([200, true]);
    expect((await fetch(`http://127.0.0.1:${door.healthPort}/v1/open`)).status).toBe(404);
    expect((await door.ask("GET /live")).status).toBe(404);
  });

  it("says in no header what it is made of", async () => {
    for (const line of ["GET /v1/open", "GET /v1/none", "OPTIONS /v1/open"]) {
      const reply = await door.ask(line);
      expect(reply.head).not.toMatch(/server:|x-powered-by|via:|node|express|portcullis/i);
    }
  });
});
