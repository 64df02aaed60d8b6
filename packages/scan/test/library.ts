import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { isRecord, type JsonRecord, parseJson, textAt } from "../src/json.ts";
import { identityOf, type ScanOptions, type ScanResult, scan } from "../src/scan.ts";

/** What is wrong with a library, or looks like it and is not. Each test chooses one. */
export type Oddity =
  | "notes by any shelf"
  | "notes of a foreign shelf are none"
  | "exports of any shelf"
  | "exports say the same of everything"
  | "any shelf by header"
  | "loans name any shelf"
  | "activity of any account"
  | "activity of oneself whoever is named"
  | "covers are linked"
  | "covers are linked and guarded"
  | "covers are linked with a secret"
  | "recent of everybody"
  | "search everywhere"
  | "cursors name their owner"
  | "viewers delete"
  | "editors delete"
  | "roles are merged"
  | "roles are echoed"
  | "readers delete books"
  | "forbidden in place of missing";

interface Row {
  readonly id: string;
  readonly owner: string;
  [name: string]: unknown;
}

type Answer = readonly [status: number, json?: unknown];

const no = (status: number): Answer => [status, { error: "no" }];

/** Starts a library: books of the administrator that all read, shelves and notes of one owner, loans, genres nobody creates. */
export async function startLibrary(oddity?: Oddity) {
  const is = (one: Oddity) => oddity === one;
  const kinds = { books: [], shelves: [], notes: [], loans: [], reviews: [] } as Record<string, Row[]>;
  const people = new Map(
    ["alice", "bob", "admin", "ci"].map((name) => [
      name,
      { id: randomUUID(), name, role: name === "admin" ? "admin" : "member" },
    ]),
  );
  const genres = [{ id: randomUUID(), name: "crime" }];
  const rows = (kind: string) => kinds[kind] ?? [];
  const find = (kind: string, id: unknown) => rows(kind).find((row) => row.id === id);
  const make = (kind: string, owner: string, body: JsonRecord, more: JsonRecord = {}): Answer => {
    const taken = Object.entries(body).filter(([name]) =>
      ["name", "title", "text", "to", "bookId", "shelfId"].includes(name),
    );
    const row: Row = { ...Object.fromEntries(taken), ...more, id: randomUUID(), owner };
    rows(kind).unshift(row);
    const secret = is("covers are linked with a secret") ? `?key=${randomUUID()}` : "";
    const cover = oddity?.startsWith("covers") === true ? { cover: `/covers/${row.id}${secret}` } : {};
    return [201, { ...shown(row), ...cover }];
  };
  const drop = (kind: string, row: Row): Answer => {
    rows(kind).splice(rows(kind).indexOf(row), 1);
    return [204];
  };
  const shown = ({ members: _members, ...row }: Row) => row;
  const own = (kind: string, who: string) => rows(kind).filter(({ owner }) => owner === who);
  /** The shelf, if the caller may see it; else how it is refused. */
  const seen = (id: unknown, who: string): Row | Answer => {
    const shelf = find("shelves", id);
    if (shelf === undefined) return no(404);
    const isMember = isRecord(shelf["members"]) && shelf["members"][who] !== undefined;
    return shelf.owner === who || isMember ? shelf : no(is("forbidden in place of missing") ? 403 : 404);
  };

  function page(who: string, query: URLSearchParams): Answer {
    const limit = Number(query.get("limit") ?? 20);
    const text = query.get("cursor");
    const [named = who, at = "0"] = (text ?? "").split(":").slice(-2);
    const owner = is("cursors name their owner") && text !== null ? named : who;
    const all = own("shelves", owner).map(shown);
    const end = Number(text === null ? 0 : at) + limit;
    const next = end < all.length ? `${is("cursors name their owner") ? `${owner}:` : "from:"}${end}` : null;
    return [200, { items: all.slice(end - limit, end), next }];
  }

  function answer(method: string, url: URL, who: string, body: JsonRecord, header: (name: string) => unknown): Answer {
    const [, first = "", id, below, last] = url.pathname.split("/");
    const on = `${method} ${first}`;
    const me = people.get(who);
    const isAdmin = me?.role === "admin";
    if (first === "me" && method === "GET") return [200, me];
    if (on === "PATCH me") {
      const { name, role } = body;
      Object.assign(me ?? {}, { name }, is("roles are merged") && role !== undefined ? { role } : {});
      return [200, is("roles are echoed") ? { ...me, ...body } : me];
    }
    // A key reads, and does nothing else.
    if (who === "ci" && method !== "GET") return no(403);
    if (first === "genres" && method === "GET") {
      const genre = id === undefined ? { items: genres } : genres.find((one) => one.id === id);
      return genre === undefined ? no(404) : [200, genre];
    }
    if (first === "books") {
      if (id === undefined && method === "GET") return [200, { items: rows("books").map(shown) }];
      if (method === "POST") return isAdmin ? make("books", who, body) : no(403);
      const book = find("books", id);
      if (book === undefined) return no(404);
      if (method === "GET") return [200, shown(book)];
      return isAdmin || is("readers delete books") ? drop("books", book) : no(403);
    }
    if (on === "POST reviews")
      return find("books", body["bookId"]) === undefined ? no(422) : make("reviews", who, body);
    if (on === "POST loans") {
      const shelf = is("loans name any shelf") ? find("shelves", body["shelfId"]) : seen(body["shelfId"], who);
      return shelf === undefined || Array.isArray(shelf) ? no(422) : make("loans", who, body);
    }
    if (first === "reviews" || first === "loans") {
      const row = find(first, id);
      if (row?.owner !== who) return no(404);
      return method === "DELETE" ? drop(first, row) : [200, shown(row)];
    }
    if (first === "notes") {
      const shelf = seen(url.searchParams.get("shelfId"), who);
      if (Array.isArray(shelf) && is("notes of a foreign shelf are none")) return [200, { items: [] }];
      if (Array.isArray(shelf) && !is("notes by any shelf")) return no(404);
      const known = find("shelves", url.searchParams.get("shelfId"));
      return known === undefined
        ? no(404)
        : [
            200,
            {
              items: rows("notes")
                .filter((note) => note["shelfId"] === known.id)
                .map(shown),
            },
          ];
    }
    if (on === "POST exports") {
      const shelf = is("exports of any shelf") ? find("shelves", body["shelfId"]) : seen(body["shelfId"], who);
      if (is("exports say the same of everything")) return [202, { queued: true }];
      return shelf === undefined || Array.isArray(shelf) ? no(404) : [200, { name: textAt(shelf, "name"), pages: 1 }];
    }
    if (first === "stats") {
      const shelf = is("any shelf by header") ? find("shelves", header("x-shelf-id")) : seen(header("x-shelf-id"), who);
      return shelf === undefined || Array.isArray(shelf) ? no(404) : [200, { name: textAt(shelf, "name"), loans: 0 }];
    }
    if (first === "activity") {
      const named = [...people.values()].find((one) => one.id === url.searchParams.get("userId"))?.name;
      if (is("activity of oneself whoever is named")) return [200, { items: own("shelves", who).map(shown) }];
      if (named === undefined || (named !== who && !is("activity of any account"))) return no(404);
      return [200, { items: own("shelves", named).map(shown) }];
    }
    if (first === "covers") {
      const shelf = find("shelves", id);
      if (shelf === undefined || (shelf.owner !== who && is("covers are linked and guarded"))) return no(404);
      return [200, { drawn: `The cover of ${String(shelf["name"])}` }];
    }
    if (first === "recent")
      return [
        200,
        { items: (is("recent of everybody") ? rows("shelves") : own("shelves", who)).slice(0, 50).map(shown) },
      ];
    if (first === "search") {
      const all = is("search everywhere") ? rows("shelves") : own("shelves", who);
      const found = all.filter((row) => String(row["name"]).includes(url.searchParams.get("q") ?? ""));
      return [200, { items: found.map(shown) }];
    }
    if (first !== "shelves") return no(404);
    if (id === undefined) return method === "POST" ? make("shelves", who, body) : page(who, url.searchParams);
    const shelf = seen(id, who);
    if (!("id" in shelf)) return shelf;
    if (below === "members") {
      if (shelf.owner !== who) return no(403);
      const name = [...people.values()].find((one) => one.id === last)?.name;
      if (name === undefined) return no(404);
      shelf["members"] = { ...(isRecord(shelf["members"]) ? shelf["members"] : {}), [name]: body["role"] };
      return [200, { role: body["role"] }];
    }
    if (below === "notes") {
      if (last === undefined) return make("notes", who, body, { shelfId: shelf.id });
      const note = find("notes", last);
      if (note === undefined || note["shelfId"] !== shelf.id) return no(404);
      return method === "DELETE" ? drop("notes", note) : [200, shown(note)];
    }
    if (method === "GET") return [200, shown(shelf)];
    const role = isRecord(shelf["members"]) ? shelf["members"][who] : undefined;
    const may =
      shelf.owner === who || (role === "viewer" && is("viewers delete")) || (role === "editor" && is("editors delete"));
    return may ? drop("shelves", shelf) : no(403);
  }

  const log: string[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const key = request.headers["x-api-key"];
      const token = /^Bearer token-of-(\w+)$/.exec(request.headers.authorization ?? "")?.[1];
      const who = key === "key-of-ci" ? "ci" : token;
      const body = parseJson(text);
      const url = new URL(request.url ?? "/", "http://localhost");
      log.push(`${who ?? "nobody"} ${request.method ?? ""} ${url.pathname}${url.search} ${text}`);
      const [status, json] =
        who === undefined || !people.has(who)
          ? no(401)
          : answer(request.method ?? "", url, who, isRecord(body) ? body : {}, (name) => request.headers[name]);
      response.writeHead(status, json === undefined ? {} : { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    log,
    people,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Scans a library as a key that only reads, two readers and the administrator, in this order. */
export function scanLibrary(
  url: string,
  only: readonly string[],
  more: Partial<ScanOptions> = {},
): Promise<ScanResult> {
  return scan({
    url,
    openapi: libraryDescription,
    only,
    identities: [
      identityOf("ci", "X-Api-Key: key-of-ci"),
      identityOf("alice", "Bearer token-of-alice"),
      identityOf("bob", "Bearer token-of-bob"),
      identityOf("admin", "Bearer token-of-admin", ["admin"]),
    ],
    seed: 5,
    ...more,
  });
}

const uuid = { type: "string", format: "uuid" };
const text = { type: "string", maxLength: 100 };
const object = (properties: JsonRecord) => ({ type: "object", required: Object.keys(properties), properties });
const json = (schema: JsonRecord) => ({ content: { "application/json": { schema } } });
const done = (status: number, schema?: JsonRecord) => ({
  responses: { [status]: { description: "It", ...(schema === undefined ? {} : json(schema)) } },
});
const path = (...names: string[]) => ({
  parameters: names.map((name) => ({ name, in: "path", required: true, schema: uuid })),
});
const needs = (place: string, name: string, schema: JsonRecord, required = true) => ({
  name,
  in: place,
  required,
  schema,
});
const row = (more: JsonRecord) => object({ id: uuid, owner: text, ...more });
const list = (of: JsonRecord) => object({ items: { type: "array", items: of } });
const shelf = row({ name: text });
const me = object({ id: uuid, name: text, role: { enum: ["member", "admin"] } });

/** The library as OpenAPI: it says who needs a credential, and nothing of roles, owners or limits. */
export const libraryDescription: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "library", version: "1" },
  security: [{ bearer: [] }, { key: [] }],
  components: {
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer" },
      key: { type: "apiKey", in: "header", name: "X-Api-Key" },
    },
  },
  paths: {
    "/me": { get: done(200, me), patch: { requestBody: json(object({ name: text })), ...done(200, me) } },
    "/genres": { get: done(200, list(object({ id: uuid, name: text }))) },
    "/genres/{genreId}": { ...path("genreId"), get: done(200, object({ id: uuid, name: text })) },
    "/books": {
      get: done(200, list(row({ title: text }))),
      post: { requestBody: json(object({ title: text })), ...done(201, row({ title: text })) },
    },
    "/books/{bookId}": { ...path("bookId"), get: done(200, row({ title: text })), delete: done(204) },
    "/reviews": {
      post: {
        requestBody: json(object({ bookId: uuid, text })),
        ...done(201, row({ bookId: uuid, text })),
      },
    },
    "/reviews/{reviewId}": { ...path("reviewId"), get: done(200, row({ bookId: uuid, text })), delete: done(204) },
    "/shelves": {
      get: {
        parameters: [
          needs("query", "limit", { type: "integer", minimum: 1, maximum: 50 }, false),
          needs("query", "cursor", text, false),
        ],
        ...done(200, list(shelf)),
      },
      post: { requestBody: json(object({ name: text })), ...done(201, shelf) },
    },
    "/shelves/{id}": { ...path("id"), get: done(200, shelf), delete: done(204) },
    "/shelves/{id}/members/{userId}": {
      ...path("id", "userId"),
      put: {
        requestBody: json(object({ role: { enum: ["viewer", "editor"] } })),
        ...done(200, object({ role: text })),
      },
    },
    "/shelves/{id}/notes": {
      ...path("id"),
      post: { requestBody: json(object({ text })), ...done(201, row({ text, shelfId: uuid })) },
    },
    "/shelves/{id}/notes/{noteId}": {
      ...path("id", "noteId"),
      get: done(200, row({ text, shelfId: uuid })),
      delete: done(204),
    },
    "/notes": { get: { parameters: [needs("query", "shelfId", uuid)], ...done(200, list(row({ text }))) } },
    "/loans": {
      post: { requestBody: json(object({ shelfId: uuid, to: text })), ...done(201, row({ shelfId: uuid, to: text })) },
    },
    "/loans/{loanId}": { ...path("loanId"), get: done(200, row({ shelfId: uuid, to: text })), delete: done(204) },
    "/exports": { post: { requestBody: json(object({ shelfId: uuid })), ...done(200, object({ name: text })) } },
    "/stats": { get: { parameters: [needs("header", "X-Shelf-Id", uuid)], ...done(200, object({ name: text })) } },
    "/activity": { get: { parameters: [needs("query", "userId", uuid)], ...done(200, list(shelf)) } },
    "/recent": { get: done(200, list(shelf)) },
    "/search": { get: { parameters: [needs("query", "q", text)], ...done(200, list(shelf)) } },
  },
};
