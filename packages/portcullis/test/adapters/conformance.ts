import { setTimeout as wait } from "node:timers/promises";
import type { ApiConfig } from "portcullis";
import { answer, createApi, form, html, markup, protocolError, publicAccess, redirect, session } from "portcullis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { bearer, type Given, routeUntyped, testApi, type TestApi, tokens } from "../front-door.ts";
import { raw } from "../node/raw.ts";
import type { Sent, Vector } from "./vector.ts";
import { vectors } from "./vectors.ts";

/** An API behind an adapter, ready to be asked. */
export interface Opened {
  /** `unsendable` where a client of this adapter has no way to say it. */
  ask(sent: Sent): Promise<Answered | "unsendable">;
  close(): Promise<void>;
}

/** What came back. */
export interface Answered {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Why a vector cannot be seen by an adapter, and what happens there instead. */
export interface Unseen {
  readonly because: string;
  /** The status that comes instead, or that nobody can send it here. */
  readonly instead: number | "unsendable";
}

/** Changes of the configuration that an adapter needs, such as where it learns the address from. */
export type Change = Partial<ApiConfig>;

/**
 * Holds an adapter to what all of them promise: the same request, the same answer. What one cannot see is committed with
 * the reason and with what happens instead, and that is asserted too, so that the list never goes stale.
 *
 * @param name    of the adapter, for the report
 * @param open    serves the given API
 * @param unseen  by the vector's name; everything else has to be answered as the vector says
 */
export function conformance(
  name: string,
  open: (test: TestApi) => Promise<Opened>,
  unseen: Readonly<Record<string, Unseen>> = {},
  change: Change = {},
): void {
  describe(`${name} conforms`, () => {
    const test = conformanceApi(change);
    const answers = new Map<Vector, PromiseSettledResult<Answered | "unsendable">>();
    let opened: Opened | undefined;
    // One after the other, before any test looks: records come in batches, and each test would wait for one of its own.
    beforeAll(async () => {
      opened = await open(test);
      for (const vector of vectors) {
        const [answered] = await Promise.allSettled([ask(opened, vector)]);
        answers.set(vector, answered);
      }
    }, 60_000);
    afterAll(() => opened?.close());

    function answerTo(vector: Vector): Answered | "unsendable" {
      const answered = answers.get(vector);
      if (answered?.status !== "fulfilled") throw new Error("there is no answer", { cause: answered?.reason });
      return answered.value;
    }

    it.each(vectors.filter((vector) => unseen[vector.name] === undefined))("$name: $status", async (vector) => {
      const answered = answerTo(vector);
      expect(answered).not.toBe("unsendable");
      if (answered === "unsendable") return;
      const shown = vector.ownBody === true ? undefined : visibleCode(vector);
      expect([answered.status, codeOf(answered)]).toEqual([vector.status, shown]);
      if (vector.json !== undefined) expect(JSON.parse(answered.body)).toEqual(vector.json);
      if (vector.holds !== undefined) expect(answered.body).toContain(vector.holds);
      for (const [header, value] of Object.entries(vector.headers ?? {})) {
        expect(answered.headers.get(header) ?? null, header).toBe(value);
      }
      for (const header of everywhere) expect(answered.headers.has(header), header).toBe(true);
      for (const header of nowhere) expect(answered.headers.has(header), header).toBe(false);
      const id = answered.headers.get("x-request-id");
      await expect.poll(() => codeRecorded(test, id)).toEqual([vector.code]);
    });

    const listed = Object.entries(unseen).map(([vectorName, why]) => ({ vectorName, ...why }));
    it.each(listed)("cannot see $vectorName: $instead instead ($because)", ({ vectorName, because, instead }) => {
      const vector = vectors.find((one) => one.name === vectorName);
      expect(vector, "the list names a vector").toBeDefined();
      expect(because).not.toBe("");
      if (vector === undefined) return;
      expect(vector.needs, "only what needs a fact can be unseen").not.toEqual([]);
      const answered = answerTo(vector);
      expect(answered === "unsendable" ? answered : answered.status).toBe(instead);
      // What happens otherwise is never less than a refusal, unless the spelling itself was lost on the way.
      if (answered !== "unsendable" && answered.status === vector.status) {
        expect(codeOf(answered), "the list is out of date").not.toBe(visibleCode(vector));
      }
    });
  });
}

/** On every answer of ours. */
const everywhere = ["x-content-type-options", "content-security-policy", "cache-control", "x-request-id"] as const;
/** On none. */
const nowhere = ["server", "x-powered-by"] as const;

async function ask(opened: Opened, { sent, before = 0 }: Vector): Promise<Answered | "unsendable"> {
  for (let i = 0; i < before; i++) await opened.ask(await signed(sent));
  return await opened.ask(await signed(sent));
}

async function signed(sent: Sent): Promise<Sent> {
  if (sent.as === undefined) return sent;
  const { authorization } = await bearer(sent.as);
  return { ...sent, headers: [["Authorization", authorization], ...(sent.headers ?? [])] };
}

/** A client reads why, except of a 500, whose reason is the log's alone, and of HEAD. */
function visibleCode({ code, status }: Vector): string | undefined {
  return code !== undefined && status === 500 ? "internal" : code;
}

function codeOf({ body, headers }: Answered): string | undefined {
  if (body === "" || headers.get("content-type")?.startsWith("text/html") === true) return undefined;
  const json: unknown = JSON.parse(body);
  const code: unknown = typeof json === "object" && json !== null && "code" in json ? json.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function codeRecorded(test: TestApi, id: string | undefined): readonly (string | undefined)[] {
  return test.entries.flatMap((entry) => (entry.kind === "call" && entry.requestId === id ? [entry.code] : []));
}

/** The suite's API: the tests' notes, and routes that go wrong in every way a handler can. */
function conformanceApi(change: Change): TestApi {
  const sessions = session({
    cookies: ["__Host-session"],
    resolve: (values) => (values["__Host-session"] === "alices" ? { subject: "alice" } : null),
  });
  const test = testApi(
    {
      origins: ["https://app.example"],
      body: { maxBytes: 2_000 },
      limits: {
        instances: 1,
        global: "100000/s",
        address: "100000/s",
        wideAddress: "100000/s",
        caller: "100000/s",
        failures: "100000/s",
      },
      ...change,
    },
    (config) => createApi({ ...config, credentials: [tokens, sessions] }),
  );
  const open = publicAccess("for the suite");
  const Ok = z.strictObject({ ok: z.boolean() });
  const route = (
    path: string,
    handler: (given: Given) => unknown,
    more: Readonly<Record<string, unknown>> = {},
  ): void => {
    routeUntyped(test.api, { path, access: open, output: Ok, ...more }, handler);
  };
  const ok = () => ({ ok: true });
  route("GET /v1/search", ok, { input: { query: z.strictObject({ q: z.string().max(20) }) } });
  route("GET /v1/gone", ok, { deprecated: { since: "2020-01-01", sunset: "2021-01-01" } });
  route("GET /v1/admin", ok, { access: { roles: ["admin"] } });
  route("GET /v1/limited", ok, { limit: "2/min" });
  route("GET /v1/leaks", () => ({ ok: "no boolean" }));
  route("GET /v1/splits", () => answer({ ok: true }, { headers: { location: "/a\r\nx: y" } }));
  route("GET /v1/hangs", () => wait(2_000), { timeoutMs: 30 });
  addPages(route);
  route("GET /v1/throws", () => {
    throw new Error("on purpose");
  });
  return test;
}

/** Routes that browsers use: pages, forms, redirects, cookies. */
function addPages(
  route: (path: string, handler: (given: Given) => unknown, more: Readonly<Record<string, unknown>>) => void,
): void {
  const short = z.string().max(100);
  const page = ({ query }: Given) => {
    const name = typeof query === "object" && query !== null && "name" in query ? String(query.name) : "";
    return {
      title: name,
      body: markup`<form method="post" action="/v1/form"><input name="name" value="${name}"></form>`,
    };
  };
  route("GET /v1/page", page, {
    input: { query: z.strictObject({ name: short.optional() }) },
    output: html({ style: "form { margin: 0 }" }),
  });
  route("POST /v1/form", () => answer("/v1/page?name=x", { cookies: [{ name: "__Host-state", value: "s" }] }), {
    input: { body: form(z.strictObject({ name: short, times: z.int().optional() })) },
    output: redirect(["/v1/page"]),
  });
  route(
    "GET /v1/onward",
    ({ query }) => (typeof query === "object" && query !== null ? Reflect.get(query, "to") : ""),
    {
      input: { query: z.strictObject({ to: short }) },
      output: redirect(["/v1/page", "https://app.example/in"]),
    },
  );
  route("POST /v1/state", () => ({ ok: true }), { input: { cookies: z.strictObject({ "__Host-state": short }) } });
  const refusals = protocolError(z.strictObject({ error: short }), "RFC 6749 section 5.2");
  route("POST /v1/token", () => answer({ error: "invalid_grant" }, { status: 400 }), {
    output: { 200: z.strictObject({ ok: z.boolean() }), 400: refusals },
  });
}

/** Asks over a bare socket, which can say anything. */
export async function askSocket(port: number, sent: Sent): Promise<Answered> {
  return await raw(port, sent.raw ?? textOf(sent));
}

function textOf({ line, headers = [], json, body = bodyOf(json), chunked }: Sent): string {
  const named = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (!named.has("host")) lines.unshift("Host: localhost");
  if (json !== undefined && !named.has("content-type")) lines.push("Content-Type: application/json");
  if (chunked === true) lines.push("Transfer-Encoding: chunked");
  else if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  const payload = body === undefined ? "" : chunked === true ? inChunks(body) : body;
  return `${line} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${payload}`;
}

/** The body as the suite's vectors write it: Latin-1 text of its bytes. */
export function bodyOf(json: unknown): string | undefined {
  return json === undefined ? undefined : JSON.stringify(json);
}

function inChunks(body: string): string {
  const half = Math.ceil(body.length / 2);
  const parts = [body.slice(0, half), body.slice(half)].filter((part) => part !== "");
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
}
