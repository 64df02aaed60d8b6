import type { JsonRecord } from "../../src/json.ts";

/** Limits in windows so short that a test can use them up. */
export const limits = {
  address: { limit: 2000, windowMs: 1000 },
  caller: { limit: 150, windowMs: 500 },
  failures: { limit: 300, windowMs: 1000 },
  slow: { limit: 6, windowMs: 800 },
};

export const issuer = "https://id.notes.example";
export const audience = "https://api.notes.example";
export const bodyMaxBytes = 20_000;
export const origin = "https://app.notes.example";

const uuid = { type: "string", format: "uuid" };
const title = { type: "string", minLength: 1, maxLength: 60 };
const closed = (properties: JsonRecord, required: readonly string[] = Object.keys(properties)): JsonRecord => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

export const noteFields = closed({ title, color: { type: "string", enum: ["red", "green", "blue"] } });
export const noteChanges = closed({ title, color: { type: "string", enum: ["red", "green", "blue"] } }, []);
export const remarkFields = closed({ text: { type: "string", minLength: 1, maxLength: 200 } });
export const keyFields = closed({ name: title });
export const signInFields = closed({
  email: { type: "string", format: "email", maxLength: 100 },
  password: { type: "string", minLength: 1, maxLength: 100 },
});

const note = closed({ id: uuid, title, color: { type: "string" }, createdAt: { type: "string" } });
const remark = closed({ id: uuid, text: { type: "string" } });
const key = closed({ id: uuid, name: { type: "string" } });
const listOf = (items: JsonRecord) => closed({ items: { type: "array", items }, next: { type: ["string", "null"] } });

const json = (schema: JsonRecord) => ({ content: { "application/json": { schema } } });
const page = { kind: "cursor", size: 20, max: 50 };
const pageParameters = [
  { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 50 } },
  { name: "cursor", in: "query", schema: { type: "string", maxLength: 200 } },
];
const path = (name: string) => ({ name, in: "path", required: true, schema: uuid });
const everybody = [{ jwt: [] }, { "api-keys": [] }, { sessions: [] }];

interface Described {
  readonly parameters?: readonly JsonRecord[];
  readonly body?: JsonRecord;
  readonly answers: Readonly<Record<number, JsonRecord | undefined>>;
  readonly policy?: JsonRecord;
}

function operation(id: string, { parameters = [], body, answers, policy = {} }: Described): JsonRecord {
  const isPublic = JSON.stringify(policy).includes('"public"');
  const responses = Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => [
      status,
      { description: "It", ...(schema === undefined ? {} : json(schema)) },
    ]),
  );
  return {
    operationId: id,
    security: isPublic ? [] : everybody,
    parameters,
    ...(body === undefined ? {} : { requestBody: { required: true, ...json(body) } }),
    responses: { ...responses, default: { description: "Problem" } },
    "x-portcullis": { access: { kind: "caller", scopes: [], roles: [] }, objects: [], limits: [], ...policy },
  };
}

const objects = {
  note: { name: "note", resource: "note", in: "path", field: "id" },
  remark: { name: "remark", resource: "remark", in: "path", field: "remarkId", within: "note" },
  key: { name: "key", resource: "key", in: "path", field: "keyId" },
};
const caller = (scope: string) => ({ kind: "caller", scopes: [scope], roles: [] });
const publicly = { kind: "public", reason: "who signs in is nobody yet" };

