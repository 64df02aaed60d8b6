import { setTimeout as wait } from "node:timers/promises";
import type { NextFunction, Request, Response } from "express";
import {
  anyCaller,
  by,
  form,
  html,
  markup,
  nothing,
  protocolError,
  publicAccess,
  redirect,
  refuse,
  view,
} from "portcullis";
import { wrap } from "portcullis/express";
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, noteIds, openDoor, testApi, type TestApi } from "../front-door.ts";

const Ok = z.strictObject({ ok: z.boolean() });
const open = { path: "GET /v1/wrapped", access: publicAccess("for the tests"), output: Ok, limit: "1000/s" } as const;

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

/** Serves one route and asks it once. */
async function answerOf(test: TestApi, line = "GET /v1/wrapped", request: Parameters<FrontDoor["ask"]>[1] = {}) {
  door = await openDoor(test);
  const reply = await door.ask(line, request);
  return { reply, status: reply.status, json: reply.json, code: await door.recordedCode(reply), errors: test.errors };
}

/** As a program without types would. */
function wrapUntyped(test: TestApi, policy: Readonly<Record<string, unknown>>, handler: Any): void {
  const take: unknown = Reflect.apply(wrap, undefined, [test.api, policy]);
  if (typeof take === "function") Reflect.apply(take, undefined, [handler]);
}

type Any = (req: never, res: never, next: (error?: unknown) => void) => unknown;

function wrapped(
  handler: Any,
  policy: Readonly<Record<string, unknown>> = {},
  more: Parameters<typeof testApi>[0] = {},
) {
  const test = testApi(more);
  wrapUntyped(test, { ...open, ...policy }, handler);
  return answerOf(test);
}

