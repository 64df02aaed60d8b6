import { setTimeout as wait } from "node:timers/promises";
import type { RefusalCode } from "portcullis";
import { anyCaller, form, html, markup, notAnObject, publicAccess, refuse } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { refusals } from "../../src/refusal.ts";
import type { Asked, FrontDoor, Reply } from "../front-door.ts";
import { noteIds, openDoor, requestText, routeUntyped, sharedDoor, testApi } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const access = publicAccess("the tests look at errors");
const Ok = z.strictObject({ ok: z.boolean() });
const json = { "Content-Type": "application/json" };

/** The one shape of a refusal, with nothing in it but what everybody may know. */
function expectProblem(reply: Reply, status: number, code: string): void {
  expect([reply.status, reply.code]).toEqual([status, code]);
  expect(reply.headers.get("content-type")).toBe("application/problem+json");
  const problem = z.record(z.string(), z.unknown()).parse(reply.json);
  const { errors, ...rest } = problem;
  expect(rest).toEqual({
    type: "about:blank",
    code,
    status,
    title: refusals[codeOf(code)].title,
    requestId: reply.headers.get("x-request-id"),
  });
  expect(errors === undefined || code === "invalid-input" || code === "bad-cursor").toBe(true);
  expect(reply.id).toMatch(/^[\w-]{22}$/);
}

function codeOf(text: string): RefusalCode {
  for (const code of codes) if (code === text) return code;
  throw new Error(`${text} is no code`);
}

const codes = Object.keys(refusals).filter((code): code is RefusalCode => code in refusals);

