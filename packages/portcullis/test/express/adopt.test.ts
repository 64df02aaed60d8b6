import type { RequestHandler } from "express";
import express from "express";
import express4 from "express4";
import cors from "cors";
import helmet from "helmet";
import { StartRefused } from "portcullis";
import { adopt, type AdoptOptions } from "portcullis/express";
import router20 from "router20";
import { describe, expect, it } from "vitest";
import { noteIds, routeUntyped, testApi, type TestApi } from "../front-door.ts";
import { type App, serve, versions } from "./express-door.ts";

const later = { reason: "being moved", until: "2099-01-31" } as const;
const says =
  (text: string): RequestHandler =>
  (_req, res) =>
    void res.json({ says: text });

/** What stops the adoption, as `field: problem`. */
function problemsOf(app: App, options: AdoptOptions = {}, test: TestApi = testApi()): readonly string[] {
  try {
    adopt(app, test.api, options);
  } catch (error) {
    if (error instanceof StartRefused) return error.problems.map(({ field, problem }) => `${field}: ${problem}`);
    throw error;
  }
  return [];
}

const unguarded = "is a route of Express that no policy guards";

describe.each(versions)("$version: adopt reads the route table", ({ version, make }) => {
  const Router = version === "Express 4" ? express4.Router : express.Router;
  const tables: readonly (readonly [string, (app: App) => void, readonly string[]])[] = [
    ["a route", (app) => app.get("/admin/users", says("users")), ["GET /admin/users"]],
    ["a route with a value", (app) => app.delete("/admin/users/:id", says("gone")), ["DELETE /admin/users/:id"]],
    [
      "several methods of one path",
      (app) => app.route("/admin/jobs").get(says("jobs")).post(says("job")),
      ["GET /admin/jobs", "POST /admin/jobs"],
    ],
    ["app.all", (app) => app.all("/anything", says("all")), ["ALL /anything"]],
    ["an array of paths", (app) => app.get(["/one", "/two"], says("both")), ["GET /one", "GET /two"]],
    ["a regular expression", (app) => app.get(/^\/files\/(.*)$/, says("file")), ["GET /^\\/files\\/(.*)$/"]],
    [
      "a wildcard",
      (app) => app.get(version === "Express 4" ? "/files/*" : "/files/*path", says("file")),
      [version === "Express 4" ? "GET /files/*" : "GET /files/*path"],
    ],
    [
      "a router",
      (app) => app.use("/admin", Router().get("/users", says("users")).get("/", says("home"))),
      ["GET /admin/users", "GET /admin"],
    ],
    ["a router in a router", (app) => app.use("/a", Router().use("/b", Router().get("/c", says("c")))), ["GET /a/b/c"]],
    ["a router at the root", (app) => app.use(Router().get("/x", says("x"))), ["GET /x"]],
  ];

  it.each(tables)("and names %s nobody guards", (_name, mount, routes) => {
    const app = make();
    mount(app);
    expect(problemsOf(app)).toEqual(routes.map((route) => `${route}: ${unguarded}`));
  });

  it.each(tables)("and starts with %s on the list", (_name, mount, routes) => {
    const app = make();
    mount(app);
    expect(problemsOf(app, { notYet: routes.map((route) => ({ route, ...later })) })).toEqual([]);
  });

  it("and a router below a mount with a value, listed with the value's name and not for one value alone", () => {
    const app = make();
    app.use("/orgs/:org", Router().get("/users", says("users")));
    expect(problemsOf(app, { notYet: [{ route: "GET /orgs/acme/users", ...later }] })).toContain(
      "notYet GET /orgs/acme/users: names no route of the application",
    );
    expect(problemsOf(app, { notYet: [{ route: "GET /orgs/:org/users", ...later }] })).toEqual([]);
  });

  it("and another application, once it is handed over", () => {
    const app = make();
    const admin = make();
    admin.get("/users", says("users"));
    app.use("/admin", admin);
    const hidden = "use /admin: is another application; Express does not show its routes";
    expect(problemsOf(app)).toEqual([hidden]);
    expect(problemsOf(app, { subApps: [make()] })).toEqual([hidden]);
    expect(problemsOf(app, { subApps: [admin] })).toEqual([`GET /admin/users: ${unguarded}`]);
    expect(problemsOf(app, { subApps: [admin], notYet: [{ route: "GET /admin/users", ...later }] })).toEqual([]);
  });
});

