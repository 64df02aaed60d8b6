import { readFileSync } from "node:fs";
import { SignJWT } from "jose";
import { Client, Pool } from "pg";
import { memorySink } from "portcullis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildNotesApi } from "../examples/row-level-security/api.ts";
import { startPostgres, superuser, type PostgresServer } from "../packages/portcullis/test/postgres/postgres-server.ts";

const project = "https://abcdefghijklmnopqrst.supabase.co";
const legacySecret = "super-secret-jwt-token-with-at-least-32-characters-long";

let server: PostgresServer;
let root: Client;
let pool: Pool;
let api: Awaited<ReturnType<ReturnType<typeof buildNotesApi>["listen"]>>;

beforeAll(async () => {
  server = await startPostgres();
  root = new Client(server.as(superuser));
  await root.connect();
  await root.query(readFileSync("examples/row-level-security/schema.sql", "utf8"));
  pool = new Pool({ ...server.as("api"), max: 4 });
  api = await buildNotesApi(pool, { project, legacySecret }, { audit: { sinks: [memorySink()] } }).listen({
    port: 0,
    handleSignals: false,
  });
});

afterAll(async () => {
  await api.close();
  await pool.end();
  await root.end();
  await server.stop();
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function ask(subject: string, path: string, body?: unknown): Promise<Answer> {
  const token = await new SignJWT({
    iss: `${project}/auth/v1`,
    aud: "authenticated",
    role: "authenticated",
    sub: subject,
  })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(legacySecret));
  const answer = await fetch(`${api.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

async function write(subject: string, text: string): Promise<string> {
  const { status, body } = await ask(subject, "/v1/notes", { text });
  expect([status, body]).toMatchObject([201, { text }]);
  if (typeof body !== "object" || body === null || !("id" in body)) throw new Error("no id");
  return String(body.id);
}

describe("row-level security as the second layer", () => {
  it("gives each caller her own rows, by id, in lists whose query forgot the owner, and with any number at once", async () => {
    const [mine, theirs] = await Promise.all([write("alice", "mine"), write("bob", "theirs")]);
    expect(await ask("alice", `/v1/notes/${mine}`)).toEqual({ status: 200, body: { id: mine, text: "mine" } });
    expect((await ask("alice", `/v1/notes/${theirs}`)).status).toBe(404);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ask(n % 2 === 0 ? "alice" : "bob", "/v1/notes")),
    );
    for (const [n, { status, body }] of answers.entries()) {
      const own = n % 2 === 0 ? { id: mine, text: "mine" } : { id: theirs, text: "theirs" };
      expect({ status, body }).toMatchObject({ status: 200, body: { items: [own] } });
    }
  });

  it("is not the only layer: without its policy an object stays out of reach, and the forgotten owner is refused", async () => {
    const theirs = await write("bob", "still theirs");
    await root.query("alter table note disable row level security");
    try {
      expect((await ask("alice", `/v1/notes/${theirs}`)).status).toBe(404);
      // The rows come, and the answer that would carry them is refused: nothing leaves.
      const { status, body } = await ask("alice", "/v1/notes");
      expect(status).toBe(500);
      expect(JSON.stringify(body)).not.toContain("theirs");
    } finally {
      await root.query("alter table note enable row level security");
    }
  });

  it("does not start a query for the project's own keys: service_role is no caller", async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const role of ["anon", "service_role"]) {
      const key = await new SignJWT({ iss: "supabase", ref: "abcdefghijklmnopqrst", role, iat: now, exp: now + 3600 })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .sign(new TextEncoder().encode(legacySecret));
      const answer = await fetch(`${api.url}/v1/notes`, { headers: { authorization: `Bearer ${key}` } });
      expect(answer.status).toBe(401);
      await answer.text();
    }
  });
});