describe("errors", () => {
  const door = sharedDoor(() => {
    const test = testApi({ body: { maxBytes: 100 }, handlerTimeoutMs: 100 });
    for (const code of codes) {
      routeUntyped(test.api, { path: `GET /v1/refuse/${code}`, access, output: Ok }, () =>
        refuse(code, "private: 42 rows"),
      );
    }
    const thrown: Readonly<Record<string, () => unknown>> = {
      error: () => new Error("SELECT password FROM users", { cause: new Error("connect ECONNREFUSED 10.0.0.7:5432") }),
      aggregate: () => new AggregateError([new Error("SELECT 1")], "several"),
      text: () => "SELECT password FROM users",
      nothing: () => undefined,
      null: () => null,
      problem: () => ({ status: 401, code: "no-credential", title: "SELECT" }),
      response: () => new Response("SELECT", { status: 302, headers: { location: "https://evil.example" } }),
      unreadable: () => Object.defineProperty(new Error("x"), "stack", { get: () => boom() }),
      refusal: () => refuse("conflict", "SELECT private"),
    };
    for (const [name, make] of Object.entries(thrown)) {
      routeUntyped(test.api, { path: `GET /v1/throws/${name}`, access, output: Ok }, () => {
        throw make();
      });
      routeUntyped(test.api, { path: `GET /v1/rejects/${name}`, access, output: Ok }, () => Promise.reject(make()));
    }
    routeUntyped(test.api, { path: "GET /v1/hangs", access, output: Ok }, () =>
      wait(60_000, { ok: true }, { ref: false }),
    );
    routeUntyped(test.api, { path: "GET /v1/wrong", access, output: Ok }, () => ({ ok: "SELECT" }));
    routeUntyped(test.api, { path: "GET /v1/scoped", access: { scopes: ["x"] }, output: Ok });
    routeUntyped(test.api, { path: "GET /v1/any", access: anyCaller, output: Ok });
    return test;
  });

  const built: readonly (readonly [string, Asked, number, RefusalCode])[] = [
    ["GET /v1/open?a=%zz", {}, 400, "bad-query"],
    ["GET /v1//open", {}, 400, "bad-target"],
    ["GET /v1/open", { headers: { "X-A": "a\u0001" } }, 400, "bad-message"],
    ["GET /v1/open?token=1", {}, 400, "credential-in-url"],
    ["GET /v1/open?a=1", {}, 400, "invalid-input"],
    ["GET /v1/open", { body: "x" }, 400, "body-unexpected"],
    ["POST /v1/notes", { as: "alice", body: "{", headers: json }, 400, "bad-body"],
    ["GET /v1/any", {}, 401, "no-credential"],
    ["GET /v1/any", { headers: { Authorization: "Basic x" } }, 401, "bad-credential"],
    ["GET /v1/any", { headers: { Authorization: "Bearer a.b.c" } }, 401, "bad-credential"],
    ["GET /v1/scoped", { as: "alice" }, 403, "scope-missing"],
    [
      "OPTIONS /v1/open",
      { headers: { Origin: "https://a.example", "Access-Control-Request-Method": "GET" } },
      403,
      "preflight-refused",
    ],
    ["GET /v1/none", {}, 404, "route-not-found"],
    [`GET /v1/notes/${noteIds[1]}`, { as: "alice" }, 404, "object-not-found"],
    ["PUT /v1/open", {}, 405, "method-not-allowed"],
    ["POST /v1/notes", { as: "alice", body: "a".repeat(101) }, 413, "body-too-large"],
    [`GET /${"a".repeat(9_000)}`, {}, 414, "target-too-long"],
    ["POST /v1/notes", { as: "alice", body: "{}" }, 415, "media-type"],
    ["POST /v1/notes", { as: "alice", body: "{}", headers: { "Content-Encoding": "gzip" } }, 415, "content-encoding"],
    ["GET /v1/open", { headers: { Expect: "tea" } }, 417, "expectation-failed"],
    ["GET /v1/open", { headers: { Host: "evil.example" } }, 421, "unknown-host"],
    ["GET /v1/open", { headers: { "X-A": "a".repeat(17_000) } }, 431, "headers-too-large"],
    ["GET /v1/wrong", {}, 500, "undeclared-output"],
    ["GET /v1/throws/error", {}, 500, "internal"],
    ["TRACE /v1/open", {}, 501, "method-refused"],
    ["GET /v1/hangs", {}, 503, "handler-timeout"],
  ];
  it.each(built)("%s %j is a problem of the one shape: %i %s", async (line, asked, status, code) => {
    const reply = await door.ask(line, asked);
    expectProblem(reply, status, status === 500 ? "internal" : code);
    if (status === 500) expect(await door.recordedCode(reply)).toBe(code);
  });

  it("has that shape for every code there is, and never the private reason", async () => {
    for (const code of codes) {
      const reply = await door.ask(`GET /v1/refuse/${code}`);
      const { status } = refusals[code];
      expectProblem(reply, status, status === 500 ? "internal" : code);
      expect(reply.said).not.toMatch(/private|42 rows/);
    }
  });

  it("has a bland title for every code, which says nothing of the code's own", () => {
    for (const { status, title } of Object.values(refusals)) {
      expect(title).toMatch(/^[A-Z][A-Za-z ]+$/);
      if (status === 500) expect(title).toBe("Internal error");
      if (status === 404) expect(title).toBe("Not found");
    }
  });

  it.each(["error", "aggregate", "text", "nothing", "null", "problem", "response", "unreadable"])(
    "answers a bland 500 whatever is thrown or rejected: %s",
    async (what) => {
      for (const way of ["throws", "rejects"]) {
        const reply = await door.ask(`GET /v1/${way}/${what}`);
        expectProblem(reply, 500, "internal");
        expect(reply.head + reply.body).not.toMatch(/SELECT|ECONN|10\.0\.0|\.ts:|evil/);
      }
    },
  );

  it("takes a refusal that is thrown for one that is returned", async () => {
    expectProblem(await door.ask("GET /v1/throws/refusal"), 409, "conflict");
    expectProblem(await door.ask("GET /v1/rejects/refusal"), 409, "conflict");
  });

  it("tells onError and the record what was thrown, with its causes, under the same request id", async () => {
    door.errors.length = 0;
    const reply = await door.ask("GET /v1/throws/error");
    expect(door.errors.map(String)).toEqual(["Error: SELECT password FROM users"]);
    const thrown = (await door.recorded(reply)).find(
      (entry) => entry.kind === "event" && entry.type === "error-thrown",
    );
    expect(thrown).toMatchObject({ route: "GET /v1/throws/error", requestId: reply.id });
    expect(JSON.stringify(thrown)).toMatch(/SELECT password[\s\S]*at [\s\S]*caused by Error: connect ECONNREFUSED/);
  });

  it("gives every request an id of our own, and none that a client sent", async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const reply = await door.ask("GET /v1/none", { headers: { "X-Request-Id": "mine", "X-Correlation-Id": "mine" } });
      expect(reply.head + reply.body).not.toContain("mine");
      ids.add(reply.id);
    }
    expect(ids.size).toBe(20);
  });

  it("sends no body to HEAD, and the same status", async () => {
    for (const [path, status] of [
      ["/v1/none", 404],
      ["/v1/any", 401],
      ["/v1/throws/error", 500],
      ["/v1/refuse/gone", 410],
    ] as const) {
      const reply = await raw(door.port, requestText(`HEAD ${path}`, {}), 40);
      expect([reply.status, reply.body], path).toEqual([status, ""]);
    }
  });

  it("writes the same for every Accept: no page for browsers", async () => {
    for (const accept of ["text/html", "application/xml", "*/*", "image/png"]) {
      const reply = await door.ask("GET /v1/none", { headers: { Accept: accept } });
      expectProblem(reply, 404, "route-not-found");
    }
  });
});

