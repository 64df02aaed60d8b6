import { setTimeout as wait } from "node:timers/promises";
import type { Api, ApiConfig, CallRecord, ListenOptions, Resource, SecurityEvent } from "portcullis";
import { anyCaller, by, createApi, jwt, memorySink, nothing, publicAccess, secret, view } from "portcullis";
import { SignJWT } from "jose";
import { afterAll, beforeAll } from "vitest";
import { z } from "zod";
import type { RawAnswer } from "./node/raw.ts";
import { raw } from "./node/raw.ts";

/** The secret of the tests' tokens. */
export const jwtSecret = "tests-only: 48 characters of nothing in particular";

/** The credential that takes the tests' tokens. */
export const tokens = jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(jwtSecret) });

/** The same tokens where a caller also has a tenant (`tid`) and roles (`roles`). */
export const richTokens = jwt({
  issuer: "https://id.example",
  audience: "https://api.example",
  keys: secret(jwtSecret),
  rolesFromToken: "roles",
  tenant: (claims) => (typeof claims["tid"] === "string" ? claims["tid"] : undefined),
});

/** A note as the tests' API stores it. */
export interface Note {
  readonly id: string;
  readonly ownerId: string;
  readonly text: string;
  readonly hidden: string;
}

/** Ids of the notes that exist: the first is alice's, the second bob's. */
export const noteIds = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"] as const;

/** A small API with one of everything, and what it recorded. */
export interface TestApi {
  readonly api: Api;
  readonly entries: (CallRecord | SecurityEvent)[];
  readonly errors: unknown[];
  events(): readonly SecurityEvent[];
}

/** The tests' API on a socket, and a client that sends what the test says and nothing of its own. */
export interface FrontDoor extends TestApi {
  readonly port: number;
  readonly url: string;
  readonly healthPort: number | undefined;
  /** Sends one request over a connection of its own: `ask("GET /v1/open")`. */
  ask(line: string, request?: Asked): Promise<Reply>;
  /** Everything recorded of one request, in order; waits for the next batch of records. */
  recorded(reply: Reply): Promise<readonly (CallRecord | SecurityEvent)[]>;
  /** The code in the record, which for a 500 says more than the answer. */
  recordedCode(reply: Reply): Promise<string | undefined>;
  close(): Promise<void>;
}