/** What the notes API promises, in our format; see docs/manifest.md. */
export const manifest: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "notes", version: "1" },
  "x-portcullis": {
    format: 1,
    name: "notes",
    hosts: ["127.0.0.1"],
    origins: [origin],
    transport: { tls: "1.3", plainHttp: "loopback" },
    credentials: [
      {
        kind: "jwt",
        name: "jwt",
        in: "authorization",
        scheme: "Bearer",
        issuer,
        audience: [audience],
        typ: ["at+jwt"],
        maxAgeSeconds: 3600,
      },
      { kind: "api-keys", name: "api-keys", in: "authorization", prefix: "nts" },
      { kind: "sessions", name: "sessions", in: "cookie", cookies: ["__Host-notes"] },
    ],
    limits: { address: limits.address, caller: limits.caller, failures: limits.failures },
    body: { maxBytes: bodyMaxBytes },
    json: { maxDepth: 16, maxKeys: 200 },
    resources: {
      note: { owner: true, tenant: false, grant: false, serverSet: ["id", "ownerId", "createdAt"] },
      remark: { owner: true, tenant: false, grant: false, serverSet: ["id"], parent: "note" },
      key: { owner: true, tenant: false, grant: false, serverSet: ["id", "ownerId"] },
    },
  },
  paths: {
    "/v1/session": {
      post: operation("POST /v1/session", {
        body: signInFields,
        answers: { 201: closed({ id: uuid, name: { type: "string" } }) },
        policy: { access: publicly, startsSession: true },
      }),
      delete: operation("DELETE /v1/session", { answers: { 204: undefined } }),
    },
    "/v1/me": { get: operation("GET /v1/me", { answers: { 200: closed({ id: uuid, name: { type: "string" } }) } }) },
    "/v1/notes": {
      get: operation("GET /v1/notes", {
        parameters: pageParameters,
        answers: { 200: listOf(note) },
        policy: { access: caller("notes"), page, output: [{ status: 200, kind: "list", resource: "note" }] },
      }),
      post: operation("POST /v1/notes", {
        body: noteFields,
        answers: { 201: note },
        policy: { access: caller("notes") },
      }),
    },
    "/v1/notes/{id}": {
      parameters: [path("id")],
      get: operation("GET /v1/notes/:id", {
        answers: { 200: note },
        policy: { access: caller("notes"), objects: [objects.note] },
      }),
      patch: operation("PATCH /v1/notes/:id", {
        body: noteChanges,
        answers: { 200: note },
        policy: { objects: [objects.note] },
      }),
      delete: operation("DELETE /v1/notes/:id", { answers: { 204: undefined }, policy: { objects: [objects.note] } }),
    },
    "/v1/notes/{id}/remarks": {
      parameters: [path("id")],
      get: operation("GET /v1/notes/:id/remarks", {
        parameters: pageParameters,
        answers: { 200: listOf(remark) },
        policy: { objects: [objects.note], page },
      }),
      post: operation("POST /v1/notes/:id/remarks", {
        body: remarkFields,
        answers: { 201: remark },
        policy: { objects: [objects.note] },
      }),
    },
    "/v1/notes/{id}/remarks/{remarkId}": {
      parameters: [path("id"), path("remarkId")],
      get: operation("GET /v1/notes/:id/remarks/:remarkId", {
        answers: { 200: remark },
        policy: { objects: [objects.note, objects.remark] },
      }),
      delete: operation("DELETE /v1/notes/:id/remarks/:remarkId", {
        answers: { 204: undefined },
        policy: { objects: [objects.note, objects.remark] },
      }),
    },
    "/v1/search": {
      get: operation("GET /v1/search", {
        parameters: [
          { name: "q", in: "query", required: true, schema: { type: "string", minLength: 1, maxLength: 100 } },
        ],
        answers: { 200: listOf(note) },
        policy: { output: [{ status: 200, kind: "list", resource: "note" }], page },
      }),
    },
    "/v1/keys": {
      get: operation("GET /v1/keys", {
        answers: { 200: listOf(key) },
        policy: { output: [{ status: 200, kind: "list", resource: "key" }] },
      }),
      post: operation("POST /v1/keys", {
        body: keyFields,
        answers: { 201: closed({ id: uuid, name: { type: "string" }, key: { type: "string" } }) },
      }),
    },
    "/v1/keys/{keyId}": {
      parameters: [path("keyId")],
      delete: operation("DELETE /v1/keys/:keyId", { answers: { 204: undefined }, policy: { objects: [objects.key] } }),
    },
    "/v1/admin/users": {
      get: operation("GET /v1/admin/users", {
        answers: { 200: listOf(closed({ id: uuid, name: { type: "string" } })) },
        policy: { access: { kind: "caller", scopes: [], roles: ["admin"] } },
      }),
    },
    "/v1/export": {
      get: operation("GET /v1/export", {
        answers: { 200: closed({ rows: { type: "integer" } }) },
        policy: { limits: [{ name: "route", ...limits.slow, by: "caller", counts: "requests" }] },
      }),
    },
    "/v0/notes": {
      get: {
        ...operation("GET /v0/notes", {
          answers: { 200: listOf(note) },
          policy: { deprecated: { since: "2020-01-01T00:00:00Z", sunset: "2021-01-01T00:00:00Z" } },
        }),
        deprecated: true,
      },
    },
  },
};