describe("errors: what takes too long", () => {
  it("answers 503 when the handler takes longer than its time, and aborts its signal", async () => {
    const test = testApi({ handlerTimeoutMs: 60 });
    let aborted = false;
    test.api.route({ path: "GET /v1/hangs", access, output: Ok }, async ({ request }) => {
      request.signal.addEventListener("abort", () => {
        aborted = true;
      });
      await wait(2_000, undefined, { ref: false });
      return { ok: true };
    });
    const door = await openDoor(test);
    expect((await door.ask("GET /v1/hangs")).code).toBe("handler-timeout");
    expect(aborted).toBe(true);
    await door.close();
  });
});

describe("errors with members of the application's own", () => {
  const seen: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi({
      problem: {
        members(problem) {
          seen.push(problem);
          if (problem.status === 404) return boom();
          if (problem.status === 405)
            return JSON.parse('{"title":"mine","status":200,"code":"mine","type":"mine","requestId":"mine"}');
          if (problem.status === 401) return Reflect.apply(() => ({ big: 1n }), undefined, []);
          return { error: problem.title, help: 7, ok: false };
        },
      },
    });
    routeUntyped(test.api, { path: "GET /v1/refuses", access, output: Ok }, () => refuse("conflict", "private reason"));
    return test;
  });

  it("adds them", async () => {
    expect((await door.ask("GET /v1/refuses")).json).toMatchObject({
      code: "conflict",
      title: "Conflict",
      error: "Conflict",
      help: 7,
      ok: false,
    });
  });

  it("gives the function public values only", async () => {
    seen.length = 0;
    const reply = await door.ask("GET /v1/refuses");
    expect(seen).toEqual([{ code: "conflict", status: 409, title: "Conflict", requestId: reply.id }]);
  });

  it("lets none of them stand for ours", async () => {
    expectProblem(await door.ask("PUT /v1/open"), 405, "method-not-allowed");
  });

  it("refuses all the same where they throw or cannot be written, with the headers the refusal needs", async () => {
    door.errors.length = 0;
    expectProblem(await door.ask("GET /v1/none"), 404, "route-not-found");
    const stranger = await door.ask(`GET /v1/notes/${noteIds[0]}`);
    expectProblem(stranger, 401, "no-credential");
    expect(stranger.headers.get("www-authenticate")).toBe('Bearer realm="notes"');
    expect(door.errors.map(String)).toEqual([expect.stringContaining("boom"), expect.stringContaining("BigInt")]);
  });

  it("charges the failure budget although they throw", async () => {
    const strict = await openDoor(testApi({ limits: { failures: "2/min" }, problem: { members: boom } }));
    const codesOf = async (door: FrontDoor) => [
      await door.ask("GET /v1/a"),
      await door.ask("GET /v1/b"),
      await door.ask("GET /v1/c"),
    ];
    expect((await codesOf(strict)).map((reply) => reply.status)).toEqual([404, 404, 429]);
    await strict.close();
  });
});

