import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type JsonRecord, textAt } from "../../src/json.ts";
import type { NotesCaller } from "./caller.ts";
import { type Data, type Row, users } from "./data.ts";
import type { Hole } from "./holes.ts";
import { keyFields, noteChanges, noteFields, remarkFields, signInFields } from "./manifest.ts";
import { Refused } from "./refused.ts";

/** What a handler says. */
export interface Said {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> & Record<string, string>;
}

/** A request that may run. */
export interface Matched {
  run(): Promise<Said>;
}

interface Call {
  readonly caller: NotesCaller | undefined;
  readonly body: JsonRecord | undefined;
  readonly request: IncomingMessage;
}

interface Route {
  readonly isPublic: boolean;
  readonly slow: boolean;
  readonly role: string | undefined;
  readonly scope: string | undefined;
  readonly fields: JsonRecord | undefined;
  handle(call: Call): Said;
}

type Handler = (call: Call & { readonly me: NotesCaller; readonly ids: readonly string[] }) => Said;
type Options = Partial<Pick<Route, "isPublic" | "slow" | "role" | "scope" | "fields">>;

/** The route of a request; 404, 405 and 410 are said here. */
export function matchRoute(request: IncomingMessage, data: Data, has: ReadonlySet<string>): Route {
  const sloppy = has.has("canonical-request: sloppy targets");
  const raw = (request.url ?? "").split("?")[0] ?? "";
  const path = sloppy ? raw.replace(/\/+/g, "/").replace(/\/$/, "").toLowerCase() : raw;
  const current = has.has("versioning: the old version answers") ? path.replace(/^\/v0\//, "/v1/") : path;
  if (current === "/v0/notes") throw new Refused(410);
  const found = tableOf(data, has).filter(([template]) => patternOf(template).test(current));
  if (found.length === 0) throw new Refused(404);
  const asked = has.has("canonical-request: method override") ? request.headers["x-http-method-override"] : undefined;
  const method = typeof asked === "string" ? asked : (request.method ?? "GET");
  const entry = found.find(([, name]) => name === method);
  if (entry === undefined) {
    if (has.has("versioning: other methods are 404")) throw new Refused(404);
    throw new Refused(405, { allow: found.map(([, name]) => name).join(", ") });
  }
  const [template, , handler, options = {}] = entry;
  const ids = (patternOf(template).exec(current) ?? []).slice(1);
  if (ids.some((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)))
    throw new Refused(404);
  return {
    isPublic: options.isPublic ?? false,
    slow: options.slow ?? false,
    role: options.role,
    scope: options.scope,
    fields: options.fields,
    handle: (call) => handler({ ...call, me: call.caller ?? { id: "", role: "", scopes: [], byCookie: false }, ids }),
  };
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replace(/:\w+/g, "([^/]+)")}$`);
}

function tableOf(data: Data, has: ReadonlySet<string>): readonly (readonly [string, string, Handler, Options?])[] {
  const note = (me: NotesCaller, id: string | undefined, ...open: readonly Hole[]): Row => {
    const row = data.notes.get(id ?? "");
    if (row === undefined) throw new Refused(404);
    if (row.ownerId === me.id || open.some((hole) => has.has(hole))) return row;
    throw new Refused(has.has("object-access: foreign is 403") ? 403 : 404);
  };
  const remark = (me: NotesCaller, [noteId, remarkId]: readonly string[]) => {
    const parent = note(me, noteId, "object-access: reads anybody's");
    const row = data.remarks.get(remarkId ?? "");
    if (row === undefined) throw new Refused(404);
    if (row.noteId === parent.id || has.has("object-access: the parent is not compared")) return row;
    throw new Refused(404);
  };
  const shown = (row: Row, members: readonly string[]) =>
    has.has("output: raw rows") ? row : Object.fromEntries(members.map((name) => [name, row[name]]));
  const noteView = (row: Row) => shown(row, ["id", "title", "color", "createdAt"]);
  const given = (body: JsonRecord | undefined, members: readonly string[]): JsonRecord => {
    if (has.has("mass-assignment: the body is merged")) return body ?? {};
    return Object.fromEntries(Object.entries(body ?? {}).filter(([name]) => members.includes(name)));
  };
  const listed = (
    rows: readonly unknown[],
    request: IncomingMessage,
    allowed: readonly string[] = ["limit", "cursor"],
  ): Said => {
    const query = queryOf(request, has, allowed);
    const limit = Number(query.get("limit") ?? "20");
    const clientDecides = has.has("pagination: what the client wants");
    if (!clientDecides && (!Number.isInteger(limit) || limit < 1 || limit > 50)) throw new Refused(400);
    const cursor = query.get("cursor") ?? "0";
    if (!/^\d{1,6}$/.test(cursor)) throw new Refused(400);
    const start = Number(cursor);
    const items = rows.slice(start, start + (clientDecides && limit < 1 ? rows.length : limit));
    const next = start + items.length < rows.length ? String(start + items.length) : null;
    return { status: 200, json: { items, next } };
  };
  const alone = (request: IncomingMessage, json: unknown): Said => {
    queryOf(request, has, []);
    return { status: 200, json };
  };
  const notes = { scope: "notes" };
  const everybodys = (me: NotesCaller) =>
    [...data.notes.values()]
      .filter((row) => row.ownerId === me.id || has.has("object-access: lists everybody's"))
      .reverse();
  return [
    [
      "/v1/session",
      "POST",
      ({ body, request }) => signIn(data, has, body, request),
      { isPublic: true, fields: signInFields },
    ],
    [
      "/v1/session",
      "DELETE",
      ({ request }) => {
        const cookie = /__Host-notes=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
        if (!has.has("sessions: sign-out is for show")) data.sessions.delete(cookie ?? "");
        return { status: 204 };
      },
    ],
    [
      "/v1/me",
      "GET",
      ({ me, request }) => alone(request, { id: me.id, name: users.find((user) => user.id === me.id)?.name }),
    ],
    ["/v1/notes", "GET", ({ me, request }) => listed(everybodys(me).map(noteView), request), notes],
    [
      "/v1/notes",
      "POST",
      ({ me, body, request }) => {
        const row: Row = {
          id: randomUUID(),
          ownerId: me.id,
          createdAt: new Date().toISOString(),
          secretHint: "x",
          ...given(body, ["title", "color"]),
        };
        data.save(row);
        const forwarded = request.headers["x-forwarded-host"];
        const host =
          has.has("host: links by X-Forwarded-Host") && typeof forwarded === "string" ? `https://${forwarded}` : "";
        return { status: 201, json: noteView(row), headers: { location: `${host}/v1/notes/${row.id}` } };
      },
      { ...notes, fields: noteFields },
    ],
    [
      "/v1/notes/:id",
      "GET",
      ({ me, ids, request }) => alone(request, noteView(note(me, ids[0], "object-access: reads anybody's"))),
      notes,
    ],
    [
      "/v1/notes/:id",
      "PATCH",
      ({ me, ids, body }) => {
        const row = { ...note(me, ids[0]), ...given(body, ["title", "color"]) };
        data.save(row);
        return { status: 200, json: noteView(row) };
      },
      { fields: noteChanges },
    ],
    [
      "/v1/notes/:id",
      "DELETE",
      ({ me, ids }) => {
        data.remove(note(me, ids[0], "object-access: deletes anybody's", "authentication: one delete forgets it").id);
        return { status: 204 };
      },
      openRoute(has, "authentication: one delete forgets it"),
    ],
    [
      "/v1/notes/:id/remarks",
      "GET",
      ({ me, ids, request }) => {
        const { id } = has.has("authentication: one read forgets it")
          ? { id: ids[0] }
          : note(me, ids[0], "object-access: reads anybody's");
        return listed(
          [...data.remarks.values()].filter((row) => row.noteId === id).map((row) => shown(row, ["id", "text"])),
          request,
        );
      },
      openRoute(has, "authentication: one read forgets it"),
    ],
    [
      "/v1/notes/:id/remarks",
      "POST",
      ({ me, ids, body }) => {
        const row = { id: randomUUID(), ownerId: me.id, ...given(body, ["text"]), noteId: note(me, ids[0]).id };
        data.remarks.set(row.id, row);
        return { status: 201, json: shown(row, ["id", "text"]) };
      },
      { fields: remarkFields },
    ],
    [
      "/v1/notes/:id/remarks/:remarkId",
      "GET",
      ({ me, ids, request }) => alone(request, shown(remark(me, ids), ["id", "text"])),
    ],
    [
      "/v1/notes/:id/remarks/:remarkId",
      "DELETE",
      ({ me, ids }) => {
        data.remarks.delete(remark(me, ids).id);
        return { status: 204 };
      },
    ],
    [
      "/v1/search",
      "GET",
      ({ me, request }) => {
        const q = queryOf(request, has, ["q", "limit", "cursor"]).get("q") ?? "";
        if (q.length < 1 || q.length > 100) throw new Refused(400);
        const ids = has.has("injection: SQL in the search") ? data.searchBadly(me.id, q) : data.search(me.id, q);
        return listed(ids.flatMap((id) => data.notes.get(id) ?? []).map(noteView), request, ["q", "limit", "cursor"]);
      },
    ],
    [
      "/v1/keys",
      "GET",
      ({ me, request }) =>
        listed(
          [...data.keys.values()]
            .filter((row) => row.ownerId === me.id && row["revoked"] !== true)
            .map((row) => shown(row, ["id", "name"])),
          request,
        ),
    ],
    [
      "/v1/keys",
      "POST",
      ({ me, body }) => {
        const row = data.newKey(me.id, textAt(body, "name") ?? "");
        return { status: 201, json: { id: row.id, name: row["name"], key: row.secret } };
      },
      { fields: keyFields },
    ],
    [
      "/v1/keys/:keyId",
      "DELETE",
      ({ me, ids }) => {
        const row = data.keys.get(ids[0] ?? "");
        if (row === undefined || row.ownerId !== me.id || row["revoked"] === true) throw new Refused(404);
        data.keys.set(row.id, { ...row, revoked: true });
        return { status: 204 };
      },
    ],
    [
      "/v1/admin/users",
      "GET",
      ({ request }) =>
        listed(
          users.map(({ id, name }) => ({ id, name })),
          request,
        ),
      { role: "admin" },
    ],
    ["/v1/export", "GET", ({ request }) => alone(request, { rows: data.notes.size }), { slow: true }],
  ];
}

