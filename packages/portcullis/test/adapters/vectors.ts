import { bodies, credentials } from "./caller-vectors.ts";
import { noteIds } from "../front-door.ts";
import { pages } from "./page-vectors.ts";
import { type Row, row, type Sent, type Vector } from "./vector.ts";

const origin = "https://app.example";
const mine = `/v1/notes/${noteIds[0]}`;
const json = ["Content-Type", "application/json"] as const;
const host = "Host: localhost\r\n";

const raw: Partial<Vector> = { needs: ["raw target"] };
const targets: readonly Row[] = [
  ["an open route", "GET /v1/open", 200, undefined, { json: { ok: true } }],
  ["two slashes", "GET //v1/open", 400, "bad-target", raw],
  ["two slashes inside", "GET /v1//open", 400, "bad-target", raw],
  ["a dot segment", "GET /v1/./open", 400, "bad-target", raw],
  ["a way up", "GET /v1/x/../open", 400, "bad-target", raw],
  ["an escaped way up", "GET /v1/x/%2e%2e/open", 400, "bad-target", raw],
  ["an escaped letter", "GET /v1/%6fpen", 400, "bad-target"],
  ["a slash at the end", "GET /v1/open/", 400, "bad-target", raw],
  ["a matrix parameter", "GET /v1/open;x=1", 400, "bad-target"],
  ["a backslash", "GET /v1\\open", 400, "bad-target", raw],
  ["an escaped slash", "GET /v1%2fopen", 400, "bad-target"],
  ["an escaped NUL", "GET /v1/open%00", 400, "bad-target"],
  ["half an escape", "GET /v1/open%2", 400, "bad-target", raw],
  ["what is not UTF-8", "GET /v1/%c0%af", 400, "bad-target", raw],
  ["a fragment", "GET /v1/open#x", 400, "bad-target", raw],
  ["the whole address", "GET http://localhost/v1/open", 400, "bad-target", raw],
  ["an asterisk", "OPTIONS *", 400, "bad-target", raw],
  ["a target over 8 KiB", `GET /${"a".repeat(9_000)}`, 414, "target-too-long"],
  ["another spelling of a path", "GET /V1/open", 404, "route-not-found"],
  ["a name twice in the query", "GET /v1/search?q=a&q=b", 400, "bad-query"],
  ["half an escape in the query", "GET /v1/search?q=%zz", 400, "bad-query", raw],
  ["an unknown name in the query", "GET /v1/open?x=1", 400, "invalid-input"],
  ["a token in the query", "GET /v1/open?access_token=abc", 400, "credential-in-url"],
];

const methods: readonly Row[] = [
  ["HEAD of a GET", "HEAD /v1/open", 200],
  ["OPTIONS that is no preflight", "OPTIONS /v1/open", 204, undefined, { headers: { allow: "GET, HEAD, OPTIONS" } }],
  [
    "a method the path does not have",
    "PUT /v1/open",
    405,
    "method-not-allowed",
    { headers: { allow: "GET, HEAD, OPTIONS" } },
  ],
  ["TRACE", "TRACE /v1/open", 501, "method-refused", { needs: ["any method"] }],
  ["a method nobody serves", "PROPFIND /v1/open", 501, "method-refused", { needs: ["any method"] }],
  ["a path nobody declared", "GET /v1/nothing", 404, "route-not-found"],
  ["a route after its sunset", "GET /v1/gone", 410, "route-gone"],
];

const hosts: readonly Row[] = [
  ["a host nobody serves", { line: "GET /v1/open", headers: [["Host", "evil.example"]] }, 421, "unknown-host"],
  [
    "no Host",
    { line: "GET /v1/open", raw: "GET /v1/open HTTP/1.1\r\n\r\n" },
    421,
    "unknown-host",
    { needs: ["missing host"] },
  ],
  [
    "two Hosts",
    {
      line: "GET /v1/open",
      headers: [
        ["Host", "localhost"],
        ["Host", "localhost"],
      ],
    },
    400,
    "bad-header",
    { needs: ["duplicate headers"] },
  ],
  [
    "a Host with a path",
    { line: "GET /v1/open", headers: [["Host", "localhost/x"]] },
    421,
    "unknown-host",
    { needs: ["raw target"] },
  ],
  [
    "a forwarded host of a stranger",
    { line: "GET /v1/open", headers: [["X-Forwarded-Host", "evil.example"]] },
    421,
    "plain-http",
  ],
  [
    "a forwarded scheme of a stranger",
    { line: "GET /v1/open", headers: [["X-Forwarded-Proto", "https"]] },
    421,
    "plain-http",
    { needs: ["own headers"] },
  ],
];