describe("adopt and a router that keeps no mount path as text", () => {
  it("takes an entry that the mount's own matcher takes, and no other", () => {
    const make = (): App => {
      const outer = router20();
      const inner = router20();
      inner.get("/users", says("users"));
      outer.use("/admin", inner);
      const app = express();
      app.use((req, res, next) => {
        outer(req, res, next);
      });
      return app;
    };
    expect(problemsOf(make())).toEqual([
      "use /: a function without a name may answer requests by itself; only routes in notYet reach it from now on",
    ]);
    const mounted = (): App => {
      const outer = router20();
      const inner = router20();
      inner.get("/users", says("users"));
      outer.use("/admin", inner);
      const app = express();
      app.use(outer);
      return app;
    };
    expect(problemsOf(mounted())).toEqual([`GET /…/users: ${unguarded}`]);
    expect(problemsOf(mounted(), { notYet: [{ route: "GET /users", ...later }] })).toContain(
      "notYet GET /users: names no route of the application",
    );
    expect(problemsOf(mounted(), { notYet: [{ route: "GET /admin/users", ...later }] })).toEqual([]);
  });
});

describe.each(versions)("$version: adopt refuses to start", ({ make }) => {
  const withUsers = (): App => {
    const app = make();
    app.get("/admin/users", says("users"));
    return app;
  };
  const route = "GET /admin/users";
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["without a reason", { route, reason: " ", until: "2099-01-01" }, `notYet ${route}.reason: has no reason`],
    ["with no reason at all", { route, until: "2099-01-01" }, `notYet ${route}.reason: has no reason`],
    [
      "with a date that has passed",
      { ...later, route, until: "2020-01-01" },
      `notYet ${route}.until: 2020-01-01 has passed`,
    ],
    ["with what is no date", { ...later, route, until: "soon" }, `notYet ${route}.until: "soon" is no date`],
    [
      "with a day no month has",
      { ...later, route, until: "2099-02-30" },
      `notYet ${route}.until: "2099-02-30" is no date`,
    ],
    ["for no route", { ...later, route: "GET /nothing" }, "notYet GET /nothing: names no route of the application"],
    ["for a path alone", { ...later, route: "/admin/users" }, "notYet /admin/users: is no route"],
  ];
  it.each(cases)("on an entry %s", (_name, entry, problem) => {
    const options: AdoptOptions = {};
    Reflect.set(options, "notYet", [{ route, ...later }, entry]);
    expect(problemsOf(withUsers(), options)).toContain(problem);
  });

  it("on an entry that stands twice, and on one the API has declared", () => {
    const twice = [
      { route, ...later },
      { route, ...later },
    ];
    expect(problemsOf(withUsers(), { notYet: twice })).toContain(`notYet ${route}: is listed twice`);
    const app = make();
    app.get("/v1/notes/:noteId", says("a note"));
    expect(problemsOf(app, { notYet: [{ route: "GET /v1/notes/:noteId", ...later }] })).toEqual([
      "notYet GET /v1/notes/:noteId: is declared at the API, which answers it",
    ]);
  });

  it("on functions that may answer by themselves, and not on those that only prepare", () => {
    const app = make();
    app.use(express.json(), express.urlencoded({ extended: false }), express.raw(), express.text(), helmet(), cors());
    app.use(function requireLogin(_req, _res, next) {
      next();
    });
    app.use("/public", express.static("/nowhere"));
    app.use((_error: Error, _req: express.Request, _res: express.Response, next: express.NextFunction) => next());
    expect(problemsOf(app)).toEqual([
      "use /: requireLogin may answer requests by itself; only routes in notYet reach it from now on",
      "use /public: serves files that nobody reaches any more",
    ]);
    const named = [
      { name: "requireLogin", reason: "sets req.user for the routes that are still here" },
      { name: "serveStatic", reason: "moves to the content delivery network" },
    ];
    expect(problemsOf(app, { middleware: named })).toEqual([]);
    expect(problemsOf(make(), { middleware: named })).toEqual([
      "middleware requireLogin: is nowhere in the application",
      "middleware serveStatic: is nowhere in the application",
    ]);
    expect(problemsOf(app, { middleware: named.map(({ name }) => ({ name, reason: "" })) })).toContain(
      "middleware requireLogin: has no reason",
    );
  });

  it("with everything at once: its own problems and those of the policies", () => {
    const test = testApi();
    routeUntyped(test.api, { path: "GET /v1/undecided" });
    const found = problemsOf(withUsers(), { notYet: [{ ...later, route: "GET /nothing" }] }, test);
    expect(found).toEqual([
      "notYet GET /nothing: names no route of the application",
      `GET /admin/users: ${unguarded}`,
      "access: nobody decided who may call it",
      "output: nobody decided what leaves",
    ]);
  });

  it("on an array of paths of which one is declared", () => {
    const app = make();
    app.get(["/v1/open", "/admin/open"], says("open"));
    expect(problemsOf(app, { notYet: [{ route: "GET /admin/open", ...later }] })).toContain(
      "GET /v1/open: stands in an array with paths that are not declared",
    );
  });

  it("on an option nobody knows", () => {
    const options: AdoptOptions = {};
    Reflect.set(options, "notyet", []);
    expect(problemsOf(make(), options)).toEqual(["notyet: is no option"]);
  });
});

