import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf, type ProtectionResult, scan } from "@portcullis/scan";
import { checklist, createApi, memorySink } from "portcullis";
import { developmentCertificate } from "portcullis/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Protected, startProtected } from "../examples/projects/server.ts";
import { hasHole } from "../scripts/docs.ts";
import type { Hole } from "./hole.ts";
import { hole as apiKeys } from "./holes/api-keys.ts";
import { hole as authentication } from "./holes/authentication.ts";
import { hole as bodySize } from "./holes/body-size.ts";
import { hole as canonicalRequest } from "./holes/canonical-request.ts";
import { hole as cors } from "./holes/cors.ts";
import { hole as csrf } from "./holes/csrf.ts";
import { hole as errors } from "./holes/errors.ts";
import { hole as exposure } from "./holes/exposure.ts";
import { hole as functionAccess } from "./holes/function-access.ts";
import { hole as host } from "./holes/host.ts";
import { hole as injection } from "./holes/injection.ts";
import { hole as input } from "./holes/input.ts";
import { hole as jwt } from "./holes/jwt.ts";
import { hole as massAssignment } from "./holes/mass-assignment.ts";
import { hole as objectAccess } from "./holes/object-access.ts";
import { hole as output } from "./holes/output.ts";
import { hole as pagination } from "./holes/pagination.ts";
import { hole as rateLimit } from "./holes/rate-limit.ts";
import { hole as securityHeaders } from "./holes/security-headers.ts";
import { hole as sessions } from "./holes/sessions.ts";
import { hole as transport } from "./holes/transport.ts";
import { hole as versioning } from "./holes/versioning.ts";
import { hole as webhookReceive } from "./holes/webhook-receive.ts";

const holes: readonly Hole[] = [
  authentication,
  jwt,
  apiKeys,
  sessions,
  functionAccess,
  objectAccess,
  input,
  massAssignment,
  output,
  injection,
  rateLimit,
  bodySize,
  pagination,
  transport,
  host,
  cors,
  csrf,
  securityHeaders,
  canonicalRequest,
  errors,
  webhookReceive,
  versioning,
  exposure,
];

/** A scan keeps below the API's limits, and waits for them where it has to use them up. */
const patiently = { timeout: 120_000 };

const folder = mkdtempSync(join(tmpdir(), "gate-and-probe-"));
const certificate = developmentCertificate({ folder: join(folder, "certificate") });
afterAll(() => rmSync(folder, { recursive: true }));

it("every row whose probe is built, whose gate is not planned and that is no server of its own has a hole, and every hole has such a row", () => {
  const rows = checklist.filter(hasHole).map((row) => row.id);
  expect(holes.map((hole) => hole.id)).toEqual(rows);
  const files = readdirSync(join(import.meta.dirname, "holes"));
  expect(files.sort()).toEqual(rows.map((id) => `${id}.ts`).sort());
});

describe.each(holes)("$id", (hole) => {
  let wrong: Protected;
  let right: Protected;

  beforeAll(async () => {
    wrong = await start(hole, hole.create);
    right = await start(hole, createApi);
  });
  afterAll(() => Promise.all([wrong.close(), right.close()]));

  // Before the scans, which use limits up.
  it("lets an honest visit pass, with the hole and without it", async () => {
    await visit(wrong);
    await visit(right);
  });

  // Side by side, each against an API of its own: both wait for limits.
  it.concurrent(`is found broken where ${hole.wrong}`, patiently, async () => {
    const { verdict, why } = await probe(hole, wrong);
    expect(verdict, why).toBe("broken");
  });

  it.concurrent("is found held where that is put right", patiently, async () => {
    const { verdict, why } = await probe(hole, right);
    expect(verdict, why).toBe("held");
  });
});

/** The reference API on loopback, as the row needs it. */
function start({ setting = {} }: Hole, create: Hole["create"]): Promise<Protected> {
  const { configure = (config) => config, adapt = (api) => api, tls = false } = setting;
  return startProtected({
    create: (config) => adapt(create(configure(config))),
    audit: { sinks: [memorySink()] },
    ...(tls && { tls: { cert: certificate.cert, key: certificate.key } }),
  });
}

/** What the prover finds when it is asked about one protection. */
async function probe({ id, setting = {} }: Hole, api: Protected): Promise<ProtectionResult> {
  const { tokens, keys, accounts } = api;
  const { protections } = await scan({
    url: api.url,
    manifest: api.manifest,
    only: [id],
    identities: [
      identityOf("alice", `Bearer ${tokens.alice}`),
      identityOf("bob", `Bearer ${tokens.bob}`),
      identityOf("carol", `Bearer ${tokens.carol}`),
      identityOf("admin", `Bearer ${tokens.admin}`, ["admin"]),
      identityOf("alice-key", `Bearer ${keys.alice}`),
    ],
    accounts: [{ user: accounts.alice.email, password: accounts.alice.password }],
    jwtKey: api.jwtSecret,
    webhooks: setting.webhooks ?? [],
    ca: certificate.ca,
    seed: 1,
  });
  const result = protections.find(({ protection }) => protection === id);
  if (result === undefined) throw new Error(`the scan says nothing of ${id}`);
  return result;
}

/** What clients do all day: sign in, make something, find it, change it with token, key and cookie, and tidy up. */
async function visit(api: Protected): Promise<void> {
  const { accounts, keys, tokens } = api;
  const token = { authorization: `Bearer ${tokens.alice}` };
  const key = { authorization: `Bearer ${keys.alice}` };
  const ownPage = { "sec-fetch-site": "same-origin" };

  const { email, password } = accounts.alice;
  const session = await call(api, "POST", "/v1/session", ownPage, { email, password });
  expect(session.status).toBe(201);
  const cookie = { ...ownPage, cookie: session.cookie };

  const name = "An honest project";
  const project = { name, url: "https://honest.example", backendType: "none" };
  const made = await call(api, "POST", "/v1/projects", token, project);
  expect(made).toMatchObject({ status: 201, json: project });
  const path = made.location;

  expect(await call(api, "GET", path, key)).toMatchObject({ status: 200, json: project });
  expect(await call(api, "GET", "/v1/search?q=honest&limit=1", token)).toMatchObject({
    status: 200,
    json: { items: [project] },
  });
  expect(await call(api, "PATCH", path, cookie, { name: "Renamed" })).toMatchObject({
    status: 200,
    json: { ...project, name: "Renamed" },
  });
  expect(await call(api, "DELETE", path, cookie)).toMatchObject({ status: 204 });
  expect(await call(api, "GET", path, token)).toMatchObject({ status: 404 });
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
  /** As it is sent back: name and value of the first cookie that was set. */
  readonly cookie: string;
  readonly location: string;
}

function call(
  api: Protected,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: unknown,
): Promise<Answer> {
  const content = body === undefined ? "" : JSON.stringify(body);
  const described = body === undefined ? {} : { "content-type": "application/json" };
  const send = api.url.startsWith("https:") ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const sent = send(`${api.url}${path}`, { method, ca: certificate.ca, headers: { ...headers, ...described } });
    sent.on("error", reject);
    sent.on("response", (received) => {
      const chunks: Buffer[] = [];
      received.on("data", (chunk: Buffer) => chunks.push(chunk));
      received.on("error", reject);
      received.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: received.statusCode ?? 0,
          json: text === "" ? undefined : JSON.parse(text),
          cookie: received.headers["set-cookie"]?.[0]?.split(";")[0] ?? "",
          location: received.headers.location ?? "",
        });
      });
    });
    sent.end(content);
  });
}
