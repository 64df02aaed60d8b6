import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isRecord, type JsonRecord, textAt } from "../src/json.ts";
import { identityOf, type ScanOptions, type ScanResult, scan } from "../src/scan.ts";

/** A request as the little servers of the tests see it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly who: string | undefined;
  readonly body: JsonRecord;
  readonly request: IncomingMessage;
}

/** What they answer: a status and a body, or `close` to end the connection without a word. */
export type Answered = readonly [status: number, json?: unknown, headers?: Readonly<Record<string, string>>] | "close";

/** Things two people own, well behaved; each test changes one reaction of it. */
export interface Reactions {
  /** To nobody, or to a credential nobody has. */
  readonly stranger: (asked: Asked) => Answered;
  /** To the thing of somebody else, and to one that is not there. */
  readonly notYours: (asked: Asked) => Answered;
  readonly unknownPath: (asked: Asked) => Answered;
  /** Everything, before anything else is looked at; undefined goes on. */
  readonly before: (asked: Asked) => Answered | Promise<Answered | undefined> | undefined;
  /** A change of one's own or somebody else's thing; returns the thing after it. */
  readonly change: ((thing: Thing, asked: Asked) => Answered) | undefined;
}

export interface Thing {
  readonly id: string;
  readonly owner: string;
  name: string;
}

const problem = (status: number): Answered => [status, { title: "No", status }];

const wellBehaved: Reactions = {
  stranger: () => problem(401),
  notYours: () => problem(404),
  unknownPath: () => problem(404),
  before: () => undefined,
  change: undefined,
};

const people: Readonly<Record<string, string>> = { "Bearer token-of-alice": "alice", "Bearer token-of-bob": "bob" };

/** Starts a server of things; `close()` ends it. */
export async function startThings(
  changed: Partial<Reactions> = {},
): Promise<{ url: string; close(): Promise<void>; server: Server }> {
  const reactions = { ...wellBehaved, ...changed };
  const things = new Map<string, Thing>();

  async function react(request: IncomingMessage): Promise<Answered> {
    const method = request.method ?? "";
    const path = (request.url ?? "").split("?")[0] ?? "";
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const asked: Asked = { method, path, who: people[request.headers.authorization ?? ""], body: read(text), request };
    const first = await reactions.before(asked);
    if (first !== undefined) return first;
    const id = /^\/things\/([^/]+)$/.exec(path)?.[1];
    if (path !== "/things" && path !== "/me" && id === undefined) return reactions.unknownPath(asked);
    if (asked.who === undefined) return reactions.stranger(asked);
    if (path === "/me") return [200, { id: asked.who }];
    if (id === undefined && method === "GET")
      return [200, { items: [...things.values()].filter(({ owner }) => owner === asked.who) }];
    if (id === undefined && method === "POST") {
      const thing: Thing = { id: randomUUID(), owner: asked.who, name: textAt(asked.body, "name") ?? "" };
      things.set(thing.id, thing);
      return [201, thing];
    }
    const thing = things.get(id ?? "");
    if (thing === undefined) return reactions.notYours(asked);
    if (method === "PATCH" && reactions.change !== undefined) return reactions.change(thing, asked);
    if (thing.owner !== asked.who) return reactions.notYours(asked);
    if (method === "PATCH") {
      thing.name = textAt(asked.body, "name") ?? thing.name;
      return [200, thing];
    }
    if (method === "GET") return [200, thing];
    if (method !== "DELETE") return problem(405);
    things.delete(thing.id);
    return [204];
  }

  const server = createServer((request, response) => {
    void react(request).then(
      (answer) => say(response, answer),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function read(text: string): JsonRecord {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return Object.fromEntries(new URLSearchParams(text));
  }
}

function say(response: ServerResponse, answer: Answered): void {
  if (answer === "close") return void response.destroy();
  const [status, json, headers = {}] = answer;
  if (json === undefined) return void response.writeHead(status, headers).end();
  const text = typeof json === "string" ? json : JSON.stringify(json);
  const type = typeof json === "string" ? "text/html" : "application/json";
  response.writeHead(status, { "content-type": type, ...headers }).end(text);
}

const thing = {
  type: "object",
  properties: { id: { type: "string" }, owner: { type: "string" }, name: { type: "string" } },
};
const body = {
  content: {
    "application/json": {
      schema: { type: "object", required: ["name"], properties: { name: { type: "string", maxLength: 80 } } },
    },
  },
};
const answers = (status: number, schema?: JsonRecord) => ({
  [status]: { description: "It", ...(schema === undefined ? {} : { content: { "application/json": { schema } } }) },
});
const id = [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } }];

/** The description of things, as OpenAPI. It names a host of its own, which must never be contacted. */
export const description: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "things", version: "1" },
  servers: [{ url: "https://things.example.com" }],
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  paths: {
    "/me": { get: { responses: answers(200, { type: "object", properties: { id: { type: "string" } } }) } },
    "/things": {
      get: { responses: answers(200, { type: "object", properties: { items: { type: "array", items: thing } } }) },
      post: { requestBody: body, responses: answers(201, thing) },
    },
    "/things/{id}": {
      parameters: id,
      get: { responses: answers(200, thing) },
      patch: { requestBody: body, responses: answers(200, thing) },
      delete: { responses: answers(204) },
    },
  },
};

/** Scans things as alice and bob. */
export function scanThings(url: string, only: readonly string[], more: Partial<ScanOptions> = {}): Promise<ScanResult> {
  return scan({
    url,
    openapi: description,
    only,
    identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
    seed: 3,
    ...more,
  });
}
