import type { Pool } from "pg";
import { anyCaller, type Api, type ApiConfig, by, createApi, cursorPages, list, view } from "portcullis";
import { supabase, type SupabaseOptions } from "portcullis/issuers";
import { asCaller } from "portcullis/postgres";
import { z } from "zod";

const Note = z.strictObject({ id: z.uuid(), owner_id: z.string().max(200), text: z.string().max(2_000) });
const NoteView = z.strictObject({ id: z.uuid(), text: z.string().max(2_000) });
const after = z.uuid().default("00000000-0000-0000-0000-000000000000");
const params = z.strictObject({ id: z.uuid() });

/** Notes in PostgreSQL. Every query runs as its caller; `schema.sql` says which rows those are. */
export function buildNotesApi(pool: Pool, users: SupabaseOptions, more: Pick<ApiConfig, "audit"> = {}): Api {
  const api = createApi({
    name: "notes",
    hosts: ["localhost", "127.0.0.1"],
    credentials: [supabase(users)],
    ...more,
  });

  const note = api.resource("note", {
    load: (id, caller) =>
      asCaller(pool, caller, async (rows) => {
        const { rows: found } = await rows.query("select * from note where id = $1", [id]);
        return found[0] === undefined ? undefined : Note.parse(found[0]);
      }),
    // The first layer: it holds without the database, and says 404 where the database merely finds nothing.
    owner: (one) => one.owner_id,
    serverSet: ["id", "owner_id"],
  });

  api.route(
    {
      path: "GET /v1/notes/:id",
      access: anyCaller,
      input: { params },
      objects: { note: by("id", note) },
      output: view(NoteView, note),
      limit: "60/min",
    },
    (given) => given.note,
  );

  api.route(
    { path: "GET /v1/notes", access: anyCaller, output: list(NoteView, note), page: cursorPages(), limit: "60/min" },
    ({ caller, page }) =>
      // No owner in this query: forgotten on purpose. The policy gives the caller's rows and no others.
      asCaller(pool, caller, async (rows) => {
        const { rows: found } = await rows.query("select * from note where id > $1 order by id limit $2", [
          after.parse(page.after),
          page.limit + 1,
        ]);
        const items = z.array(Note).parse(found.slice(0, page.limit));
        return found.length > page.limit ? { items, next: items.at(-1)?.id } : { items };
      }),
  );

  api.route(
    {
      path: "POST /v1/notes",
      access: anyCaller,
      input: { body: z.strictObject({ text: z.string().min(1).max(2_000) }) },
      output: { 201: view(NoteView, note) },
      limit: "10/min",
    },
    ({ body, caller }) =>
      asCaller(pool, caller, async (rows) => {
        const { rows: made } = await rows.query(
          "insert into note (id, owner_id, text) values (gen_random_uuid(), $1, $2) returning *",
          [caller.subject, body.text],
        );
        return Note.parse(made[0]);
      }),
  );
  return api;
}
