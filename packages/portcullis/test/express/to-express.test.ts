import { once } from "node:events";
import { connect } from "node:net";
import cookieParser from "cookie-parser";
import cors from "cors";
import express, { type RequestHandler } from "express";
import helmet from "helmet";
import { nothing, publicAccess, StartRefused } from "portcullis";
import { toExpress, type ToExpressOptions } from "portcullis/express";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { bearer, noteIds, routeUntyped, testApi } from "../front-door.ts";
import { type App, serve, versions } from "./express-door.ts";

describe.each(versions)("$version: app.use(toExpress(api))", ({ make }) => {
  it("answers a request through every gate, and leaves nothing of Express on the answer", async () => {
    const app = make();
    app.use(toExpress(testApi().api));
    const door = await serve(app);
    const open = await door.ask("GET /v1/open");
    expect([open.status, open.json]).toEqual([200, { ok: true }]);
    expect(open.headers.get("x-content-type-options")).toBe("nosniff");
    expect(open.headers.has("x-powered-by")).toBe(false);
    expect(open.headers.has("etag")).toBe(false);
    expect((await door.ask(`GET /v1/notes/${noteIds[0]}`)).status).toBe(401);
    const mine = await door.ask(`GET /v1/notes/${noteIds[0]}`, { as: "alice" });
    expect(mine.json).toEqual({ id: noteIds[0], text: "note 0" });
    const made = await door.ask("POST /v1/notes", { as: "alice", json: { text: "hello" } });
    expect([made.status, made.json]).toEqual([201, { id: noteIds[0], text: "hello" }]);
  });

  it("answers everything itself: nothing behind it is reachable", async () => {
    const app = make();
    app.use(toExpress(testApi().api));
    app.get("/secret", (_req, res) => void res.send("reached"));
    app.use((_req, res) => void res.send("reached"));
    const door = await serve(app);
    for (const line of ["GET /secret", "GET /", "POST /secret", "OPTIONS /secret", "GET //secret", "HEAD /secret"]) {
      const answer = await door.ask(line);
      expect([line, answer.status >= 400, answer.body.includes("reached")]).toEqual([line, true, false]);
    }
  });

  it("judges the target that was sent, below a mount too", async () => {
    const app = make();
    app.use("/v1", toExpress(testApi().api));
    app.get("/page", (_req, res) => void res.send("a page"));
    const door = await serve(app);
    expect((await door.ask("GET /v1/open")).json).toEqual({ ok: true });
    expect((await door.ask("GET /page")).body).toBe("a page");
    expect((await door.ask("GET /open")).status).toBe(404);
  });

  it("takes address and scheme from the socket, whatever Express was told to trust", async () => {
    const test = testApi({ limits: { address: "2/min", global: "1000/s" } });
    const app = make();
    app.set("trust proxy", true);
    app.use(toExpress(test.api));
    const door = await serve(app);
    const statuses: number[] = [];
    for (const ip of ["1.1.1.1", "2.2.2.2", "3.3.3.3"]) {
      statuses.push((await door.ask("GET /v1/open", { headers: { "x-forwarded-for": ip } })).status);
    }
    // A forwarding header from this machine shows a proxy nobody declared: refused, and never believed.
    expect(statuses.every((status) => status >= 400)).toBe(true);
    await test.api.stop();
    expect(new Set(test.entries.flatMap((entry) => ("address" in entry ? [entry.address] : [])))).toEqual(
      new Set(["127.0.0.1"]),
    );
  });

  it("records a client that has gone as aborted, once", async () => {
    const test = testApi();
    const begun = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    test.api.route(
      { path: "GET /v1/slow", access: publicAccess("slow on purpose"), output: z.strictObject({ ok: z.boolean() }) },
      async ({ request }) => {
        request.signal.addEventListener("abort", () => gone.resolve());
        begun.resolve();
        await gone.promise;
        return { ok: true };
      },
    );
    const app = make();
    app.use(toExpress(test.api));
    const { port } = await serve(app);
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET /v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await begun.promise;
    socket.destroy();
    await gone.promise;
    await expect.poll(() => test.entries.some((entry) => entry.kind === "call")).toBe(true);
    await test.api.stop();
    expect(test.entries.filter((entry) => entry.kind === "call")).toMatchObject([
      { route: "GET /v1/slow", aborted: true },
    ]);
  });

  it("tells a handler that its client had gone before it began", async () => {
    const test = testApi();
    const [begun, closed, seen] = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<boolean>(),
    ];
    const query = z.strictObject({}).refine(async () => {
      begun.resolve();
      await closed.promise;
      return true;
    });
    const policy = { path: "GET /v1/slow", access: publicAccess("slow on purpose"), output: nothing } as const;
    test.api.route({ ...policy, input: { query } }, ({ request }) => seen.resolve(request.signal.aborted));
    const sees: RequestHandler = function sees(_req, res, next) {
      res.once("close", () => closed.resolve());
      next();
    };
    const app = make();
    app.use(sees);
    app.use(toExpress(test.api, { inFront: [{ name: "sees", reason: "the test's own eyes" }] }));
    const { port } = await serve(app);
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await begun.promise;
    socket.destroy();
    expect(await seen.promise).toBe(true);
  });

  it("is 500 where a body parser came first, with the fix in the log alone", async () => {
    const test = testApi();
    const router = express.Router();
    // In a router of its own, where Express tells nobody what is mounted.
    router.use(express.json(), toExpress(test.api));
    const app = make();
    app.use(router);
    const door = await serve(app);
    const answer = await door.ask("POST /v1/notes", { as: "alice", json: { text: "hello" } });
    expect([answer.status, answer.json]).toMatchObject([500, { code: "internal" }]);
    expect(String(test.errors[0])).toContain("mount toExpress(api), or adopt, in front of express.json()");
    expect((await door.ask("GET /v1/open")).status).toBe(200);
  });

  it("takes off what others put on the response in front of it", async () => {
    const app = make();
    app.use(function meddle(_req, res, next) {
      res.setHeader("Access-Control-Allow-Origin", "*");
      res.statusMessage = "Fine";
      const end = res.end.bind(res);
      Reflect.set(res, "end", (body: unknown) => Reflect.apply(end, res, [`${String(body)}<script>`]));
      next();
    });
    app.use(toExpress(testApi().api, { inFront: [{ name: "meddle", reason: "the test's attacker" }] }));
    const door = await serve(app);
    const answer = await door.ask("GET /v1/open");
    expect([answer.json, answer.head.split("\r\n")[0]]).toEqual([{ ok: true }, "HTTP/1.1 200 OK"]);
    expect(answer.headers.has("access-control-allow-origin")).toBe(false);
  });

  it("says nothing where somebody in front has answered already", async () => {
    const app = make();
    app.use(function answersAndGoesOn(_req, res, next) {
      res.end("mine");
      next();
    });
    app.use(toExpress(testApi().api, { inFront: [{ name: "answersAndGoesOn", reason: "a mistake of theirs" }] }));
    const door = await serve(app);
    expect((await door.ask("GET /v1/open")).body).toContain("mine");
  });

  it("does not come up with a hole: a route with a decision missing throws when the middleware is made", () => {
    const test = testApi();
    routeUntyped(test.api, { path: "GET /v1/undecided" });
    expect(() => toExpress(test.api)).toThrow(StartRefused);
  });

  it("lists what it cannot see in the manifest", () => {
    const test = testApi();
    toExpress(test.api);
    expect(test.api.manifest()).toMatchObject({
      "x-portcullis": { unknown: expect.arrayContaining(["pipelined requests", "upgrades and tunnels"]) },
    });
  });
});

