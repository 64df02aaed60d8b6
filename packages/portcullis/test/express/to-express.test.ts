import { describe, expect, it } from "vitest";
import { toExpress } from "portcullis/express";
import { noteIds, testApi } from "../front-door.ts";
import { serve, versions } from "./express-door.ts";

describe.each(versions)("$version: app.use(toExpress(api))", ({ make }) => {
  it("answers a request through every gate, and leaves nothing of Express on the answer", async () => {
    const app = make();
    app.use(toExpress(testApi().api));
    const door = await serve(app);
    const open = await door.ask("GET /v1/open");
    expect([open.status, open.json]).toEqual([200, { ok: true }]);
    expect(open.headers.get("x-content-type-options")).toBe("nosniff");
    expect(open.headers.has("x-powered-by")).toBe(false);
    expect(open.headers.has("etag")).toBe(false);
    expect((await door.ask(`GET /v1/notes/${noteIds[0]}`)).status).toBe(401);
    const mine = await door.ask(`GET /v1/notes/${noteIds[0]}`, { as: "alice" });
    expect(mine.json).toEqual({ id: noteIds[0], text: "note 0" });
    const made = await door.ask("POST /v1/notes", { as: "alice", json: { text: "hello" } });
    expect([made.status, made.json]).toEqual([201, { id: noteIds[0], text: "hello" }]);
  });
});