describe("errors in a browser", () => {
  const browser = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  const pageOutput = html({ style: "p { margin: 0 }" });
  const door = sharedDoor(() => {
    const test = testApi({ limits: { failures: "100000/min" } });
    const show = () => ({ title: "A page", body: markup`<p>Here</p>` });
    routeUntyped(test.api, { path: "GET /v1/page", access, output: pageOutput }, show);
    routeUntyped(test.api, { path: "GET /v1/once", access, output: pageOutput, limit: "1/h" }, show);
    routeUntyped(test.api, { path: "GET /v1/own", access: anyCaller, output: pageOutput }, show);
    routeUntyped(test.api, { path: "GET /v1/breaks", access, output: pageOutput }, () => {
      throw new Error("SELECT password FROM users");
    });
    routeUntyped(test.api, { path: "GET /v1/wrong", access, output: pageOutput }, () => "no page");
    routeUntyped(
      test.api,
      {
        path: "POST /v1/start",
        access,
        startsSession: true,
        input: { body: form(z.strictObject({ name: z.string().max(5) })) },
        output: { 200: pageOutput, 400: pageOutput },
      },
      show,
    );
    const one = {
      access,
      input: { params: z.strictObject({ id: z.string().max(5) }) },
      objects: { id: notAnObject("for the tests") },
      output: pageOutput,
    };
    const body = form(z.strictObject({ name: z.string().max(5) }));
    routeUntyped(test.api, { path: "GET /v1/start", access, output: pageOutput }, show);
    routeUntyped(test.api, { ...one, path: "GET /v1/page/:id" }, show);
    routeUntyped(test.api, { ...one, path: "POST /v1/page/:id", input: { ...one.input, body }, limit: "1000/s" }, show);
    // Somebody else's link to it is answered; we send nobody there.
    const callback = {
      path: "GET /v1/page/back",
      input: { cookies: z.strictObject({ "__Host-a": z.string().max(5) }) },
    };
    routeUntyped(
      test.api,
      { ...callback, access, startsSession: { begunBy: "cookies.__Host-a" }, output: pageOutput },
      show,
    );
    return test;
  });
  const urlencoded = { "Content-Type": "application/x-www-form-urlencoded" };

  it.each([
    ["GET /v1/page?%3Cscript%3E=1", {}, 400, "invalid-input"],
    ["GET /v1/own", {}, 401, "no-credential"],
    [
      "POST /v1/start",
      { headers: { ...urlencoded, "Sec-Fetch-Site": "cross-site" }, body: "name=a" },
      403,
      "cross-site",
    ],
    ["GET /v1/nothing<script>", {}, 400, "bad-target"],
    ["GET /v1/nothing", {}, 404, "route-not-found"],
    ["PUT /v1/page", {}, 405, "method-not-allowed"],
    ["POST /v1/start", { headers: urlencoded, body: "name=<script>alert(1)</script>" }, 400, "invalid-input"],
    ["GET /v1/breaks", {}, 500, "internal"],
    ["GET /v1/wrong", {}, 500, "internal"],
  ] as const)(
    "%s %j is a page that says so, without scripts and without what was sent",
    async (line, asked, status, code) => {
      const headers = "headers" in asked ? asked.headers : {};
      const reply = await door.ask(line, { ...asked, headers: { ...headers, ...browser } });
      expect([reply.status, reply.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
      const nonce = /<style nonce="([\w-]{22})">/.exec(reply.body)?.[1];
      expect(reply.headers.get("content-security-policy")).toBe(
        `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      );
      expect(reply.headers.get("cache-control")).toBe("no-store");
      expect(reply.body).toContain(`${status} ${code}<br>Request ${reply.id}`);
      expect(reply.body).not.toMatch(/script|SELECT|alert|nothing<|http-equiv/i);
      // The same to a program, with the same headers but those that a page has otherwise.
      const program = await door.ask(line, asked);
      expectProblem(program, status, code);
      const others = (one: Reply) =>
        [...one.headers.keys()]
          .filter((name) => !["content-length", "cross-origin-opener-policy"].includes(name))
          .toSorted();
      expect(others(reply)).toEqual(others(program));
    },
  );

  it.each([
    // To where it was, which nothing has to be repeated for.
    ["POST /v1/page/1", 400, "", "Back to the page"],
    ["POST /v1/start", 403, "", "Back to the page"],
    ["GET /v1/breaks?", 500, "", "Try again"],
    // To the nearest page above.
    ["GET /v1/page?a=https://evil.example", 400, "/v1/page", "Go to /v1/page"],
    ["GET /v1/page/1/2", 404, "/v1/page", "Go to /v1/page"],
    ["GET /v1/page/back/2", 404, "/v1/page", "Go to /v1/page"],
    ["PUT /v1/page/1", 405, "/v1/page", "Go to /v1/page"],
    ["GET /v1/none", 404],
    ["GET /v1/own", 401],
    ["GET //evil.example/v1/page", 400],
  ] as const)("%s is answered with %i and a way on to %j", async (line, status, ...way) => {
    const [address, says] = way;
    const asked = line.startsWith("POST")
      ? { headers: { ...browser, ...urlencoded, "Sec-Fetch-Site": "cross-site" }, body: "name=toolong" }
      : { headers: browser };
    const reply = await door.ask(line, asked);
    expect(reply.status).toBe(status);
    expect(reply.body.match(/<a [^>]*>[^<]*/g)).toEqual(
      address === undefined ? null : [`<a href="${address}">${says}`],
    );
  });

  it("leads nowhere from a host that is none of ours, where our addresses are somebody else's", async () => {
    const reply = await door.ask("GET /v1/page/1/2", { headers: { ...browser, Host: "evil.example" } });
    expect([reply.status, reply.body.includes("<a ")]).toEqual([421, false]);
  });

  it("says in words what Retry-After says", async () => {
    await door.ask("GET /v1/once", { headers: browser });
    const reply = await door.ask("GET /v1/once", { headers: browser });
    const seconds = Number(reply.headers.get("retry-after"));
    expect([reply.status, seconds > 3500]).toEqual([429, true]);
    expect(reply.body).toContain(`Try again in ${Math.ceil(seconds / 60)} minutes.`);
    expectProblem(await door.ask("GET /v1/once"), 429, "rate-limited");
  });

  it("is a problem document where JSON is asked for as much, and at routes and in APIs that have no pages", async () => {
    for (const Accept of [
      "application/json, text/html",
      "text/html;q=0.5, application/problem+json",
      "text/html;q=0",
      "text/html;q=x",
      "*/*",
      "TEXT/HTML",
      `${browser.Accept}${",;".repeat(400)}`,
    ]) {
      expectProblem(await door.ask("GET /v1/page?a=1", { headers: { Accept } }), 400, "invalid-input");
    }
    expectProblem(await door.ask("GET /v1/open?a=1", { headers: browser }), 400, "invalid-input");
    const without = await openDoor(testApi());
    expectProblem(await without.ask("GET /v1/nothing", { headers: browser }), 404, "route-not-found");
    await without.close();
  });
});

describe("errors in what reports errors", () => {
  it("cost nothing but the report", async () => {
    const test = testApi({ audit: { sinks: [{ name: "none", write: () => undefined }], onError: () => boom() } });
    routeUntyped(test.api, { path: "GET /v1/throws", access, output: Ok }, () => boom());
    const door = await openDoor(test);
    expectProblem(await door.ask("GET /v1/throws"), 500, "internal");
    expect((await door.ask("GET /v1/open")).status).toBe(200);
    await door.close();
  });
});

function boom(): never {
  throw new Error("boom");
}
