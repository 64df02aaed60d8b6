import { createServer, type IncomingHttpHeaders } from "node:http";
import { isRecord, type JsonRecord, parseJson } from "../src/json.ts";
import { identityOf, type ScanOptions, type ScanResult, scan } from "../src/scan.ts";

/**
 * A small server that speaks as PostgREST 12 does, as far as a scan needs it: the Swagger 2.0 document at the root, filters
 * `column=eq.value`, `Prefer: return=representation`, and row level security: rows a policy hides are not there, writes
 * nothing matches succeed and change nothing, and rows a check refuses are 401 (strangers) or 403 with SQLSTATE 42501.
 * PostgREST itself needs a PostgreSQL beside it.
 */

/** Who asks: the account of a token, or undefined for the anon key alone. */
export type Who = string | undefined;

/** One table and its policies; left out, row level security is switched off for it. */
export interface TestTable {
  readonly columns: Readonly<Record<string, JsonRecord>>;
  readonly required?: readonly string[];
  readonly select?: (row: JsonRecord, who: Who) => boolean;
  readonly insert?: (row: JsonRecord, who: Who) => boolean;
  readonly update?: (row: JsonRecord, who: Who) => boolean;
  readonly remove?: (row: JsonRecord, who: Who) => boolean;
  readonly rows?: JsonRecord[];
}

/** Accounts as a record of their own says them, which is how a scan learns who is who. */
export const alice = "11111111-1111-4111-8111-111111111111";
export const bob = "22222222-2222-4222-8222-222222222222";
const tokens: Readonly<Record<string, string>> = { "token-of-alice": alice, "token-of-bob": bob };
const anonKey = "sb_publishable_9f8e7d6c5b4a";

/** Columns of the usual kinds. */
export const column = {
  key: { format: "bigint", type: "integer", description: "Note:\nThis is a Primary Key.<pk/>", default: "nextval" },
  user: { format: "uuid", type: "string" },
  text: { format: "text", type: "string" },
  parent: (table: string) => ({
    format: "bigint",
    type: "integer",
    description: `Note:\nThis is a Foreign Key to \`${table}.id\`.<fk table='${table}' column='id'/>`,
  }),
};

/** Only the owner, for everything. */
export const ownersOnly = {
  select: (row: JsonRecord, who: Who) => row["user_id"] === who,
  insert: (row: JsonRecord, who: Who) => who !== undefined && row["user_id"] === who,
  update: (row: JsonRecord, who: Who) => row["user_id"] === who,
  remove: (row: JsonRecord, who: Who) => row["user_id"] === who,
};

/** Starts it with these tables and an API beside it, scans both, and ends them. */
export async function scanTables(
  tables: Readonly<Record<string, TestTable>>,
  more: Partial<ScanOptions> = {},
): Promise<ScanResult & { readonly rows: Readonly<Record<string, readonly JsonRecord[]>> }> {
  const rows: Record<string, JsonRecord[]> = {};
  for (const [name, { rows: given = [] }] of Object.entries(tables)) rows[name] = [...given];
  let last = 1000;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      const [status, json] = answer(request.method ?? "", request.url ?? "/", request.headers, body);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });

  function answer(
    method: string,
    target: string,
    headers: IncomingHttpHeaders,
    body: string,
  ): readonly [status: number, json?: unknown] {
    const url = new URL(target, "http://localhost");
    const token = (headers.authorization ?? "").replace(/^Bearer /, "");
    if (url.pathname === "/me") return tokens[token] === undefined ? [401, {}] : [200, { id: tokens[token] }];
    if (!url.pathname.startsWith("/rest/v1/")) return [404, { message: "no Route matched" }];
    if (headers["apikey"] !== anonKey) return [401, { message: "No API key found in request" }];
    if (token !== "" && tokens[token] === undefined) return [401, { code: "PGRST301", message: "JWT invalid" }];
    const who = tokens[token];
    const name = url.pathname.slice("/rest/v1/".length);
    if (name === "") return [200, documentOf(tables)];
    const table = tables[name];
    if (table === undefined) return [404, { code: "PGRST205", message: "no such table" }];
    const stored = (rows[name] ??= []);
    const matches = (row: JsonRecord) =>
      [...url.searchParams].every(([key, value]) => {
        if (["select", "limit", "order"].includes(key)) return true;
        if (value === "not.is.null") return row[key] !== undefined && row[key] !== null;
        return value === `eq.${String(row[key])}`;
      });
    const seen = stored.filter((row) => matches(row) && (table.select?.(row, who) ?? true));
    const refused = [
      who === undefined ? 401 : 403,
      { code: "42501", message: "new row violates row-level security" },
    ] as const;
    if (method === "GET") return [200, seen.slice(0, Number(url.searchParams.get("limit") ?? "1000"))];
    const sent = parseJson(body);
    if (method === "POST" && isRecord(sent)) {
      const row = { id: ++last, ...sent };
      const missing = (table.required ?? []).find((key) => sent[key] === undefined && key !== "id");
      if (missing !== undefined) return [400, { code: "23502", message: `null value in column "${missing}"` }];
      if (!(table.insert?.(row, who) ?? true)) return refused;
      stored.push(row);
      return [201, (table.select?.(row, who) ?? true) ? [row] : []];
    }
    if (method === "PATCH" && isRecord(sent)) {
      const changed = seen.filter((row) => table.update?.(row, who) ?? true);
      for (const row of changed) stored[stored.indexOf(row)] = { ...row, ...sent };
      return [200, changed.map((row) => ({ ...row, ...sent }))];
    }
    if (method === "DELETE") {
      const gone = seen.filter((row) => table.remove?.(row, who) ?? true);
      for (const row of gone) stored.splice(stored.indexOf(row), 1);
      return [200, gone];
    }
    return [405, {}];
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const url = `http://127.0.0.1:${address.port}`;
  try {
    const result = await scan({
      url,
      openapi,
      identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
      supabase: { url, anonKey },
      only: ["authentication", "object-access"],
      seed: 3,
      ...more,
    });
    return { ...result, rows };
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const openapi: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "beside", version: "1" },
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  paths: {
    "/me": {
      get: {
        security: [{ token: [] }],
        responses: {
          200: {
            description: "who it is",
            content: { "application/json": { schema: { type: "object", properties: { id: { type: "string" } } } } },
          },
        },
      },
    },
  },
};

/** As PostgREST writes it, Swagger 2.0. */
function documentOf(tables: Readonly<Record<string, TestTable>>): JsonRecord {
  const definitions: Record<string, JsonRecord> = {};
  const paths: Record<string, JsonRecord> = { "/": { get: {} }, "/rpc/now": { post: {} } };
  for (const [name, { columns, required = [] }] of Object.entries(tables)) {
    definitions[name] = { type: "object", required: ["id", ...required], properties: columns };
    paths[`/${name}`] = { get: {}, post: {}, patch: {}, delete: {} };
  }
  return { swagger: "2.0", info: { title: "standard public schema" }, paths, definitions };
}