describe.each(versions)("$version: an adopted application", ({ make }) => {
  function adopted(change: (app: App) => void = () => undefined, options: AdoptOptions = {}) {
    const test = testApi();
    const app = make();
    app.use(express.json());
    app.get("/admin/users", says("users"));
    app.post("/admin/users", (req, res) => void res.status(201).json({ got: req.body }));
    app.get("/v1/open", says("the old handler"));
    change(app);
    const notYet = ["GET /admin/users", "POST /admin/users"].map((route) => ({ route, ...later }));
    adopt(app, test.api, { ...options, notYet: [...notYet, ...(options.notYet ?? [])] });
    return { app, test };
  }

  it("answers what is declared, lets what is listed through, and says 404 to everything else", async () => {
    const { app } = adopted();
    const door = await serve(app);
    expect((await door.ask("GET /v1/open")).json).toEqual({ ok: true });
    expect((await door.ask(`GET /v1/notes/${noteIds[0]}`)).status).toBe(401);
    expect((await door.ask("GET /admin/users")).json).toEqual({ says: "users" });
    expect((await door.ask("POST /admin/users", { json: { name: "x" } })).json).toEqual({ got: { name: "x" } });
    expect((await door.ask("HEAD /admin/users")).status).toBe(200);
    const nothing = await door.ask("GET /admin/user");
    expect([nothing.status, nothing.headers.get("x-content-type-options")]).toEqual([404, "nosniff"]);
  });

  it.each([
    ["another spelling of the path", "GET /Admin/users", 404],
    ["a slash at its end", "GET /admin/users/", 400],
    ["an escaped letter", "GET /%61dmin/users", 400],
    ["two slashes", "GET //admin/users", 400],
    ["a way out of a folder", "GET /x/../admin/users", 400],
    ["a method that is not listed", "DELETE /admin/users", 404],
    ["the whole address", "GET http://localhost/admin/users", 400],
  ])("lets no request for a listed route through with %s", async (_name, line, status) => {
    const { app } = adopted();
    const door = await serve(app);
    expect((await door.ask(line)).status).toBe(status);
  });

  it("serves listed routes for its own hosts only", async () => {
    const { app } = adopted();
    const door = await serve(app);
    expect((await door.ask("GET /admin/users", { headers: { host: "evil.example" } })).status).toBe(421);
  });

  it("counts listed routes against the limits of their address", async () => {
    const test = testApi({ limits: { address: "2/min", global: "1000/s" } });
    const app = make();
    app.get("/admin/users", says("users"));
    adopt(app, test.api, { notYet: [{ route: "GET /admin/users", ...later }] });
    const door = await serve(app);
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await door.ask("GET /admin/users")).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  it("records calls of listed routes by their pattern, with what Express answered and an event of their own", async () => {
    const { app, test } = adopted((one) => one.get("/admin/users/:id", says("one")), {
      notYet: [{ route: "GET /admin/users/:id", ...later }],
    });
    const door = await serve(app);
    await door.ask("GET /admin/users/5");
    await test.api.stop();
    expect(test.entries.filter((entry) => entry.kind === "call")).toMatchObject([
      { method: "GET", route: "GET /admin/users/:id", status: 200, aborted: false, account: undefined },
    ]);
    expect(test.events().filter(({ type }) => type === "passed-on")).toMatchObject([
      { route: "GET /admin/users/:id", status: 200, method: "GET" },
    ]);
  });

  it("does not reach a declared route's old handler behind the API, whatever Express takes a request for", async () => {
    const test = testApi();
    const app = make();
    app.use(function override(req, _res, next) {
      req.method = req.get("x-http-method-override") ?? req.method;
      next();
    });
    // Registered first and wider: Express would take the request for `export` for it.
    app.get("/v1/notes/:id", says("the old handler"));
    app.get("/v1/notes/export", says("export"));
    app.get("/v1/open", says("the old handler"));
    app.post("/v1/open", says("posted"));
    adopt(app, test.api, {
      notYet: ["GET /v1/notes/export", "POST /v1/open"].map((route) => ({ route, ...later })),
      middleware: [{ name: "override", reason: "for old clients" }],
    });
    const door = await serve(app);
    expect((await door.ask("GET /v1/notes/export")).json).toEqual({ says: "export" });
    expect((await door.ask("POST /v1/open")).json).toEqual({ says: "posted" });
    const overridden = await door.ask("POST /v1/open", { headers: { "x-http-method-override": "GET" } });
    expect([overridden.status, overridden.body.includes("old handler")]).toEqual([404, false]);
  });

  it("keeps the API's own route where a listed pattern takes its requests too", async () => {
    const test = testApi();
    const app = make();
    app.get(/^\/v1\//, says("the old handler"));
    adopt(app, test.api, { notYet: [{ route: "GET /^\\/v1\\//", ...later }] });
    const door = await serve(app);
    expect((await door.ask("GET /v1/open")).json).toEqual({ ok: true });
    expect((await door.ask(`GET /v1/notes/${noteIds[0]}`)).status).toBe(401);
    expect((await door.ask("GET /v1/other")).json).toEqual({ says: "the old handler" });
  });

  it("answers preflights of its own paths, and lets those of listed ones through to the application's cors", async () => {
    const test = testApi({ origins: ["https://app.example"] });
    const app = make();
    app.use(cors({ origin: "https://old.example" }));
    app.get("/admin/users", says("users"));
    adopt(app, test.api, { notYet: [{ route: "GET /admin/users", ...later }] });
    const door = await serve(app);
    const ask = (path: string, origin: string) =>
      door.ask(`OPTIONS ${path}`, { headers: { origin, "access-control-request-method": "GET" } });
    expect((await ask("/v1/open", "https://app.example")).headers.get("access-control-allow-origin")).toBe(
      "https://app.example",
    );
    expect((await ask("/admin/users", "https://old.example")).headers.get("access-control-allow-origin")).toBe(
      "https://old.example",
    );
  });

  it("stands in the manifest with its reasons and dates, and lets nothing through once the list is empty", async () => {
    const { test } = adopted();
    expect(test.api.manifest()).toMatchObject({
      "x-portcullis": {
        notYet: [
          { route: "GET /admin/users", ...later },
          { route: "POST /admin/users", ...later },
        ],
      },
    });
    const done = testApi();
    const app = make();
    app.get("/v1/open", says("the old handler"));
    adopt(app, done.api);
    expect(JSON.stringify(done.api.manifest())).not.toContain("notYet");
    const door = await serve(app);
    expect((await door.ask("GET /v1/open")).json).toEqual({ ok: true });
  });

  it("says days before that a listed date comes near", async () => {
    const until = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10);
    const { test } = adopted((app) => app.get("/soon", says("soon")), {
      notYet: [{ route: "GET /soon", reason: "nearly done", until }],
    });
    await test.api.stop();
    expect(test.events().filter(({ type }) => type === "date-near")).toMatchObject([
      { reason: `GET /soon is not guarded yet: ${until} is in 5 days; after it the process does not start` },
    ]);
  });
});
