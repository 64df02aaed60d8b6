/** Accounts, sign-in and the API, in a process of their own beside Next.js. `npm run api`. */
import { randomUUID } from "node:crypto";
import { mailToFile, openIdentity } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { createApi, list, pages, view } from "portcullis";
import { z } from "zod";

const origin = process.env["ORIGIN"] ?? "https://localhost:3443";
const port = Number(process.env["API_PORT"] ?? 8787);
const folder = process.env["DATA"] ?? ".data";
const secret = process.env["SECRET"];
if (secret === undefined) throw new Error("SECRET is not set: openssl rand -base64 48, and keep it");

// One process and a folder, or PostgreSQL and as many processes as it takes: nothing else changes.
const database = process.env["DATABASE_URL"];
const storage = await openStorage(
  database === undefined ? { folder: `${folder}/store` } : { postgres: { connectionString: database } },
);
const identity = await openIdentity({
  issuer: origin,
  serviceName: "Notes",
  storage,
  secret,
  clients: [],
  resources: { [`${origin}/api`]: ["notes:read", "notes:write"] },
  browserSessions: { returnTo: ["/", "/notes"] },
  sendMail: mailToFile(`${folder}/mail.ndjson`),
});

const api = createApi({
  name: "notes",
  hosts: [new URL(origin).host],
  credentials: [identity.sessions().credential],
  proxies: { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" },
  version: { none: "the pages and their API are deployed as one" },
});
identity.mount(api);

interface Note {
  readonly id: string;
  readonly ownerId: string;
  readonly text: string;
}

const notes = new Map<string, Note>();
const note = api.resource("note", {
  load: (id) => notes.get(id),
  owner: ({ ownerId }: Note) => ownerId,
  serverSet: ["id", "ownerId"],
});
const NoteView = z.object({ id: z.uuid(), text: z.string().max(200) });

api.route(
  {
    path: "GET /api/notes",
    access: { scopes: ["notes:read"] },
    output: list(NoteView, note),
    page: pages({ size: 50 }),
  },
  ({ caller, page }) => {
    const own = [...notes.values()].filter(({ ownerId }) => ownerId === caller.subject);
    return { items: own.slice(page.offset, page.offset + page.limit), total: own.length };
  },
);

api.route(
  {
    path: "POST /api/notes",
    access: { scopes: ["notes:write"] },
    input: { body: z.strictObject({ text: z.string().min(1).max(200) }) },
    output: view(NoteView, note),
    limit: "60/min",
  },
  ({ body, caller }) => {
    const made: Note = { id: randomUUID(), ownerId: caller.subject, text: body.text };
    notes.set(made.id, made);
    return made;
  },
);

const listening = await api.listen({ port, handleSignals: false });
console.log(`the API listens on 127.0.0.1:${port} for ${origin}; mail goes to ${folder}/mail.ndjson`);

async function stop(): Promise<void> {
  await listening.close();
  await identity.close();
  await storage.close();
}
process.once("SIGTERM", () => void stop()).once("SIGINT", () => void stop());
