import type { Api, ApiConfig, CallRecord, SecurityEvent } from "portcullis";
import { by, createApi, jwt, memorySink, nothing, publicAccess, anyCaller, secret, view } from "portcullis";
import { SignJWT } from "jose";
import { z } from "zod";

/** The secret of the tests' tokens. */
export const jwtSecret = "tests-only: 48 characters of nothing in particular";

/** A note as the tests' API stores it. */
export interface Note {
  readonly id: string;
  readonly ownerId: string;
  readonly text: string;
  readonly hidden: string;
}

/** Ids of the notes that exist: the first is alice's, the second bob's. */
export const noteIds = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"] as const;

/** A small API with one of everything, and what it recorded. */
export interface TestApi {
  readonly api: Api;
  readonly entries: (CallRecord | SecurityEvent)[];
  readonly errors: unknown[];
  events(): readonly SecurityEvent[];
}

/** Makes the API; `change` overrides its configuration, `more` adds routes before it starts. */
export function testApi(change: Partial<ApiConfig> = {}, create: (config: ApiConfig) => Api = createApi): TestApi {
  const sink = memorySink(100_000);
  const errors: unknown[] = [];
  const api = create({
    name: "notes",
    hosts: ["localhost", "127.0.0.1"],
    credentials: [jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(jwtSecret) })],
    limits: {
      global: "100000/s",
      address: "100000/s",
      wideAddress: "100000/s",
      caller: "100000/s",
      failures: "100000/s",
    },
    audit: { sinks: [sink], onError: (error) => errors.push(error) },
    ...change,
  });
  const notes = new Map<string, Note>(
    noteIds.map((id, index) => [
      id,
      { id, ownerId: index === 0 ? "alice" : "bob", text: `note ${index}`, hidden: "never" },
    ]),
  );
  const note = api.resource("note", {
    load: (id) => notes.get(id),
    owner: (one) => one.ownerId,
    serverSet: ["ownerId", "id"],
  });
  const NoteView = z.strictObject({ id: z.uuid(), text: z.string().max(200) });
  const params = z.strictObject({ id: z.uuid() });
  api.route(
    {
      path: "GET /v1/open",
      access: publicAccess("for the tests"),
      output: z.strictObject({ ok: z.boolean() }),
      limit: "100000/s",
    },
    () => ({ ok: true }),
  );
  api.route(
    {
      path: "GET /v1/notes/:id",
      access: anyCaller,
      input: { params },
      objects: { note: by("id", note) },
      output: view(NoteView, note),
      limit: "100000/s",
    },
    (given) => given.note,
  );
  api.route(
    {
      path: "POST /v1/notes",
      access: anyCaller,
      input: { body: z.strictObject({ text: z.string().max(200) }) },
      output: { 201: view(NoteView, note) },
      limit: "100000/s",
    },
    ({ body, caller }) => ({ id: noteIds[0], ownerId: caller.subject, text: body.text, hidden: "never" }),
  );
  api.route(
    {
      path: "DELETE /v1/notes/:id",
      access: anyCaller,
      input: { params },
      objects: { note: by("id", note) },
      output: nothing,
      limit: "100000/s",
    },
    () => undefined,
  );
  return {
    api,
    entries: sink.entries,
    errors,
    events: () => sink.entries.filter((entry): entry is SecurityEvent => entry.kind === "event"),
  };
}

/** A token as the issuer would make it, changed where the test says so. */
export function token(subject: string, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: "https://id.example",
    aud: "https://api.example",
    sub: subject,
    iat: now,
    exp: now + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .sign(new TextEncoder().encode(jwtSecret));
}
