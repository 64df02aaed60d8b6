import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { dirname, join } from "node:path";
import { identityOf, scan, type ScanResult } from "@portcullis/scan";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
// A copy of the example, as deep in the checkout as the example itself, so that packages are found.
const folder = join(root, `.portcullis/next-${process.pid}`);
// npm links a command only where it is built before the installation.
const bin = join(folder, ".portcullis/bin");
const password = "harbour lights at nine";
const children: ChildProcess[] = [];
let built = "";
let next: Running;
let front: Running;
let ca: string;

beforeAll(async () => {
  const example = join(root, "examples/next-projects");
  mkdirSync(dirname(folder), { recursive: true });
  cpSync(example, folder, { recursive: true, filter: (path) => !/[\\/](\.next|\.data|\.portcullis)$/.test(path) });
  // What Next.js bundles is the library as it is published.
  await run(join(root, "node_modules/.bin/tsc"), ["-b", "packages/portcullis"], root);
  const command = `exec node --conditions=source ${join(root, "packages/cli/src/portcullis.ts")} "$@"`;
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "portcullis"), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  built = await run("sh", ["-c", `${scripts().build} && portcullis check --manifest portcullis.manifest.json`], folder);
  next = await start(
    join(root, "node_modules/next/dist/bin/next"),
    ["start", "-H", "127.0.0.1", "-p", "0"],
    {},
    /Local: +http:\/\/127\.0\.0\.1:(\d+)[\s\S]*Ready/,
  );
  front = await start("front.ts", [], { PORT: String(next.port), FRONT_PORT: "0" }, /https:\/\/localhost:(\d+)/);
  ca = readFileSync(join(folder, ".portcullis/tls/ca.pem"), "utf8");
}, 240_000);

afterAll(() => {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
});

test("one line checks and builds it", () => {
  expect(scripts().build).toBe("portcullis check && next build");
  expect(built).toContain("1 route file (1 of ours): nothing found.");
  expect(built).toContain("ƒ /api/[[...path]]");
});

describe("the API behind next start", () => {
  test("a person signs in, works on what is hers, and signs out for good", async () => {
    const alice = await signIn("alice");
    expect(await call("GET", "/api/session", { cookie: alice })).toMatchObject({
      status: 200,
      json: { name: "Alice Archer" },
    });
    const made = await call("POST", "/api/projects", { cookie: alice, json: { name: "Quay wall", stage: "planned" } });
    expect(made).toMatchObject({ status: 201, json: { name: "Quay wall" } });
    expect(made.text).toMatch(/^\{"id":"[^"]+","name":"Quay wall","stage":"planned","createdAt":"[^"]+"\}$/);
    const path = made.headers["location"]?.[0] ?? "";
    expect(await call("PATCH", path, { cookie: alice, json: { stage: "done" } })).toMatchObject({
      json: { stage: "done" },
    });

    const bob = await signIn("bob");
    expect(await call("GET", path, { cookie: bob })).toMatchObject({ status: 404, json: { code: "object-not-found" } });
    expect(await call("DELETE", path, { cookie: bob })).toMatchObject({ status: 404 });
    expect(await call("GET", "/api/people", { cookie: bob })).toMatchObject({ status: 403 });
    expect(await call("GET", "/api/people", { cookie: await signIn("ada") })).toMatchObject({ status: 200 });

    expect(await call("DELETE", path, { cookie: alice })).toMatchObject({ status: 204 });
    expect(await call("DELETE", "/api/session", { cookie: alice })).toMatchObject({ status: 204 });
    expect(await call("GET", "/api/session", { cookie: alice })).toMatchObject({ status: 401 });
  });

  test("no other site writes with her cookie, and no other host is served", async () => {
    const cookie = await signIn("alice");
    const json = { name: "x", stage: "planned" };
    const foreign = { cookie, json, headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" } };
    expect(await call("POST", "/api/projects", foreign)).toMatchObject({ status: 403, json: { code: "cross-site" } });
    expect(await call("GET", "/api/session", { headers: { host: "evil.example" } })).toMatchObject({ status: 421 });
  });

  test("every header of an answer is there once, as the API says it, also where Next.js answers in its place", async () => {
    const profile = {
      "x-content-type-options": ["nosniff"],
      "x-frame-options": ["DENY"],
      "content-security-policy": ["default-src 'none'; frame-ancestors 'none'"],
      "referrer-policy": ["no-referrer"],
      "cross-origin-resource-policy": ["same-origin"],
    };
    const ours = await call("GET", "/api/nowhere");
    expect(ours).toMatchObject({ status: 404, json: { code: "route-not-found" }, headers: profile });
    expect(ours.headers).toMatchObject({ "cache-control": ["no-store"], "x-request-id": [expect.any(String)] });
    // Next.js knows no such method and asks nobody.
    const itsOwn = await call("PROPFIND", "/api/projects");
    expect(itsOwn).toMatchObject({ status: 400, text: "", headers: profile });
    for (const { headers } of [ours, itsOwn, await call("GET", "/"), await call("GET", "/nowhere")]) {
      expect(headers).not.toHaveProperty("x-powered-by");
      // The host is a loopback name.
      expect(headers).not.toHaveProperty("strict-transport-security");
    }
  });

  test("pages have a policy of their own, and every method of the API its answer", async () => {
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/nowhere"],
      ["POST", "/"],
    ] as const) {
      const { headers } = await call(method, path);
      expect(headers["content-security-policy"]?.[0], path).toMatch(/^default-src 'self'; .*frame-ancestors 'none'$/);
      expect(headers["x-content-type-options"], path).toEqual(["nosniff"]);
    }
    expect(await call("OPTIONS", "/api/projects")).toMatchObject({
      status: 204,
      headers: { allow: ["GET, HEAD, OPTIONS, POST"] },
    });
    expect(await call("PUT", "/api/projects")).toMatchObject({ status: 405, json: { code: "method-not-allowed" } });
    expect(await call("HEAD", "/api/projects")).toMatchObject({ status: 401, text: "" });
  });
});

