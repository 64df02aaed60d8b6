import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isRecord, type JsonRecord, parseJson } from "../src/json.ts";
import { identityOf, type ScanOptions, type ScanResult, scan } from "../src/scan.ts";

/** What a test may decide for itself. */
export interface NotesApi {
  /** Reads the body; undefined where it answered by itself. Default: up to 100 KiB, counted as they come, 413 at once. */
  readonly read?: (request: IncomingMessage, response: ServerResponse) => Promise<Buffer | undefined>;
  /** The note in a body; a status refuses it. Default: strict JSON with a text of at most 200 characters. */
  readonly parse?: (bytes: Buffer, request: IncomingMessage) => JsonRecord | number;
  /** The page of a list, newest first; a status refuses. Default: 1 to 50, 20 where nothing is said. */
  readonly page?: (all: readonly JsonRecord[], query: URLSearchParams) => unknown;
  /** Changes the description. */
  readonly described?: (document: JsonRecord) => JsonRecord;
}

const people: Readonly<Record<string, string>> = { "Bearer token-of-alice": "alice", "Bearer token-of-bob": "bob" };

/** Starts an API of notes, scans it for one protection as alice and bob, and ends it. */
export async function scanNotes(
  api: NotesApi,
  only: string,
  more: Partial<ScanOptions> = {},
): Promise<ScanResult & { readonly requestsSeen: number }> {
  const notes = new Map<string, JsonRecord>();
  let requestsSeen = 0;
  const server = createServer((request, response) => {
    requestsSeen += 1;
    // A client that goes away in the middle is one of the attacks.
    answer(request, response).catch(() => response.destroy());
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, json?: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    };
    const url = new URL(request.url ?? "/", "http://localhost");
    const [, collection, id, ...rest] = url.pathname.split("/");
    const who = people[request.headers.authorization ?? ""];
    if (collection !== "notes" || rest.length > 0) return say(404, { error: "no such path" });
    if (who === undefined) return say(401, { error: "who are you?" });
    const mine = (note: JsonRecord | undefined) => (note?.["owner"] === who ? note : undefined);
    if (id === undefined && request.method === "GET") {
      const all = [...notes.values()].filter((note) => mine(note) !== undefined).reverse();
      const page = (api.page ?? pageOf)(all, url.searchParams);
      return typeof page === "number" ? say(page, { error: "no such page" }) : say(200, page);
    }
    if (id === undefined && request.method === "POST") {
      const bytes = await (api.read ?? readBounded)(request, response);
      if (bytes === undefined) return;
      const note = (api.parse ?? parseStrictly)(bytes, request);
      if (typeof note === "number") return say(note, { error: "no note" });
      const made = { id: randomUUID(), text: note["text"], owner: who };
      notes.set(made.id, made);
      return say(201, made);
    }
    const note = mine(notes.get(id ?? ""));
    if (note === undefined) return say(404, { error: "none" });
    if (request.method === "GET") return say(200, note);
    if (request.method !== "DELETE") return say(405, { error: "no such method" });
    notes.delete(id ?? "");
    response.writeHead(204).end();
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  try {
    const result = await scan({
      url: `http://127.0.0.1:${address.port}`,
      openapi: (api.described ?? ((document) => document))(document),
      identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
      only: [only],
      seed: 11,
      ...more,
    });
    return { ...result, requestsSeen };
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Names of the checks with a verdict, each once, in order of their names. */
export function checksThatAre(verdict: string, result: ScanResult): readonly string[] {
  return [...new Set(result.verdicts.filter((one) => one.verdict === verdict).map(({ check }) => check))].sort();
}

/** Counts what comes and answers 413 at the first byte too many. */
export function readBounded(
  request: IncomingMessage,
  response: ServerResponse,
  most = 100 * 1024,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLong = (): void => {
      if (response.headersSent) return;
      response.writeHead(413, { connection: "close", "content-type": "application/json" }).end('{"error":"too long"}');
      resolve(undefined);
    };
    if (Number(request.headers["content-length"] ?? 0) > most) return tooLong();
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) tooLong();
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(response.headersSent ? undefined : Buffer.concat(chunks)));
    request.on("error", () => resolve(undefined));
  });
}

/** All of it, however much. */
export async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A note and nothing else. */
export function parseStrictly(bytes: Buffer, request: IncomingMessage): JsonRecord | number {
  if (!/^application\/json(?:;\s*charset=utf-8)?$/i.test(request.headers["content-type"] ?? "")) return 415;
  if (request.headers["content-encoding"] !== undefined) return 415;
  // One member of that very spelling: neither twice, nor under an escaped name, nor beside another.
  const text = bytes.toString("utf8");
  const json = /^\{\s*"text"\s*:\s*"(?:[^"\\]|\\.)*"\s*\}$/.test(text) ? parseJson(text) : undefined;
  const note = isRecord(json) ? json["text"] : undefined;
  return isRecord(json) && typeof note === "string" && note !== "" && note.length <= 200 ? json : 400;
}

function pageOf(all: readonly JsonRecord[], query: URLSearchParams): unknown {
  const limit = query.get("limit") ?? "20";
  if (!/^[1-9]\d?$/.test(limit) || Number(limit) > 50) return 400;
  return { items: all.slice(0, Number(limit)), next: all.length > Number(limit) ? "more" : null };
}

const note = {
  type: "object",
  additionalProperties: false,
  required: ["text"],
  properties: { text: { type: "string", minLength: 1, maxLength: 200 } },
};
const shown = {
  type: "object",
  properties: { id: { type: "string" }, text: { type: "string" }, owner: { type: "string" } },
};
const json = (schema: object) => ({ content: { "application/json": { schema } } });
const security = [{ token: [] }];
const id = { name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } };

const document: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "notes", version: "1" },
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  paths: {
    "/notes": {
      get: {
        security,
        parameters: [{ name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 50 } }],
        responses: {
          200: {
            description: "some",
            ...json({
              type: "object",
              properties: { items: { type: "array", items: shown }, next: { type: ["string", "null"] } },
            }),
          },
        },
      },
      post: {
        security,
        requestBody: { required: true, ...json(note) },
        responses: { 201: { description: "made", ...json(shown) } },
      },
    },
    "/notes/{id}": {
      parameters: [id],
      get: { security, responses: { 200: { description: "one", ...json(shown) } } },
      delete: { security, responses: { 204: { description: "gone" } } },
    },
  },
};