describe.each(versions)("$version: what stands in front of toExpress(api)", ({ make }) => {
  function mounted(before: (app: App) => void, options: ToExpressOptions = {}, at = "/"): readonly string[] {
    const app = make();
    before(app);
    try {
      app.use(at, toExpress(testApi().api, options));
    } catch (error) {
      if (error instanceof StartRefused) return error.problems.map(({ field, problem }) => `${field}: ${problem}`);
      throw error;
    }
    return [];
  }
  const parsed = "reads bodies before they are counted, and the gates find nothing left";
  const unknown: RequestHandler = function guess(_req, _res, next) {
    next();
  };
  const cases: readonly (readonly [string, (app: App) => void, readonly string[]])[] = [
    ["nothing", () => undefined, []],
    ["express.json()", (app) => app.use(express.json()), [`jsonParser: jsonParser ${parsed}`]],
    [
      "express.urlencoded()",
      (app) => app.use(express.urlencoded({ extended: true })),
      [`urlencodedParser: urlencodedParser ${parsed}`],
    ],
    ["express.raw()", (app) => app.use(express.raw()), [`rawParser: rawParser ${parsed}`]],
    ["express.text()", (app) => app.use(express.text()), [`textParser: textParser ${parsed}`]],
    [
      "helmet",
      (app) => app.use(helmet()),
      ["helmetMiddleware: helmetMiddleware (helmet) sets headers that no answer of the API keeps"],
    ],
    [
      "cors",
      (app) => app.use(cors()),
      ["corsMiddleware: corsMiddleware (cors) answers preflights by a list of origins of its own"],
    ],
    [
      "express.static",
      (app) => app.use(express.static("/nowhere")),
      ["serveStatic: serveStatic (express.static) answers from files before any gate"],
    ],
    [
      "a function nobody knows",
      (app) => app.use(unknown),
      ["guess: guess sees every request before the gates and may answer it"],
    ],
    [
      "cookie-parser",
      (app) => app.use(cookieParser()),
      ["cookieParser: cookieParser sees every request before the gates and may answer it"],
    ],
    ["a route", (app) => app.get("/old", unknown), ["/old: is a route of Express in front of the gates"]],
    [
      "what runs after errors",
      (app) => app.use((_e: Error, _q: express.Request, _s: express.Response, next: express.NextFunction) => next()),
      [],
    ],
  ];
  it.each(cases)("is found when it is mounted: %s", (_name, before, problems) => {
    expect(mounted(before)).toEqual(problems);
  });

  it("may be there for a reason, body parsers excepted", () => {
    const inFront = [{ name: "guess", reason: "logs requests" }];
    expect(mounted((app) => app.use(unknown), { inFront })).toEqual([]);
    const parser = [{ name: "jsonParser", reason: "because" }];
    expect(mounted((app) => app.use(express.json()), { inFront: parser })).toEqual([
      `jsonParser: jsonParser ${parsed}`,
    ]);
    expect(mounted(() => undefined, { inFront: [{ name: "guess", reason: "" }] })).toEqual([
      "inFront guess: has no reason",
    ]);
  });

  it("may be routes of other paths where the API is mounted below one of its own", () => {
    expect(mounted((app) => app.get("/page", unknown), {}, "/v1")).toEqual([]);
    expect(mounted((app) => app.get("/v1/old", unknown), {}, "/v1")).toEqual([
      "/v1/old: is a route of Express in front of the gates",
    ]);
    expect(mounted((app) => app.use("/v2", toExpress(testApi().api)), {}, "/v1")).toEqual([]);
    const found = ["guess: guess sees every request before the gates and may answer it"];
    expect(mounted((app) => app.use("/v1/debug", unknown), {}, "/v1")).toEqual(found);
    expect(mounted((app) => app.use(["/v1", "/v3"], unknown), {}, "/v1")).toEqual(found);
  });
});