describe("what Next.js keeps from the API", () => {
  test("it resolves a target before anybody is asked, and answers a broken one itself", async () => {
    const cookie = await signIn("alice");
    expect(await call("GET", "/api/x/../session", { cookie })).toMatchObject({ status: 200 });
    expect(await call("GET", "/api//session", { cookie })).toMatchObject({
      status: 308,
      headers: { location: ["/api/session"] },
    });
    expect(await call("GET", "/api/session/", { cookie })).toMatchObject({
      status: 308,
      headers: { location: ["/api/session"] },
    });
    // Without a header of anybody's: the error comes before next.config's headers.
    expect(await call("GET", "/api/%zz", { cookie })).toMatchObject({ status: 500, text: "Internal Server Error" });
  });

  test("whoever reaches it past the proxy may say any address, which is why the option is called dangerous", async () => {
    const past = (headers: Record<string, string>) => call("GET", "/api/session", { at: next, headers });
    expect(await past({ host: "localhost" })).toMatchObject({ status: 421, json: { code: "plain-http" } });
    const forged = { host: "localhost", "x-forwarded-for": "198.51.100.9", "x-forwarded-proto": "https" };
    expect(await past(forged)).toMatchObject({ status: 401 });
    await expect.poll(() => next.said()).toContain('"address":"198.51.100.9"');
  });
});

test("the prover finds nothing broken", { timeout: 120_000 }, async () => {
  const identities = [
    { name: "alice", cookie: await signIn("alice"), roles: [] },
    { name: "bob", cookie: await signIn("bob"), roles: [] },
    { name: "admin", cookie: await signIn("ada"), roles: ["admin"] },
  ].map(({ name, cookie, roles }) => identityOf(name, `cookie:${cookie}`, roles));
  const result = await scan({
    url: `https://localhost:${front.port}`,
    manifest: join(folder, "portcullis.manifest.json"),
    ca,
    identities,
    accounts: [{ user: "alice@projects.example", password }],
    patienceMs: 60_000,
  });
  expect(verdicts(result, "broken")).toEqual([]);
  expect(verdicts(result, "inconclusive")).toEqual([]);
  expect(verdicts(result, "held")).toEqual(
    expect.arrayContaining([
      "authentication",
      "function-access",
      "object-access",
      "input",
      "sessions",
      "csrf",
      "rate-limit",
    ]),
  );
});

