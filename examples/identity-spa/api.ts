import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mailToFile, openIdentity } from "@portcullis/server/identity";
import { openStorage } from "@portcullis/server/storage";
import { type Api, createApi, list, pages, view } from "portcullis";
import { z } from "zod";

/** The API with its accounts, ready to listen. */
export interface Notes {
  readonly api: Api;
  close(): Promise<void>;
}

/** A note of somebody's. */
interface Note {
  readonly id: string;
  readonly ownerId: string;
  readonly text: string;
}

/**
 * Opens accounts, sign-in and an API for notes.
 *
 * @param origin  where this API is
 * @param app  where the page is: another origin on the same site
 * @param folder  everything that is kept, this process's alone
 */
export async function openNotes(origin: string, app: string, folder: string): Promise<Notes> {
  const storage = await openStorage({ folder: join(folder, "store") });
  const identity = await openIdentity({
    issuer: origin,
    serviceName: "Notes",
    storage,
    secret: process.env["SECRET"] ?? secretIn(folder),
    clients: [],
    resources: { [`${origin}/notes`]: ["notes:read", "notes:write"] },
    browserSessions: { app, returnTo: ["/"] },
    sendMail: mailToFile(join(folder, "mail.ndjson")),
  });
  const sessions = identity.sessions();
  const api = createApi({
    name: "notes",
    hosts: [new URL(origin).host],
    // The page reads answers and writes from there, and nobody else's does.
    origins: [app],
    credentials: [sessions.credential],
    version: { none: "deployed with what calls it" },
  });
  identity.mount(api);
  mountNotes(api);
  return {
    api,
    async close() {
      await identity.close();
      await storage.close();
    },
  };
}

function mountNotes(api: Api): void {
  const notes = new Map<string, Note>();
  const note = api.resource("note", {
    load: (id) => notes.get(id),
    owner: ({ ownerId }: Note) => ownerId,
    serverSet: ["id", "ownerId"],
  });
  const NoteView = z.object({ id: z.uuid(), text: z.string().max(200) });

  api.route(
    {
      path: "GET /notes",
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
      path: "POST /notes",
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
}

/** Made at the first start and kept: sessions and signing keys open with it. In production it is given as SECRET. */
function secretIn(folder: string): string {
  const path = join(folder, "secret");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, randomBytes(48).toString("base64url"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8");
}