describe.each(versions)("$version: shadow mode", ({ make }) => {
  const shadow = { until: "2099-12-31", reason: "learning what real clients send" } as const;

  function shadowed(test = testApi()) {
    const app = make();
    app.use(express.json());
    app.use(toExpress(test.api, { shadow }));
    app.use((req, res) => void res.status(203).json({ express: req.originalUrl, body: req.body ?? null }));
    return { app, test };
  }

  it("lets every request through untouched and records what would have been refused", async () => {
    const { app, test } = shadowed();
    const door = await serve(app);
    const asked: readonly (readonly [string, Parameters<typeof door.ask>[1], string | undefined])[] = [
      ["GET /v1/open", {}, undefined],
      ["GET /v1/nothing", {}, "route-not-found"],
      ["GET /v1//open", {}, "bad-target"],
      ["GET /v1/open", { headers: { host: "evil.example" } }, "unknown-host"],
      ["GET /v1/open?token=x", {}, "credential-in-url"],
      [`GET /v1/notes/${noteIds[0]}`, {}, "no-credential"],
      [`GET /v1/notes/${noteIds[0]}`, { headers: { authorization: "Bearer no" } }, "bad-credential"],
      // Whether the body fits and whose the object is comes after the body; nobody asks.
      ["POST /v1/notes", { as: "alice", json: { text: 5 } }, undefined],
      [`GET /v1/notes/${noteIds[1]}`, { as: "alice" }, undefined],
    ];
    const codes: (string | undefined)[] = [];
    for (const [line, request] of asked) {
      const before = test.entries.length;
      const answer = await door.ask(line, request);
      expect([line, answer.status, answer.headers.get("x-powered-by")]).toEqual([line, 203, "Express"]);
      await expect.poll(() => test.entries.slice(before).some(({ kind }) => kind === "call")).toBe(true);
      const found = test
        .events()
        .filter((event) => event.type === "would-refuse" && test.entries.indexOf(event) >= before);
      codes.push(found[0]?.code);
    }
    expect(codes).toEqual(asked.map(([, , code]) => code));
    expect(test.entries.filter((entry) => entry.kind === "call").every((entry) => entry.status === 203)).toBe(true);
    const posted = await door.ask("POST /v1/notes", { as: "alice", json: { text: "kept" } });
    expect(posted.json).toEqual({ express: "/v1/notes", body: { text: "kept" } });
  });

  it("runs no handler and loads nothing", async () => {
    const test = testApi();
    let ran = 0;
    routeUntyped(
      test.api,
      { path: "GET /v1/counted", access: publicAccess("for the test"), output: z.strictObject({}) },
      () => {
        ran++;
      },
    );
    const door = await serve(shadowed(test).app);
    await door.ask("GET /v1/counted");
    expect(ran).toBe(0);
  });

  it("records what the limits would refuse", async () => {
    const test = testApi({ limits: { address: "2/min", global: "1000/s" } });
    const { app } = shadowed(test);
    const door = await serve(app);
    for (let i = 0; i < 4; i++) expect((await door.ask("GET /v1/open")).status).toBe(203);
    await test.api.stop();
    const limited = test.events().filter(({ type, code }) => type === "would-refuse" && code === "rate-limited");
    expect(limited.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(2);
  });

  it("lets a request through where a gate could not decide, and records that too", async () => {
    const test = testApi({ roles: () => Promise.reject(new Error("the directory is down")) });
    const { app } = shadowed(test);
    const door = await serve(app);
    expect((await door.ask(`GET /v1/notes/${noteIds[0]}`, { as: "alice" })).status).toBe(203);
    await test.api.stop();
    expect(test.events().filter(({ type }) => type === "would-refuse")).toHaveLength(1);
  });

  it("records a request whose client had gone before its gates were through", async () => {
    const [begun, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const test = testApi({
      async roles() {
        begun.resolve();
        await closed.promise;
        throw new Error("the directory is down");
      },
    });
    const app = make();
    app.use((_req, res, next) => {
      res.once("close", () => closed.resolve());
      next();
    });
    app.use(shadowed(test).app);
    const { port } = await serve(app);
    const socket = connect(port, "127.0.0.1");
    const { authorization } = await bearer("alice");
    socket.write(`GET /v1/notes/${noteIds[0]} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`);
    await begun.promise;
    socket.destroy();
    await expect.poll(() => test.entries.find((entry) => entry.kind === "call")).toMatchObject({ aborted: true });
    expect(test.events().map(({ type }) => type)).toContain("would-refuse");
  });

  it.each([
    ["a date that has passed", { ...shadow, until: "2020-01-01" }, "shadow.until: 2020-01-01 has passed"],
    ["no date", { ...shadow, until: "" }, 'shadow.until: "" is no date'],
    ["no reason", { ...shadow, reason: "" }, "shadow.reason: has no reason"],
  ])("does not start with %s", (_name, wrong, problem) => {
    expect(() => toExpress(testApi().api, { shadow: wrong })).toThrow(problem);
  });

  it("says days before, and on the last day, that it ends", async () => {
    for (const [days, text] of [
      [0, "is today"],
      [1, "is in 1 day;"],
      [14, "is in 14 days"],
      [15, undefined],
    ] as const) {
      const test = testApi();
      const until = new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
      toExpress(test.api, { shadow: { ...shadow, until } });
      await test.api.stop();
      const said = test.events().filter(({ type }) => type === "date-near");
      expect(said.map(({ reason }) => reason?.includes(text ?? "never"))).toEqual(text === undefined ? [] : [true]);
    }
  });

  it("stands in the manifest", () => {
    const test = testApi();
    toExpress(test.api, { shadow });
    expect(test.api.manifest()).toMatchObject({ "x-portcullis": { shadow } });
  });
});