function openRoute(has: ReadonlySet<string>, hole: string): Options {
  return has.has(hole) ? { isPublic: true } : {};
}

function queryOf(request: IncomingMessage, has: ReadonlySet<string>, allowed: readonly string[]): URLSearchParams {
  const query = new URLSearchParams((request.url ?? "").split("?")[1] ?? "");
  const open = [
    ...allowed,
    ...(has.has("exposure: token in the URL") ? ["token"] : []),
    ...(has.has("api-keys: taken from the URL") ? ["api_key"] : []),
  ];
  if ([...query.keys()].some((name) => !open.includes(name))) throw new Refused(400);
  return query;
}

function signIn(data: Data, has: ReadonlySet<string>, body: JsonRecord | undefined, request: IncomingMessage): Said {
  const user = users.find((entry) => entry.email === textAt(body, "email"));
  if (user === undefined && has.has("sessions: tells unknown from wrong")) throw new Refused(404);
  if (user === undefined || user.password !== textAt(body, "password"))
    throw new Refused(401, { "www-authenticate": "Bearer" });
  const brought = /__Host-notes=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
  const id = has.has("sessions: keeps the id it is given") && brought !== undefined ? brought : randomUUID();
  data.sessions.set(id, user.id);
  const flags = has.has("sessions: no HttpOnly") ? "" : " HttpOnly;";
  return {
    status: 201,
    json: { id: user.id, name: user.name },
    headers: { "set-cookie": `__Host-notes=${id}; Path=/;${flags} Secure; SameSite=Strict` },
  };
}