test("the last records are written before the process ends", async () => {
  await call("GET", "/api/session", { headers: { "user-agent": "the last one" } });
  const ended = new Promise((resolve) => next.child.once("exit", resolve));
  next.child.kill("SIGTERM");
  await ended;
  expect(next.said()).toContain('"userAgent":"the last one"');
  expect(next.said()).toContain('"type":"stopped"');
});

function verdicts({ protections }: ScanResult, verdict: string): readonly string[] {
  return protections.filter((one) => one.verdict === verdict).map(({ protection }) => protection);
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  /** Everything it has written so far. */
  said(): string;
}

function scripts(): { readonly build: string } {
  const { scripts }: { scripts: { build: string } } = JSON.parse(
    readFileSync(join(root, "examples/next-projects/package.json"), "utf8"),
  );
  return scripts;
}

const environment = {
  ...process.env,
  NODE_ENV: undefined,
  NEXT_TELEMETRY_DISABLED: "1",
  PATH: `${bin}:${join(root, "node_modules/.bin")}:${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
};

/** Runs a program to its end and returns what it said. */
function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(program, args, { cwd, env: environment });
  const said = listen(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve(said()) : reject(new Error(`${program} ${args.join(" ")}\n${said()}`)),
    );
  });
}

/** Starts a module in the copy, until the tests end, and waits for the port it says. */
function start(file: string, args: readonly string[], env: Record<string, string>, ready: RegExp): Promise<Running> {
  const child = spawn(process.execPath, [file, ...args], { cwd: folder, env: { ...environment, ...env } });
  children.push(child);
  const said = listen(child);
  return new Promise((resolve, reject) => {
    child.stdout.on("data", () => {
      const port = ready.exec(said())?.[1];
      if (port !== undefined) resolve({ child, port: Number(port), said });
    });
    child.once("exit", () => reject(new Error(said())));
  });
}

function listen(child: ChildProcess): () => string {
  let said = "";
  const hear = (chunk: Buffer) => {
    said += chunk.toString();
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  return () => said;
}

interface Sent {
  /** Default: the proxy in front. */
  readonly at?: Running;
  readonly cookie?: string;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

interface Answered {
  readonly status: number;
  /** Each with every value that was sent, as it stood on the wire. */
  readonly headers: Record<string, string[]>;
  readonly text: string;
  readonly json: unknown;
}

/** One call over a real connection, as a browser on our own page makes it; node:http, because fetch resolves targets. */
function call(method: string, path: string, { at = front, cookie, headers, json }: Sent = {}): Promise<Answered> {
  const send = at === front ? httpsRequest : httpRequest;
  const body = json === undefined ? undefined : JSON.stringify(json);
  const fields = {
    host: `localhost:${at.port}`,
    ...(cookie === undefined ? {} : { cookie, "sec-fetch-site": "same-origin" }),
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const sent = send(
      { host: "127.0.0.1", servername: "localhost", port: at.port, method, path, ca, agent: false, headers: fields },
      (received) => {
        let text = "";
        received.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        received.on("end", () => {
          const isJson = /json/.test(received.headers["content-type"] ?? "") && text !== "";
          const parsed: unknown = isJson ? JSON.parse(text) : undefined;
          const all: Record<string, string[]> = {};
          for (const [name, values] of Object.entries(received.headersDistinct)) all[name] = values ?? [];
          resolve({ status: received.statusCode ?? 0, headers: all, text, json: parsed });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The cookie of a new session, as a browser sends it back. */
async function signIn(name: string): Promise<string> {
  const answer = await call("POST", "/api/session", { json: { email: `${name}@projects.example`, password } });
  const [cookie = ""] = answer.headers["set-cookie"] ?? [];
  expect(cookie).toMatch(/^__Host-session=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
  return cookie.split(";")[0] ?? "";
}