/** What a request carries. `Host: localhost` and the length of the body are added where the test does not say them. */
export interface Asked {
  /** Subject of a token in Authorization. */
  readonly as?: string;
  /** Several values of one name are several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string;
}

/** An answer, its status and code at hand. */
export interface Reply extends RawAnswer {
  /** Code of the problem; undefined where the answer is none. */
  readonly code: string | undefined;
  /** Id of the request, as in the records. */
  readonly id: string;
  /** The body as JSON; undefined where there is none. */
  readonly json: unknown;
  /** The body without the request's id, which may hold any letters. */
  readonly said: string;
}

/** Makes the API; `change` overrides its configuration, `more` adds routes before it starts. */
export function testApi(change: Partial<ApiConfig> = {}, create: (config: ApiConfig) => Api = createApi): TestApi {
  const sink = memorySink(100_000);
  const errors: unknown[] = [];
  const api = create({
    name: "notes",
    hosts: ["localhost", "127.0.0.1"],
    credentials: [tokens],
    limits: {
      global: "100000/s",
      address: "100000/s",
      wideAddress: "100000/s",
      caller: "100000/s",
      failures: "100000/s",
    },
    audit: { sinks: [sink], onError: (error) => errors.push(error) },
    ...change,
  });
  const notes = new Map<string, Note>(
    noteIds.map((id, index) => [
      id,
      { id, ownerId: index === 0 ? "alice" : "bob", text: `note ${index}`, hidden: "never" },
    ]),
  );
  const note = api.resource("note", {
    load: (id) => notes.get(id),
    owner: (one) => one.ownerId,
    serverSet: ["ownerId", "id"],
  });
  const NoteView = z.strictObject({ id: z.uuid(), text: z.string().max(200) });
  const params = z.strictObject({ id: z.uuid() });
  api.route(
    {
      path: "GET /v1/open",
      access: publicAccess("for the tests"),
      output: z.strictObject({ ok: z.boolean() }),
      limit: "100000/s",
    },
    () => ({ ok: true }),
  );
  api.route(
    {
      path: "GET /v1/notes/:id",
      access: anyCaller,
      input: { params },
      objects: { note: by("id", note) },
      output: view(NoteView, note),
      limit: "100000/s",
    },
    (given) => given.note,
  );
  api.route(
    {
      path: "POST /v1/notes",
      access: anyCaller,
      input: { body: z.strictObject({ text: z.string().max(200) }) },
      output: { 201: view(NoteView, note) },
      limit: "100000/s",
    },
    ({ body, caller }) => ({ id: noteIds[0], ownerId: caller.subject, text: body.text, hidden: "never" }),
  );
  api.route(
    {
      path: "DELETE /v1/notes/:id",
      access: anyCaller,
      input: { params },
      objects: { note: by("id", note) },
      output: nothing,
      limit: "100000/s",
    },
    () => undefined,
  );
  return {
    api,
    entries: sink.entries,
    errors,
    events: () => sink.entries.filter((entry): entry is SecurityEvent => entry.kind === "event"),
  };
}

/** Declares a route as a program without types would: with whatever policy, and a handler that returns whatever. */
export function routeUntyped(
  api: Api,
  policy: Readonly<Record<string, unknown>>,
  handler: (given: Given) => unknown = () => undefined,
): void {
  Reflect.apply(api.route, api, [{ limit: "100000/s", ...policy }, handler]);
}

/** Declares a resource as a program without types would: with functions that return whatever. */
export function resourceUntyped(api: Api, name: string, rule: Readonly<Record<string, unknown>>): Resource<unknown> {
  return api.resource<unknown>(name, Object.assign({ load: () => undefined }, rule));
}

/** What a handler is given, as a program without types sees it. */
export type Given = Readonly<Record<string, unknown>>;

/** A token as the issuer would make it, changed where the test says so. */
export function token(subject: string, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: "https://id.example",
    aud: "https://api.example",
    sub: subject,
    iat: now,
    exp: now + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .sign(new TextEncoder().encode(jwtSecret));
}

/** One API that listens for all tests of a file or a group, so that a test costs a request and not a server. */
export function sharedDoor(make: () => TestApi, options: Partial<ListenOptions> = {}): FrontDoor {
  let open: FrontDoor | undefined;
  const door = (): FrontDoor => {
    if (open === undefined) throw new Error("the door is open while tests run, and not before");
    return open;
  };
  beforeAll(async () => {
    open = await openDoor(make(), options);
  });
  afterAll(() => open?.close());
  return {
    get api() {
      return door().api;
    },
    get entries() {
      return door().entries;
    },
    get errors() {
      return door().errors;
    },
    get port() {
      return door().port;
    },
    get url() {
      return door().url;
    },
    get healthPort() {
      return door().healthPort;
    },
    events: () => door().events(),
    ask: (line, request) => door().ask(line, request),
    recorded: (reply) => door().recorded(reply),
    recordedCode: (reply) => door().recordedCode(reply),
    close: () => door().close(),
  };
}

/** Lets an API listen on a port of the system's choice; whoever opens it closes it. */
export async function openDoor(test: TestApi, options: Partial<ListenOptions> = {}): Promise<FrontDoor> {
  const listening = await test.api.listen({ port: 0, handleSignals: false, ...options });
  const door: FrontDoor = {
    ...test,
    port: listening.port,
    url: listening.url,
    healthPort: listening.healthPort,
    async ask(line, request = {}) {
      const headers = request.as === undefined ? {} : await bearer(request.as);
      return replyOf(
        await raw(listening.port, requestText(line, { ...request, headers: { ...headers, ...request.headers } })),
      );
    },
    async recorded(reply) {
      for (let tries = 0; tries < 500; tries++) {
        const found = test.entries.filter((entry) => entry.requestId === reply.id);
        if (found.some((entry) => entry.kind === "call")) return found;
        await wait(20);
      }
      throw new Error(`nothing was recorded of ${reply.id}`);
    },
    async recordedCode(reply) {
      const entries = await door.recorded(reply);
      return entries.find((entry) => entry.kind === "call")?.code;
    },
    close: () => listening.close(),
  };
  return door;
}

/** The header that carries a token of this subject. */
export async function bearer(
  subject: string,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly authorization: string }> {
  return { authorization: `Bearer ${await token(subject, claims)}` };
}

/** A request as it goes over the wire, text beyond Latin-1 as its UTF-8 bytes. */
export function requestText(line: string, { headers = {}, json, body = jsonText(json) }: Asked): string {
  const payload = body === undefined ? "" : Buffer.from(body, "utf8").toString("latin1");
  const named = Object.keys(headers).map((name) => name.toLowerCase());
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : value).map((one) => `${name}: ${one}`),
  );
  if (!named.includes("host")) lines.unshift("Host: localhost");
  if (json !== undefined && !named.includes("content-type")) lines.push("Content-Type: application/json");
  const isCounted = named.includes("content-length") || named.includes("transfer-encoding");
  if (body !== undefined && !isCounted) lines.push(`Content-Length: ${payload.length}`);
  return `${line} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${payload}`;
}

function jsonText(json: unknown): string | undefined {
  return json === undefined ? undefined : JSON.stringify(json);
}

function replyOf(answer: RawAnswer): Reply {
  const isPage = answer.headers.get("content-type")?.startsWith("text/html") === true;
  const json: unknown = answer.body === "" || isPage ? undefined : JSON.parse(answer.body);
  const code: unknown = typeof json === "object" && json !== null && "code" in json ? json.code : undefined;
  const id = answer.headers.get("x-request-id") ?? "";
  return {
    ...answer,
    json,
    code: typeof code === "string" ? code : undefined,
    id,
    said: id === "" ? answer.body : answer.body.replace(id, ""),
  };
}