const headers: readonly Row[] = [
  [
    "one header twice that nobody reads",
    {
      line: "GET /v1/open",
      headers: [
        ["X-Any", "1"],
        ["X-Any", "2"],
      ],
    },
    200,
  ],
  [
    "Authorization twice",
    {
      line: "GET /v1/open",
      headers: [
        ["Authorization", "Bearer a"],
        ["Authorization", "Bearer b"],
      ],
    },
    400,
    "bad-header",
    { needs: ["duplicate headers"] },
  ],
  [
    "Content-Type twice",
    { line: "POST /v1/notes", as: "alice", headers: [json, json], body: "{}" },
    400,
    "bad-header",
    { needs: ["duplicate headers"] },
  ],
  [
    "headers over 16 KiB",
    { line: "GET /v1/open", headers: [["X-A", "a".repeat(17_000)]] },
    431,
    "headers-too-large",
    { needs: ["parse errors"] },
  ],
];

const preflight = (from: string, method: string): readonly (readonly [string, string])[] => [
  ["Origin", from],
  ["Access-Control-Request-Method", method],
];

const cors: readonly Row[] = [
  [
    "a preflight of a configured origin",
    { line: "OPTIONS /v1/open", headers: preflight(origin, "GET") },
    204,
    undefined,
    { headers: { "access-control-allow-origin": origin } },
  ],
  [
    "a preflight of another origin",
    { line: "OPTIONS /v1/open", headers: preflight("https://evil.example", "GET") },
    403,
    "preflight-refused",
    { headers: { "access-control-allow-origin": null } },
  ],
  [
    "a preflight for a method the path has not",
    { line: "OPTIONS /v1/open", headers: preflight(origin, "PUT") },
    403,
    "preflight-refused",
  ],
  [
    "a request of a configured origin",
    { line: "GET /v1/open", headers: [["Origin", origin]] },
    200,
    undefined,
    { headers: { "access-control-allow-origin": origin } },
  ],
  [
    "a request of another origin",
    { line: "GET /v1/open", headers: [["Origin", "https://evil.example"]] },
    200,
    undefined,
    { headers: { "access-control-allow-origin": null } },
  ],
  [
    "a request of origin null",
    { line: "GET /v1/open", headers: [["Origin", "null"]] },
    200,
    undefined,
    { headers: { "access-control-allow-origin": null } },
  ],
];

const handlers: readonly Row[] = [
  ["an answer without a body", { line: `DELETE ${mine}`, as: "alice" }, 204],
  ["a handler that throws", "GET /v1/throws", 500, "internal"],
  ["a value that does not fit its schema", "GET /v1/leaks", 500, "undeclared-output"],
  ["a header that cannot be sent", "GET /v1/splits", 500, "undeclared-output"],
  ["a handler that takes too long", "GET /v1/hangs", 503, "handler-timeout"],
  ["more requests than a route takes", "GET /v1/limited", 429, "rate-limited", { before: 2 }],
];

const wire = (line: string, bytes: string): Sent => ({ line, raw: bytes });
const sockets: readonly Row[] = [
  ["what is no request", wire("GET /", "HELLO\r\n\r\n"), 400, "bad-message", { needs: ["parse errors"] }],
  [
    "a length beside chunks",
    wire(
      "POST /v1/notes",
      `POST /v1/notes HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ),
    400,
    "bad-message",
    { needs: ["parse errors"] },
  ],
  [
    "a header block without end",
    wire("GET /v1/open", `GET /v1/open HTTP/1.1\r\n${host}X-A: ${"a".repeat(40_000)}\r\n\r\n`),
    431,
    "headers-too-large",
    { needs: ["parse errors"] },
  ],
  [
    "an expectation nobody knows",
    wire("GET /v1/open", `GET /v1/open HTTP/1.1\r\n${host}Expect: tea\r\n\r\n`),
    417,
    "expectation-failed",
    { needs: ["expectations"] },
  ],
  [
    "100-continue for a body nobody wants",
    wire(
      "POST /v1/notes",
      `POST /v1/notes HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n`,
    ),
    401,
    "no-credential",
    { needs: ["expectations"] },
  ],
  [
    "an upgrade",
    wire("GET /v1/open", `GET /v1/open HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`),
    400,
    "upgrade-refused",
    { needs: ["upgrades"] },
  ],
  [
    "a tunnel",
    wire("CONNECT evil.example:443", `CONNECT evil.example:443 HTTP/1.1\r\n${host}\r\n`),
    501,
    "method-refused",
    { needs: ["upgrades"] },
  ],
];

/** Every vector, by group. */
export const vectors: readonly Vector[] = [
  ...targets,
  ...methods,
  ...hosts,
  ...headers,
  ...credentials,
  ...bodies,
  ...cors,
  ...handlers,
  ...pages,
  ...sockets,
].map(row);
