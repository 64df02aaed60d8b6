import { createServer } from "node:http";
import { once } from "node:events";
import { connect } from "node:tls";
import { gzipSync } from "node:zlib";
import type { surfaceMutants } from "../mutants-surface.ts";
import { accountOf, appOrigin } from "../product/people.ts";
import { type Proof, signIn } from "./callers.ts";
import { type Client, cookieOf, type Got, itemsOf, type Sent } from "./client.ts";

const fields = { name: "n", url: "https://n.example/" };

/** One attack for each mistake about what comes in and goes out. */
export const surfaceProofs: Readonly<Record<keyof typeof surfaceMutants, Proof>> = {
  "unknown-fields": creates({ json: { ...fields, surprise: 1 } }),
  "long-strings": creates({ json: { ...fields, name: "n".repeat(5000) } }),
  "any-content-type": creates({ json: fields, headers: { "content-type": "text/plain" } }),
  "coerced-types": creates({ json: { ...fields, name: 12 } }),
  "duplicate-keys": creates({ body: '{"name":"one","name":"two","url":"https://n.example/"}' }),
  "prototype-keys": creates({ body: '{"url":"https://n.example/","__proto__":{"name":"inherited"}}' }),

  "sql-search": async ({ call, project }) => {
    await project("bob");
    const search = (q: string) => call("GET", `/v1/search?q=${encodeURIComponent(q)}`, { as: "alice" });
    const [yes, no] = [await search("seeded 1%' AND '1%'='1"), await search("seeded 1%' AND '1%'='2")];
    return yes.text.includes("seeded 1") && !no.text.includes("seeded 1");
  },
  "operator-password": async ({ call }) => {
    const json = { email: accountOf("alice").user, password: { $ne: "" } };
    return (await call("POST", "/v1/sign-in", { json })).status === 200;
  },
  "html-echo": async ({ call }) => {
    const got = await call("GET", `/v1/search?q=${encodeURIComponent("<script>alert(1)</script>")}`, { as: "alice" });
    return (got.headers["content-type"] ?? "").startsWith("text/html") && got.text.includes("<script>alert(1)");
  },

  "no-limit": async (client) =>
    !(await isLimited(client, (call) => call("GET", "/v1/reports/summary", { as: "alice" }), 150)),
  "limit-by-forwarded-for": async (client) =>
    !(await isLimited(client, (call, turn) => guess(call, { "x-forwarded-for": `10.0.0.${turn}` }), 60)),
  "limit-by-spelling": async (client) =>
    !(await isLimited(client, (call, turn) => call("GET", `/v1/search?q=${turn}`, { as: "alice" }), 150)),
  "head-not-counted": async (client) =>
    !(await isLimited(client, (call) => call("HEAD", "/v1/reports/summary", { as: "alice" }), 150)),
  "sign-in-unlimited": async (client) => !(await isLimited(client, (call) => guess(call, {}), 60)),
  "fixed-window": async (client) => {
    // The clean limit is 60 in a second; the counter lets two hundred through at once.
    const path = "/v1/project-pages?limit=1";
    return !(await isLimited(client, (call) => call("GET", path, { as: "alice" }), 150));
  },
  "no-retry-after": async (client) => {
    const refused = await firstLimited(client, (call) => call("GET", "/v1/reports/summary", { as: "bob" }), 200);
    return refused !== undefined && refused.headers["retry-after"] === undefined;
  },

  "no-body-limit": async ({ call }) =>
    (await call("POST", "/v1/projects", { as: "alice", json: { ...fields, name: "n".repeat(300_000) } })).status !==
    413,
  "length-believed": async ({ call }) => {
    const body = JSON.stringify({ ...fields, name: "n".repeat(300_000) });
    return (await sentOrCut(call("POST", "/v1/projects", { as: "alice", body, isChunked: true }))) === 400;
  },
  "endless-drained": async ({ api }) => !(await isAnsweredWhileSending(api)),
  "deep-json": async ({ call }) => (await call("POST", "/v1/projects", { as: "alice", body: deep })).status === 500,
  "inflated-body": creates({ body: gzipSync(JSON.stringify(fields)), headers: { "content-encoding": "gzip" } }),

  "limit-unbounded": async ({ call }) =>
    itemsOf(await call("GET", "/v1/projects?limit=100000", { as: "alice" })).length > 100,
  "limit-negative": async ({ call }) =>
    itemsOf(await call("GET", "/v1/projects?limit=-1", { as: "alice" })).length > 100,
  "limit-ignored": async ({ call }) => itemsOf(await call("GET", "/v1/projects?limit=2", { as: "alice" })).length > 2,

  "no-hsts": lacks("strict-transport-security"),
  "short-hsts": async ({ call }) =>
    (await call("GET", "/v1/session")).headers["strict-transport-security"] === "max-age=300",
  "plain-http": async ({ plainly }) => (await plainly("/v1/session")) > 0,
  "old-tls": ({ api }) => connects(api.url, "TLSv1.2"),

  "any-host": async ({ call }) =>
    (await call("GET", "/v1/session", { as: "alice", headers: { host: "evil.example" } })).status === 200,
  "forwarded-host": async ({ call }) => {
    const got = await call("POST", "/v1/projects", {
      as: "alice",
      json: fields,
      headers: { "x-forwarded-host": "evil.example" },
    });
    return (got.headers.location ?? "").includes("evil.example");
  },

  "cors-reflects": reads("https://evil.example"),
  "cors-null": reads("null"),
  "cors-suffix": reads("https://evilapp.projects.example"),
  "cors-prefix": reads(`${appOrigin}.evil.example`),
  "cors-no-vary": async ({ call }) => {
    const got = await call("GET", "/v1/session", { as: "alice", headers: { origin: appOrigin } });
    return got.headers["access-control-allow-origin"] === appOrigin && !/origin/i.test(got.headers.vary ?? "");
  },
  "cors-star": async ({ call }) =>
    (await call("GET", "/v1/session", { as: "alice", headers: { origin: "https://evil.example" } })).headers[
      "access-control-allow-origin"
    ] === "*",
  "cors-methods": async ({ call }) => {
    const headers = { origin: appOrigin, "access-control-request-method": "DELETE" };
    const got = await call("OPTIONS", "/v1/reports/summary", { headers });
    return (got.headers["access-control-allow-methods"] ?? "").includes("DELETE");
  },

  "no-csrf": writesByCookie({ "sec-fetch-site": "cross-site", origin: "https://evil.example" }),
  "csrf-forms-only": writesByCookie({ "sec-fetch-site": "cross-site", origin: "https://evil.example" }),
  "csrf-prefix": writesByCookie({ "sec-fetch-site": "cross-site", origin: "https://localhost.evil.example" }),

  "no-nosniff": lacks("x-content-type-options"),
  "no-csp": lacks("content-security-policy"),
  "no-frame-options": lacks("x-frame-options"),
  cacheable: async ({ call }) =>
    (await call("GET", "/v1/session", { as: "alice" })).headers["cache-control"] !== "no-store",
  "headers-on-success-only": lacks("x-content-type-options"),
  banner: async ({ call }) => {
    const { headers } = await call("GET", "/v1/session", { as: "alice" });
    return /\d\.\d/.test([headers.server, headers["x-powered-by"]].join(" "));
  },

  "two-credentials": async ({ api, call }) =>
    (await call("GET", "/v1/session", { as: "alice", headers: { "x-api-key": api.key } })).status === 200,
  "repeated-query": async ({ call }) =>
    (await call("GET", "/v1/projects?limit=1&limit=2", { as: "alice" })).status === 200,

  "stack-in-answer": async ({ call }) =>
    / at .*\(|\.ts:\d+/.test((await call("POST", "/v1/projects", { as: "alice", body: "{" })).text),
  "driver-text": async ({ call }) =>
    (await call("GET", "/v1/projects/1%27", { as: "alice" })).text.includes("SQLITE_ERROR"),
  "validator-text": async ({ call }) =>
    (await call("POST", "/v1/projects", { as: "alice", json: { name: 1 } })).text.includes("invalid_type"),

  "webhook-unsigned": async ({ deliver }) => (await deliver({ signature: null })).status === 200,
  "webhook-stale": async ({ deliver }) => (await deliver({ seconds: 1_700_000_000 })).status === 200,
  "webhook-replay": async ({ deliver }) => {
    const delivery = { id: `evt-${Math.random()}`, seconds: Math.floor(Date.now() / 1000) };
    return (await deliver(delivery)).status === 200 && (await deliver(delivery)).status === 200;
  },
  "webhook-reserialised": async ({ deliver }) => {
    const id = `evt-${Math.random()}`;
    return (await deliver({ id, sentBody: `{ "id": "${id}",  "type": "charge.paid" }` })).status === 200;
  },
  "webhook-no-secret": async ({ deliver }) => (await deliver({ secret: "" })).status === 200,
  "webhook-short": async ({ deliver }) => (await deliver({ signature: "" })).status === 200,

  "old-version": async ({ call }) => (await call("GET", "/v0/projects", { as: "alice" })).status === 200,
  "undeclared-method": async ({ call, project }) =>
    (await call("PUT", await project("alice"), { as: "alice", json: { name: "put" } })).status === 200,
  "method-override": async ({ call, project }) => {
    const path = await project("alice");
    await call("POST", path, { as: "alice", headers: { "x-http-method-override": "DELETE" } });
    return (await call("GET", path, { as: "alice" })).status === 404;
  },
  trace: async ({ api, call }) =>
    (await call("TRACE", "/v1/projects", { as: "alice" })).text.includes(api.tokens.alice),

  "debug-page": serves("/debug", "JWT_SECRET"),
  "env-file": serves("/.env", "JWT_SECRET"),
  "metrics-open": serves("/metrics", "process_cpu"),
  "source-map": serves("/main.js.map", "sourcesContent"),
  "git-folder": serves("/.git/config", "[core]"),
  "api-document": serves("/openapi.json", "refunds"),

  "ssrf-any": reaches((port) => `http://127.0.0.1:${port}/`),
  "ssrf-spelling": reaches((port) => `http://127.1:${port}/`),

  "idempotency-shared": async ({ call }) => {
    const sent = { json: fields, headers: { "idempotency-key": "one" } };
    const first = await call("POST", "/v1/projects", { as: "alice", ...sent });
    return (await call("POST", "/v1/projects", { as: "bob", ...sent })).text === first.text;
  },
  "idempotency-payload": async ({ call }) => {
    const headers = { "idempotency-key": "two" };
    await call("POST", "/v1/projects", { as: "alice", json: fields, headers });
    return (
      (await call("POST", "/v1/projects", { as: "alice", json: { ...fields, name: "other" }, headers })).status === 201
    );
  },
};

const deep = `{"name":"n","url":"https://n.example/","x":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;

/** A project is created by what should be refused. */
function creates(sent: Sent): Proof {
  return async ({ call }) => (await call("POST", "/v1/projects", { as: "alice", ...sent })).status === 201;
}

function reads(origin: string): Proof {
  return async ({ call }) => {
    const { headers } = await call("GET", "/v1/session", { as: "alice", headers: { origin } });
    return headers["access-control-allow-origin"] === origin;
  };
}

function lacks(name: string): Proof {
  return async ({ call }) => (await call("GET", "/v1/session")).headers[name] === undefined;
}

function serves(path: string, content: string): Proof {
  return async ({ call }) => (await call("GET", path)).text.includes(content);
}

function writesByCookie(headers: Readonly<Record<string, string>>): Proof {
  return async (client) => {
    const cookie = cookieOf(await signIn(client));
    return (
      (await client.call("PATCH", "/v1/me", { headers: { cookie, ...headers }, json: { name: "alice" } })).status ===
      200
    );
  };
}

/** A listener of the attacker's own on this machine, which nobody should ask. */
function reaches(url: (port: number) => string): Proof {
  return async ({ call }) => {
    let isAsked = false;
    const server = createServer((_req, res) => {
      isAsked = true;
      res.end("internal");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await call("POST", "/v1/previews", { as: "alice", json: { url: url(port) } });
    server.close();
    server.closeAllConnections();
    return isAsked;
  };
}

type Attempted = (call: Client["call"], turn: number) => Promise<Got>;

/** The clean limits are 60 a second, and 30 sign-ins in two: what is sent over a few open connections is well above. */

async function isLimited(client: Client, attempt: Attempted, times: number): Promise<boolean> {
  return (await firstLimited(client, attempt, times)) !== undefined;
}

/** The first 429 of so many requests at once. */
async function firstLimited({ call }: Client, attempt: Attempted, times: number): Promise<Got | undefined> {
  const all = await Promise.all(Array.from({ length: times }, (_, turn) => attempt(kept(call), turn)));
  return all.find(({ status }) => status === 429);
}

function kept(call: Client["call"]): Client["call"] {
  return (method, path, sent = {}) => call(method, path, { ...sent, isKept: true });
}

/** A wrong password of one account, which is counted for ten seconds: however slow the machine is, the limit is met. */
function guess(call: Client["call"], headers: Readonly<Record<string, string>>): Promise<Got> {
  return call("POST", "/v1/sign-in", { headers, json: { email: "guessed@example.com", password: "not the password" } });
}

/** The status, or 413 where the connection was closed while the body was being sent. */
async function sentOrCut(got: Promise<Got>): Promise<number> {
  try {
    return (await got).status;
  } catch {
    return 413;
  }
}

function connects(url: string, version: "TLSv1.2"): Promise<boolean> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", rejectUnauthorized: false, maxVersion: version });
    socket.on("secureConnect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Sends chunks until there is an answer or two seconds are over. */
function isAnsweredWhileSending({ url, tokens }: Client["api"]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", rejectUnauthorized: false });
    const chunk = `4000\r\n${" ".repeat(0x4000)}\r\n`;
    const end = (isAnswered: boolean) => {
      clearInterval(timer);
      clearTimeout(late);
      socket.destroy();
      resolve(isAnswered);
    };
    const timer = setInterval(() => socket.write(chunk), 5);
    const late = setTimeout(() => end(false), 2000);
    socket.write(
      `POST /v1/projects HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${tokens.alice}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    socket.on("data", () => end(true));
    socket.on("error", () => end(true));
    socket.on("close", () => end(true));
  });
}
