import type { Api, ApiConfig, RoutePolicy } from "portcullis";
import { answer, anyCaller, createApi, form, nothing, publicAccess, refuse, session } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Asked } from "../front-door.ts";
import { bearer, sharedDoor, testApi, tokens } from "../front-door.ts";

const app = "https://app.example";
const cookie = { Cookie: "__Host-session=alices" };

describe("csrf", () => {
  const door = sharedDoor(() => {
    const test = testApi({ origins: [app] }, withSession);
    for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
      test.api.route(
        { path: `${method} /v1/writes`, access: anyCaller, output: nothing, limit: "1000/s" },
        () => undefined,
      );
    }
    test.api.route({ path: "GET /v1/writes", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);
    test.api.route(
      {
        path: "POST /v1/feedback",
        access: publicAccess("everybody may say something"),
        output: nothing,
        limit: "1000/s",
      },
      () => undefined,
    );
    signIn(test.api);
    return test;
  });

  const cases: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    [
      "admits a cookie write from the same origin by Sec-Fetch-Site",
      { ...cookie, "Sec-Fetch-Site": "same-origin" },
      204,
    ],
    ["admits a cookie write a person made by hand", { ...cookie, "Sec-Fetch-Site": "none" }, 204],
    ["refuses a cookie write from another site", { ...cookie, "Sec-Fetch-Site": "cross-site" }, 403],
    ["refuses a cookie write from a sibling host", { ...cookie, "Sec-Fetch-Site": "same-site" }, 403],
    ["refuses a Sec-Fetch-Site nobody knows", { ...cookie, "Sec-Fetch-Site": "Same-Origin, none" }, 403],
    ["refuses an empty Sec-Fetch-Site", { ...cookie, "Sec-Fetch-Site": "" }, 403],
    ["admits a sibling that is a configured origin", { ...cookie, "Sec-Fetch-Site": "same-site", Origin: app }, 204],
    [
      "refuses a sibling that is no configured origin",
      { ...cookie, "Sec-Fetch-Site": "same-site", Origin: "https://evil.app.example" },
      403,
    ],
    ["refuses an origin that begins like a configured one", { ...cookie, Origin: `${app}.evil.example` }, 403],
    [
      "refuses it beside Sec-Fetch-Site too",
      { ...cookie, "Sec-Fetch-Site": "cross-site", Origin: `${app}.evil.example` },
      403,
    ],
    ["refuses a cookie write with a foreign Origin", { ...cookie, Origin: "https://evil.example" }, 403],
    ["refuses a cookie write with Origin null", { ...cookie, Origin: "null" }, 403],
    ["refuses our own name over another scheme", { ...cookie, Origin: "https://localhost" }, 403],
    ["refuses our own name with another port", { ...cookie, Origin: "http://localhost:81" }, 403],
    ["refuses a name that begins like ours", { ...cookie, Origin: "http://localhost.evil.example" }, 403],
    ["admits a cookie write with our own Origin", { ...cookie, Origin: "http://localhost" }, 204],
    ["refuses a cookie write that says nothing of where it comes from", cookie, 403],
    ["is not talked round by a Referer", { ...cookie, Referer: "http://localhost/settings" }, 403],
    ["is not talked round by X-Requested-With", { ...cookie, "X-Requested-With": "XMLHttpRequest" }, 403],
    [
      "refuses it as a form and as text too",
      { ...cookie, Origin: "https://evil.example", "Content-Type": "text/plain" },
      403,
    ],
    [
      "refuses it as JSON too, which a page can send as a blob",
      { ...cookie, Origin: "https://evil.example", "Content-Type": "application/json" },
      403,
    ],
  ];
  it.each(cases)("%s", async (_name, headers, status) => {
    const reply = await door.ask("POST /v1/writes", { headers: { ...headers, "Content-Length": "0" } });
    expect([reply.status, reply.code]).toEqual([status, status === 403 ? "cross-site" : undefined]);
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"])("guards every method that writes: %s", async (method) => {
    const headers = { ...cookie, "Sec-Fetch-Site": "cross-site" };
    expect((await door.ask(`${method} /v1/writes`, { headers })).code).toBe("cross-site");
    expect(
      (await door.ask(`${method} /v1/writes`, { headers: { ...cookie, "Sec-Fetch-Site": "same-origin" } })).status,
    ).toBe(204);
  });

  it("lets a cookie read from anywhere, because CORS keeps the answer from the other site", async () => {
    const reply = await door.ask("GET /v1/writes", { headers: { ...cookie, "Sec-Fetch-Site": "cross-site" } });
    expect([reply.status, reply.headers.get("access-control-allow-origin")]).toEqual([204, undefined]);
  });

  it("has no way round by naming another method in a header", async () => {
    const headers = { ...cookie, "Sec-Fetch-Site": "cross-site", "X-HTTP-Method-Override": "GET" };
    expect((await door.ask("POST /v1/writes", { headers })).code).toBe("cross-site");
  });

  it("asks nothing of a credential in a header", async () => {
    const headers = { ...(await bearer("alice")), Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
    expect((await door.ask("POST /v1/writes", { headers })).status).toBe(204);
  });

  it("asks nothing of a stranger on a public route, who has nothing that could be misused", async () => {
    expect((await door.ask("POST /v1/feedback", { headers: { "Sec-Fetch-Site": "cross-site" } })).status).toBe(204);
    expect((await door.ask("POST /v1/feedback", { headers: { ...cookie, "Sec-Fetch-Site": "cross-site" } })).code).toBe(
      "cross-site",
    );
  });

  it("guards a route that starts a session although no cookie proved anybody", async () => {
    const from = (headers: Asked["headers"]) =>
      door.ask("POST /v1/sign-in", { json: { user: "alice" }, headers: headers ?? {} });
    expect((await from({ "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
    expect((await from({ Origin: "https://evil.example" })).status).toBe(403);
    expect((await from({ Origin: "null" })).status).toBe(403);
    // A program that is no browser sends neither.
    expect((await from({})).status).toBe(204);
  });
});

describe("csrf of a form that a page of ours asks a person with", () => {
  const door = sharedDoor(() => {
    const test = testApi({ origins: [app] });
    const access = publicAccess("a page of ours asks");
    const body = form(z.strictObject({ decision: z.enum(["allow", "deny"]) }));
    const input = { body, cookies: z.strictObject({ "__Host-asked": z.string().max(50).optional() }) };
    test.api.route({ path: "POST /v1/consent", access, input, output: nothing, limit: "1000/s" }, () => undefined);
    test.api.route(
      { path: "POST /v1/enter", access, input: { body }, output: nothing, limit: "1000/s", startsSession: true },
      () => undefined,
    );
    return test;
  });

  it.each(["POST /v1/consent", "POST /v1/enter"])(
    "%s is sent by no other page, one that may call the API neither",
    async (route) => {
      const send = async (headers: Readonly<Record<string, string>>) => {
        const asked = { "Content-Type": "application/x-www-form-urlencoded", Cookie: "__Host-asked=x", ...headers };
        return (await door.ask(route, { body: "decision=allow", headers: asked })).status;
      };
      expect(await send({ "Sec-Fetch-Site": "same-origin" })).toBe(204);
      expect(await send({ "Sec-Fetch-Site": "same-site", Origin: app })).toBe(403);
      expect(await send({ "Sec-Fetch-Site": "cross-site", Origin: app })).toBe(403);
      expect(await send({ Origin: app })).toBe(403);
      expect(await send({ Origin: "https://evil.example" })).toBe(403);
    },
  );
});

describe("csrf of a form whose failures count for whoever is named in it", () => {
  const door = sharedDoor(() => {
    const test = testApi({ origins: [app] });
    const body = form(z.strictObject({ email: z.string().max(100) }));
    const access = publicAccess("somebody who has a link");
    const route = { access, input: { body }, output: nothing };
    const limit = { rate: "3/h", by: "body.email", counts: "failures" } as const;
    test.api.route({ path: "POST /v1/confirm", ...route, limit }, () => refuse("forbidden", "a wrong password"));
    test.api.route({ path: "POST /v1/ask", ...route, limit: "1000/s" }, () => undefined);
    return test;
  });

  it("lets visitors of another site use up nothing", async () => {
    const send = (route: string, headers: Readonly<Record<string, string>>) =>
      door.ask(route, {
        body: "email=alice%40example.com",
        headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
      });
    const elsewhere = { "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" };
    for (let time = 0; time < 5; time++) {
      expect((await send("POST /v1/confirm", elsewhere)).code).toBe("cross-site");
    }
    expect((await send("POST /v1/confirm", { "Sec-Fetch-Site": "same-origin" })).code).toBe("forbidden");
    expect((await send("POST /v1/confirm", { "Sec-Fetch-Site": "cross-site", Origin: app })).code).toBe("forbidden");
    expect((await send("POST /v1/confirm", {})).code).toBe("forbidden");
    expect((await send("POST /v1/confirm", {})).code).toBe("rate-limited");
    expect((await send("POST /v1/ask", elsewhere)).status).toBe(204);
  });
});

describe("csrf where the API takes no cookie", () => {
  const door = sharedDoor(() => {
    const test = testApi({ origins: [app] });
    signIn(test.api);
    test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);
    return test;
  });

  it("still guards the route that starts a session", async () => {
    const headers = { "Sec-Fetch-Site": "cross-site" };
    expect((await door.ask("POST /v1/sign-in", { json: { user: "alice" }, headers })).code).toBe("cross-site");
  });

  it("takes a cookie for nothing, not for a caller", async () => {
    expect((await door.ask("POST /v1/writes", { headers: { ...cookie, "Sec-Fetch-Site": "same-origin" } })).code).toBe(
      "no-credential",
    );
  });
});

describe("csrf behind a proxy", () => {
  const door = sharedDoor(() => {
    const test = testApi(
      { hosts: ["api.example.com"], proxies: { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" } },
      withSession,
    );
    test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);
    return test;
  });
  const proxied = {
    Host: "api.example.com",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    ...cookie,
  };

  it("knows our own origin by the scheme the client spoke, not by the socket's", async () => {
    const from = (origin: string) => door.ask("POST /v1/writes", { headers: { ...proxied, Origin: origin } });
    expect((await from("https://api.example.com")).status).toBe(204);
    expect((await from("http://api.example.com")).code).toBe("cross-site");
  });
});

describe("csrf: a sign-in that ends with a GET", () => {
  const callback =
    (startsSession: RoutePolicy["startsSession"], more = {}) =>
    (config: ApiConfig) => {
      const api = withSession(config);
      api.route(
        {
          path: "GET /v1/callback",
          access: publicAccess("signing in"),
          input: { cookies: z.strictObject({ "__Host-sign-in": z.string().max(50).optional(), ...more }) },
          output: nothing,
          ...(startsSession === undefined ? {} : { startsSession }),
        },
        () => answer(undefined, { cookies: [{ name: "__Host-session", value: "alices" }] }),
      );
      return api;
    };
  const begun = sharedDoor(() => testApi({}, callback({ begunBy: "cookies.__Host-sign-in" })));

  it("starts a session in the browser it was begun in", async () => {
    const answered = await begun.ask("GET /v1/callback", { headers: { Cookie: "__Host-sign-in=x" } });
    expect(answered.status).toBe(204);
  });

  it.each([
    ["no cookie of the first step", {}],
    ["an empty one", { Cookie: "__Host-sign-in=" }],
    ["a session of its own and nothing else", cookie],
  ])("starts none in a browser with %s", async (_which, headers) => {
    const answered = await begun.ask("GET /v1/callback", { headers });
    expect(answered.status).toBe(500);
    expect(answered.headers.get("set-cookie")).toBeUndefined();
  });

  const several = { begunBy: ["cookies.__Host-other", "cookies.__Host-sign-in"] } as const;
  const begunSeveral = sharedDoor(() =>
    testApi({}, callback(several, { "__Host-other": z.string().max(50).optional() })),
  );

  it("starts a session with any one of several cookies, and none without all of them", async () => {
    for (const [Cookie, status] of [
      ["__Host-sign-in=x", 204],
      ["__Host-other=x", 204],
      ["__Host-third=x", 500],
    ] as const) {
      expect((await begunSeveral.ask("GET /v1/callback", { headers: { Cookie } })).status).toBe(status);
    }
  });

  it("stops the start where no cookie, or one that the input has not, is named", () => {
    const problems = (startsSession: RoutePolicy["startsSession"]) =>
      testApi({}, callback(startsSession))
        .api.problems()
        .map(({ problem }) => problem);
    expect(problems(true)).toEqual(["a GET can be sent by any link"]);
    expect(problems({ begunBy: "cookies.__Host-other" })).toEqual(["the input has no cookie __Host-other"]);
    expect(problems({ begunBy: "cookies.__Host-sign-in" })).toEqual([]);
    expect(problems(several)).toEqual(["the input has no cookie __Host-other"]);
    expect(problems({ begunBy: [] }).join()).toContain("does not say what is started");
  });
});

describe("csrf where a GET does something", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const output = z.strictObject({ sentFrom: z.string().max(20) });
    test.api.route({ path: "GET /v1/go", access: publicAccess("for the tests"), output }, ({ request }) => ({
      sentFrom: request.sentFrom,
    }));
    return test;
  });

  it.each([
    ["same-origin", "own-page"],
    ["same-site", "same-site"],
    ["cross-site", "elsewhere"],
    // A typed address, or a site that it redirected through.
    ["none", "no-page"],
    ["constructor", "unknown"],
    [undefined, "unknown"],
  ])("tells the handler who sent it: %s is %s", async (site, sentFrom) => {
    const reply = await door.ask("GET /v1/go", site === undefined ? {} : { headers: { "Sec-Fetch-Site": site } });
    expect(JSON.parse(reply.body)).toEqual({ sentFrom });
  });
});

function withSession(config: ApiConfig): Api {
  return createApi({
    ...config,
    credentials: [
      tokens,
      session({
        cookies: ["__Host-session"],
        resolve: (cookies) => (cookies["__Host-session"] === "alices" ? { subject: "alice" } : null),
      }),
    ],
  });
}

function signIn(api: Api): void {
  api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("signing in"),
      input: { body: z.strictObject({ user: z.string().max(50) }) },
      output: nothing,
      startsSession: { account: "body.user" },
      limit: { rate: "1000/s", by: "body.user" },
    },
    () => undefined,
  );
}