describe("wrap: a handler in the manner of Express behind a policy", () => {
  it("gets the proved values where it knows them, with their types", async () => {
    const test = testApi();
    const note = test.api.resource<{ id: string; ownerId: string; text: string }>("memo", {
      load: (id) => ({ id, ownerId: "alice", text: "from load" }),
      owner: (one) => one.ownerId,
      serverSet: ["id", "ownerId"],
    });
    wrap(test.api, {
      path: "PATCH /v1/memos/:id",
      access: anyCaller,
      input: {
        params: z.strictObject({ id: z.uuid() }),
        query: z.strictObject({ times: z.coerce.number().int().min(1).max(9).optional() }),
        headers: z.strictObject({ "x-kind": z.string().max(9).optional() }),
        body: z.strictObject({ text: z.string().max(50) }),
      },
      objects: { memo: by("id", note) },
      output: view(z.strictObject({ id: z.uuid(), text: z.string().max(200) }), note),
    })((req, res) => {
      expectTypeOf(req.params).toEqualTypeOf<{ id: string }>();
      expectTypeOf(req.body.text).toEqualTypeOf<string>();
      const text = `${req.user?.id} ${req.caller.subject} ${req.objects.memo.text} ${req.body.text} ${req.get("X-Kind")} ${req.ip}`;
      res.json({ ...req.objects.memo, text, secret: "never leaves" });
    });
    const { status, json } = await answerOf(test, `PATCH /v1/memos/${noteIds[0]}?times=2`, {
      as: "alice",
      headers: { "x-kind": "plain" },
      json: { text: "sent" },
    });
    expect([status, json]).toEqual([200, { id: noteIds[0], text: "alice alice from load sent plain 127.0.0.1" }]);
  });

  it("may be one that was written with Express's own types", async () => {
    const handler = (req: Request, res: Response, next: NextFunction): void => {
      if (req.query["stop"] === "yes") next(new Error("stopped"));
      else res.status(200).json({ ok: true });
    };
    const test = testApi();
    wrap(test.api, { ...open, input: { query: z.strictObject({ stop: z.literal("yes").optional() }) } })(handler);
    expect(await answerOf(test)).toMatchObject({ status: 200, json: { ok: true } });
  });

  it("may be several, each going on with next, handing each other what they found", async () => {
    const test = testApi();
    const first = (req: { project?: string }, res: { locals: Record<string, unknown> }, next: () => void): void => {
      req.project = "mine";
      res.locals["ok"] = true;
      next();
    };
    const last = (req: { project?: string }, res: { locals: Record<string, unknown>; json(value: unknown): void }) => {
      res.json({ ok: req.project === "mine" && res.locals["ok"] === true });
    };
    wrap(test.api, open)(first, last);
    expect(await answerOf(test)).toMatchObject({ status: 200, json: { ok: true } });
  });

  type Res = {
    json(value?: unknown): Res;
    send(value?: unknown): Res;
    status(code: number): Res;
    sendStatus(code: number): Res;
    set(name: string | object, value?: unknown): Res;
    append(name: string, value: string): Res;
    location(url: string): Res;
    type(type: string): Res;
    cookie(name: string, value: string, settings?: object): Res;
    clearCookie(name: string): Res;
    end(value?: unknown): Res;
    get(name: string): string | undefined;
    setHeader(name: string, value: string): Res;
    statusCode: number;
    headersSent: boolean;
  };
  const answers: readonly (readonly [
    string,
    (res: Res) => unknown,
    Readonly<Record<string, unknown>>,
    number,
    unknown,
  ])[] = [
    ["json", (res) => res.json({ ok: true }), {}, 200, { ok: true }],
    ["send of a value", (res) => res.send({ ok: true, extra: 1 }), {}, 200, { ok: true }],
    ["send of a text the output declares", (res) => res.send("hi"), { output: z.string().max(9) }, 200, "hi"],
    ["status and json", (res) => res.status(201).json({ ok: true }), { output: { 201: Ok } }, 201, { ok: true }],
    [
      "statusCode",
      (res) => Object.assign(res, { statusCode: 201 }).json({ ok: true }),
      { output: { 201: Ok } },
      201,
      { ok: true },
    ],
    ["no status where the output has one", (res) => res.json({ ok: true }), { output: { 202: Ok } }, 202, { ok: true }],
    ["end", (res) => res.end(), { output: nothing }, 204, undefined],
    ["sendStatus", (res) => res.sendStatus(204), { output: nothing }, 204, undefined],
    [
      "its own content type",
      (res) => res.type("json").set("Content-Type", "application/json").json({ ok: true }),
      {},
      200,
      { ok: true },
    ],
  ];
  it.each(answers)("answers with %s", async (_name, handler, policy, status, json) => {
    const answered = await wrapped((_req: never, res: never) => void handler(res), policy);
    expect([answered.status, answered.json]).toEqual([status, json]);
  });

  it("sets the headers and cookies a handler may set, with our attributes", async () => {
    const { reply } = await wrapped((_req: never, res: Res) => {
      res.set({ ETag: '"1"' }).location("/v1/open").append("Link", "</a>; rel=next").append("link", "</b>; rel=prev");
      res.cookie("theme", "dark mode", { maxAge: 60_000, sameSite: "lax", httpOnly: true });
      res.json({ ok: res.get("etag") === '"1"' && !res.headersSent });
    });
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      etag: '"1"',
      location: "/v1/open",
      link: "</a>; rel=next, </b>; rel=prev",
      "set-cookie": "theme=dark%20mode; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
    });
    await door?.close();
    const cleared = await wrapped((_req: never, res: Res) => res.clearCookie("theme").json({ ok: true }));
    expect(cleared.reply.headers.get("set-cookie")).toBe(
      "theme=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
    );
  });

  it("answers with the refusal of a status, without the handler's own words", async () => {
    const answered = await wrapped((_req: never, res: Res) =>
      res.status(409).json({ error: "alice@example.com is taken" }),
    );
    expect([answered.status, answered.code]).toEqual([409, "conflict"]);
    expect(answered.reply.body).not.toContain("alice");
  });

  const failures: readonly (readonly [string, Any, number, string])[] = [
    [
      "a throw",
      () => {
        throw new Error("secret words");
      },
      500,
      "internal",
    ],
    ["a rejection", () => Promise.reject(new Error("secret words")), 500, "internal"],
    ["next(error)", (_req, _res, next) => next(new Error("secret words")), 500, "internal"],
    [
      "next of an error with a status",
      (_req, _res, next) => next(Object.assign(new Error("secret words"), { status: 404 })),
      404,
      "not-found",
    ],
    [
      "a thrown refusal",
      () => {
        const refusal: unknown = refuse("gone", "secret words");
        throw refusal;
      },
      410,
      "gone",
    ],
    ["a refusal given to next", (_req, _res, next) => next(refuse("gone", "secret words")), 410, "gone"],
    [
      "a throw after the answer",
      (_req, res: Res) => {
        res.json({ ok: true });
        throw new Error("secret words");
      },
      500,
      "internal",
    ],
    [
      "a rejection after the answer",
      async (_req, res: Res) => {
        res.json({ ok: true });
        await wait(5);
        throw new Error("secret words");
      },
      500,
      "internal",
    ],
    ["next() with nobody behind", (_req, _res, next) => next(), 500, "internal"],
    ['next("route")', (_req, _res, next) => next("route"), 500, "internal"],
    ["two answers", (_req, res: Res) => void res.json({ ok: true }).json({ ok: false }), 500, "internal"],
    [
      "two answers of which one was caught",
      (_req, res: Res) => {
        res.json({ ok: true });
        try {
          res.json({ ok: false });
        } catch {
          /* as if nothing were */
        }
      },
      500,
      "internal",
    ],
    ["a status no refusal has", (_req, res: Res) => void res.status(418).json({}), 500, "internal"],
    [
      "an answer that does not fit its schema",
      (_req, res: Res) => void res.json({ ok: "yes" }),
      500,
      "undeclared-output",
    ],
    [
      "a header that is not a handler's",
      (_req, res: Res) => void res.set("Cache-Control", "public").json({ ok: true }),
      500,
      "undeclared-output",
    ],
  ];
  it.each(failures)("makes a refusal of %s", async (_name, handler, status, code) => {
    const answered = await wrapped(handler);
    expect([answered.status, answered.code]).toEqual([status, code]);
    expect(answered.reply.body).not.toContain("secret words");
  });

  const misuses: readonly (readonly [
    string,
    (req: Record<string, unknown>, res: Record<string, (...args: unknown[]) => unknown>) => unknown,
    string,
  ])[] = [
    ["write", (_req, res) => res["write"]?.("text"), "res.write() cannot be filtered"],
    ["pipe", (_req, res) => res["pipe"]?.({}), "res.pipe() cannot be filtered"],
    ["a stream into it", (_req, res) => res["on"]?.("unpipe"), "res.on() cannot be filtered"],
    ["sendFile", (_req, res) => res["sendFile"]?.("/etc/passwd"), "res.sendFile() cannot be filtered"],
    ["download", (_req, res) => res["download"]?.("/etc/passwd"), "res.download() cannot be filtered"],
    ["redirect", (_req, res) => res["redirect"]?.("https://evil.example"), "res.redirect() cannot be filtered"],
    ["render", (_req, res) => res["render"]?.("page"), "res.render() cannot be filtered"],
    ["jsonp", (_req, res) => res["jsonp"]?.({}), "res.jsonp() cannot be filtered"],
    ["writeHead", (_req, res) => res["writeHead"]?.(200), "res.writeHead() cannot be filtered"],
    ["bytes", (_req, res) => res["send"]?.(Buffer.from("{}")), "res.send(bytes) cannot be filtered"],
    ["another content type", (_req, res) => res["type"]?.("html"), "answers are JSON"],
    ["a redirect's status", (_req, res) => res["status"]?.(302), "res.status(302)"],
    ["a Set-Cookie of its own", (_req, res) => res["set"]?.("Set-Cookie", "a=b"), "res.cookie"],
    ["a cookie for scripts", (_req, res) => res["cookie"]?.("a", "b", { httpOnly: false }), "scripts could read it"],
    ["a cookie in the clear", (_req, res) => res["cookie"]?.("a", "b", { secure: false }), "in the clear"],
    ["a cookie for subdomains", (_req, res) => res["cookie"]?.("a", "b", { domain: "x.example" }), "every subdomain"],
    ["a cookie for other sites", (_req, res) => res["cookie"]?.("a", "b", { sameSite: "none" }), "other sites"],
    ["req.cookies", (req) => req["cookies"], "req.cookies is not proved"],
    ["req.session", (req) => req["session"], "req.session is not proved"],
    ["req.hostname", (req) => req["hostname"], "req.hostname is not proved"],
    ["req.originalUrl", (req) => req["originalUrl"], "req.originalUrl is not proved"],
  ];
  it.each(misuses)("refuses %s with 500, and says in the log what to write", async (_name, misuse, text) => {
    const answered = await wrapped((req: never, res: never) => {
      try {
        misuse(req, res);
      } catch {
        // A handler that catches everything does not get round it.
      }
      Reflect.apply(Reflect.get(res, "json"), res, [{ ok: true }]);
    });
    expect([answered.status, answered.code]).toEqual([500, "internal"]);
    expect(String(answered.errors[0])).toContain(text);
  });

  it("sends on where the output is a redirect, to what is on its list and nowhere else", async () => {
    const output = redirect(["/v1/open"]);
    const to =
      (...said: readonly unknown[]): Any =>
      (_req: never, res: { redirect(...given: readonly unknown[]): void }) =>
        res.redirect(...said);
    const onward = await wrapped(to("/v1/open?x=1"), { output });
    expect([onward.status, onward.reply.headers.get("location"), onward.reply.body]).toEqual([303, "/v1/open?x=1", ""]);
    await door?.close();
    const found = await wrapped(to(302, "/v1/open"), { output: { 302: output } });
    expect([found.status, found.reply.headers.get("location")]).toEqual([302, "/v1/open"]);
    for (const [said, declared] of [
      [["https://evil.example"], output],
      [["//evil.example"], output],
      [[301, "/v1/open"], output],
      [[302, "/v1/open"], output],
      [[302], { 302: output }],
    ] as const) {
      await door?.close();
      const refused = await wrapped(to(...said), { output: declared });
      expect([refused.status, refused.code, refused.reply.headers.has("location")]).toEqual([
        500,
        "undeclared-output",
        false,
      ]);
    }
  });

  it("shows a page, a form's values, the cookies the policy names, and the no it declares", async () => {
    const page = { title: "Hello", body: markup`<p>Hello</p>` };
    const shown = await wrapped((_req: never, res: Res) => void res.send(page), { output: html() });
    expect([shown.status, shown.reply.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    await door?.close();

    const test = testApi();
    const input = {
      body: form(z.strictObject({ name: z.string().max(20) })),
      cookies: z.strictObject({ "__Host-a": z.string().max(20) }),
    };
    const seen: unknown[] = [];
    const output = { 400: protocolError(z.strictObject({ error: z.string().max(20) }), "RFC 6749 section 5.2") };
    wrapUntyped(
      test,
      { ...open, path: "POST /v1/wrapped", input, output: { 200: Ok, ...output } },
      (req: { body: unknown; cookies: unknown; objects: unknown }, res: Res) => {
        seen.push(req.body, req.cookies, req.objects);
        res.status(400).json({ error: "invalid_grant", secret: "secret words" });
      },
    );
    const headers = { "Content-Type": "application/x-www-form-urlencoded", Cookie: "__Host-a=b; __Host-c=d" };
    const answered = await answerOf(test, "POST /v1/wrapped", { body: "name=Alice", headers });
    expect([answered.status, answered.json, answered.code]).toEqual([400, { error: "invalid_grant" }, "bad-request"]);
    expect(seen).toEqual([{ name: "Alice" }, { "__Host-a": "b" }, {}]);
  });

  it("survives a misuse in a callback that nobody would catch", async () => {
    const answered = await wrapped((_req: never, res: { redirect(url: string): void }) => {
      setTimeout(() => res.redirect("https://evil.example"), 5);
    });
    expect([answered.status, answered.code]).toEqual([500, "internal"]);
  });

  it("survives a second answer in a callback after the first has left", async () => {
    const warned = Promise.withResolvers<Error>();
    process.once("warning", (warning) => warned.resolve(warning));
    const answered = await wrapped((_req: never, res: Res) => {
      res.json({ ok: true });
      setTimeout(() => res.json({ ok: false }), 20);
    });
    expect([answered.status, answered.json]).toEqual([200, { ok: true }]);
    expect(String(await warned.promise)).toContain("answered twice");
  });

  it("answers from a callback", async () => {
    const answered = await wrapped((_req: never, res: Res) => void setTimeout(() => res.json({ ok: true }), 5));
    expect([answered.status, answered.json]).toEqual([200, { ok: true }]);
  });

  it("is handler-timeout where it never answers, and tells it through the signal", async () => {
    const told = Promise.withResolvers<void>();
    const answered = await wrapped(
      (req: { signal: AbortSignal }) => req.signal.addEventListener("abort", () => told.resolve()),
      { timeoutMs: 30 },
    );
    expect([answered.status, answered.code]).toEqual([503, "handler-timeout"]);
    await told.promise;
  });

  it("is 500 where nobody gave it a handler", async () => {
    const test = testApi();
    wrap(test.api, open);
    expect(await answerOf(test)).toMatchObject({ status: 500, code: "internal" });
  });

  it("cannot give away somebody else's object", async () => {
    const test = testApi();
    const memo = test.api.resource<{ id: string; ownerId: string }>("memo", {
      load: (id) => ({ id, ownerId: "alice" }),
      owner: (one) => one.ownerId,
      serverSet: ["id", "ownerId"],
    });
    wrap(test.api, { path: "GET /v1/memo", access: anyCaller, output: view(z.strictObject({ id: z.uuid() }), memo) })(
      (_req, res) => void res.json({ id: noteIds[1], ownerId: "bob" }),
    );
    const answered = await answerOf(test, "GET /v1/memo", { as: "alice" });
    expect([answered.status, answered.code]).toEqual([500, "foreign-object"]);
  });
});
