import type { Row } from "./vector.ts";

const urlencoded = ["Content-Type", "application/x-www-form-urlencoded"] as const;
const form = (body: string, ...headers: readonly (readonly [string, string])[]) => ({
  line: "POST /v1/form",
  headers: [urlencoded, ...headers],
  body,
});
const state = ["Cookie", "__Host-state=s"] as const;
const sent = { headers: { location: "/v1/page?name=x", "content-type": null } };
const nobody = { headers: { location: null } };
const browser = ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] as const;
const refusedPage = {
  ownBody: true,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
    location: null,
  },
} as const;
const problemDocument = { headers: { "content-type": "application/problem+json" } };

/** What browsers use: pages, forms, redirects, cookies. */
export const pages: readonly Row[] = [
  [
    "a page",
    "GET /v1/page?name=Alice",
    200,
    undefined,
    {
      holds: '<input name="name" value="Alice">',
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
      },
    },
  ],
  [
    "a page that is told a script",
    "GET /v1/page?name=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    200,
    undefined,
    { holds: 'value="&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;"' },
  ],
  ["HEAD of a page", "HEAD /v1/page", 200, undefined, { headers: { "content-type": "text/html; charset=utf-8" } }],
  [
    "a form",
    form("name=Alice+B&times=2"),
    303,
    undefined,
    { headers: { ...sent.headers, "set-cookie": "__Host-state=s; Path=/; Secure; HttpOnly; SameSite=Strict" } },
  ],
  ["a form in chunks", { ...form("name=%C3%A9"), chunked: true }, 303, undefined, sent],
  ["a form with a name twice", form("name=a&name=b"), 400, "bad-body", nobody],
  ["a form with a list in brackets", form("name[]=a"), 400, "bad-body", nobody],
  ["a form with bytes beyond ASCII", form("name=\xe9"), 400, "bad-body", nobody],
  ["a form with a number in another spelling", form("name=a&times=2.0"), 400, "invalid-input", nobody],
  ["a form with a field nobody declared", form("name=a&admin=true"), 400, "invalid-input", nobody],
  ["a form that is too large", form(`name=${"a".repeat(3_000)}`), 413, "body-too-large", nobody],
  ["JSON in place of a form", { line: "POST /v1/form", json: { name: "a" } }, 415, "media-type", nobody],
  [
    "a form in place of JSON",
    { line: "POST /v1/notes", as: "alice", headers: [urlencoded], body: "text=a" },
    415,
    "media-type",
  ],
  [
    "an address on the list",
    "GET /v1/onward?to=https%3A%2F%2Fapp.example%2Fin%3Fcode%3D1",
    303,
    undefined,
    { headers: { location: "https://app.example/in?code=1" } },
  ],
  ["an address elsewhere", "GET /v1/onward?to=https%3A%2F%2Fevil.example%2F", 500, "undeclared-output", nobody],
  ["an address without a scheme", "GET /v1/onward?to=%2F%2Fevil.example", 500, "undeclared-output", nobody],
  ["a cookie of the input", { line: "POST /v1/state", headers: [state] }, 200, undefined, { json: { ok: true } }],
  ["no cookie of the input", "POST /v1/state", 400, "invalid-input"],
  [
    "a cookie of the input, twice",
    { line: "POST /v1/state", headers: [["Cookie", "__Host-state=s; __Host-state=t"]] },
    400,
    "bad-header",
  ],
  [
    "a cookie of the input, sent by another site's page",
    { line: "POST /v1/state", headers: [state, ["Sec-Fetch-Site", "same-site"]] },
    403,
    "cross-site",
  ],
  [
    "a refused form in a browser",
    form("name=a&admin=%3Cb%3E", browser),
    400,
    "invalid-input",
    { ...refusedPage, holds: "<h1>Invalid request</h1>" },
  ],
  [
    "a refused page in a browser",
    { line: "GET /v1/page?name=a&admin=1", headers: [browser] },
    400,
    "invalid-input",
    { ...refusedPage, holds: "400 invalid-input<br>Request " },
  ],
  [
    "an address without a route in a browser",
    { line: "GET /v1/pagge", headers: [browser] },
    404,
    "route-not-found",
    { ...refusedPage, holds: "There is nothing at this address." },
  ],
  [
    "a route without pages in a browser",
    { line: "GET /v1/open?admin=1", headers: [browser] },
    400,
    "invalid-input",
    problemDocument,
  ],
  [
    "a refused page for a program that would rather have JSON",
    { line: "GET /v1/page?name=a&admin=1", headers: [["Accept", "text/html;q=0.5, application/json"]] },
    400,
    "invalid-input",
    problemDocument,
  ],
  [
    "a no in the shape of another specification",
    "POST /v1/token",
    400,
    "bad-request",
    { ownBody: true, json: { error: "invalid_grant" }, headers: { "content-type": "application/json" } },
  ],
];
