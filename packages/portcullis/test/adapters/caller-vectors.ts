import { noteIds } from "../front-door.ts";
import type { Row } from "./vector.ts";

const mine = `/v1/notes/${noteIds[0]}`;
const json = ["Content-Type", "application/json"] as const;
const cookie = ["Cookie", "__Host-session=alices"] as const;

/** Who may, and what may come in. */
export const credentials: readonly Row[] = [
  [
    "no credential",
    `GET ${mine}`,
    401,
    "no-credential",
    { headers: { "www-authenticate": 'Bearer realm="notes", Session realm="notes"' } },
  ],
  ["a token that is none", { line: `GET ${mine}`, headers: [["Authorization", "Bearer no"]] }, 401, "bad-credential"],
  ["another scheme", { line: `GET ${mine}`, headers: [["Authorization", "Basic YTpi"]] }, 401, "bad-credential"],
  ["a bare token", { line: `GET ${mine}`, headers: [["Authorization", "abc"]] }, 401, "bad-credential"],
  [
    "an unsigned token",
    { line: `GET ${mine}`, headers: [["Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."]] },
    401,
    "bad-credential",
  ],
  [
    "a bad token on a public route",
    { line: "GET /v1/open", headers: [["Authorization", "Bearer no"]] },
    401,
    "bad-credential",
  ],
  ["two kinds of credential", { line: `GET ${mine}`, as: "alice", headers: [cookie] }, 400, "several-credentials"],
  [
    "one's own object",
    { line: `GET ${mine}`, as: "alice" },
    200,
    undefined,
    { json: { id: noteIds[0], text: "note 0" } },
  ],
  ["somebody else's object", { line: `GET ${mine}`, as: "bob" }, 404, "object-not-found"],
  [
    "an object that is not there",
    { line: "GET /v1/notes/33333333-3333-4333-8333-333333333333", as: "alice" },
    404,
    "object-not-found",
  ],
  ["an id that is none", { line: "GET /v1/notes/5", as: "alice" }, 400, "invalid-input"],
  ["a role the caller has not", { line: "GET /v1/admin", as: "alice" }, 403, "role-missing"],
  ["a session", { line: `GET ${mine}`, headers: [cookie] }, 200],
  [
    "a session nobody knows, on a public route",
    { line: "GET /v1/open", headers: [["Cookie", "__Host-session=stolen"]] },
    200,
  ],
  [
    "a write by a session from another site",
    { line: `DELETE ${mine}`, headers: [cookie, ["Sec-Fetch-Site", "cross-site"]] },
    403,
    "cross-site",
  ],
  [
    "a write by a session from the same site",
    { line: `DELETE ${mine}`, headers: [cookie, ["Sec-Fetch-Site", "same-origin"]] },
    204,
  ],
];

const post = { line: "POST /v1/notes", as: "alice" } as const;

/** Bodies, by the way they come and by what they hold. */
export const bodies: readonly Row[] = [
  [
    "a body that fits",
    { ...post, json: { text: "hello" } },
    201,
    undefined,
    { json: { id: noteIds[0], text: "hello" } },
  ],
  ["a body in chunks", { ...post, headers: [json], body: '{"text":"hello"}', chunked: true }, 201],
  ["a body that admits to being too large", { ...post, json: { text: "a".repeat(3_000) } }, 413, "body-too-large"],
  [
    "a body that grows too large",
    { ...post, headers: [json], body: " ".repeat(3_000), chunked: true },
    413,
    "body-too-large",
  ],
  ["a body nobody wants yet", { line: "POST /v1/notes", json: { text: "a".repeat(3_000) } }, 401, "no-credential"],
  ["a body that is no JSON", { ...post, headers: [json], body: '{"text":' }, 400, "bad-body"],
  ["one key twice", { ...post, headers: [json], body: '{"text":"a","text":"b"}' }, 400, "bad-body"],
  ["__proto__", { ...post, headers: [json], body: '{"text":"a","__proto__":{"x":1}}' }, 400, "bad-body"],
  ["JSON that is too deep", { ...post, headers: [json], body: `${"[".repeat(50)}${"]".repeat(50)}` }, 400, "bad-body"],
  ["a body that is not UTF-8", { ...post, headers: [json], body: '{"text":"\xff"}' }, 400, "bad-body"],
  ["an empty body", { ...post, headers: [json], body: "" }, 400, "bad-body"],
  [
    "a form",
    { ...post, headers: [["Content-Type", "application/x-www-form-urlencoded"]], body: "text=a" },
    415,
    "media-type",
  ],
  ["no content type", { ...post, headers: [["Content-Type", ""]], body: "{}" }, 415, "media-type"],
  [
    "another charset",
    { ...post, headers: [["Content-Type", "application/json; charset=utf-16"]], body: "{}" },
    415,
    "media-type",
  ],
  ["an encoded body", { ...post, headers: [json, ["Content-Encoding", "gzip"]], body: "{}" }, 415, "content-encoding"],
  ["an unknown field", { ...post, json: { text: "a", admin: true } }, 400, "invalid-input"],
  ["a missing field", { ...post, json: {} }, 400, "invalid-input"],
  ["a field of another type", { ...post, json: { text: 5 } }, 400, "invalid-input"],
  ["a body on a route without one", { line: `DELETE ${mine}`, as: "alice", json: {} }, 400, "body-unexpected"],
  [
    "a body on a GET",
    { line: `GET ${mine}`, as: "alice", json: {} },
    400,
    "body-unexpected",
    { needs: ["body of a GET"] },
  ],
];
