import { anyCaller, cursorPages, list, pages } from "portcullis";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createCursors } from "../../src/lib/cursor.ts";
import type { Reply } from "../front-door.ts";
import { jwtSecret, openDoor, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const rows = Array.from({ length: 250 }, (_, index) => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
  ownerId: "alice",
}));

const Page = z.object({ items: z.array(z.object({ id: z.string() })), next: z.string().nullable() });

function pagedApi(cursorSecret?: string) {
  const test = testApi(cursorSecret === undefined ? {} : { cursors: { secret: cursorSecret } });
  const row = test.api.resource("row", {
    load: (): (typeof rows)[number] | undefined => undefined,
    owner: (one) => one.ownerId,
  });
  const View = z.strictObject({ id: z.uuid() });
  const common = { access: anyCaller, output: list(View, row), limit: "10000/s" } as const;
  test.api.route(
    {
      ...common,
      path: "GET /v1/rows",
      page: cursorPages(),
      input: { query: z.strictObject({ sort: z.enum(["asc", "desc"]).optional() }) },
    },
    ({ page }) => {
      const start = typeof page.after === "number" ? page.after : 0;
      const items = rows.slice(start, start + page.limit);
      return { items, next: start + items.length < rows.length ? start + items.length : null };
    },
  );
  test.api.route({ ...common, path: "GET /v1/numbered", page: pages({ maxPage: 50 }) }, ({ page }) => ({
    items: rows.slice(page.offset, page.offset + page.limit),
    total: rows.length,
  }));
  test.api.route({ ...common, path: "GET /v1/everything", page: cursorPages() }, () => ({ items: rows }));
  test.api.route({ ...common, path: "GET /v1/few", page: cursorPages({ size: 2, max: 3 }) }, ({ page }) => ({
    items: rows.slice(0, page.limit),
  }));
  routeUntyped(test.api, { ...common, path: "GET /v1/no-total", page: pages() }, () => ({ items: [] }));
  routeUntyped(test.api, { ...common, path: "GET /v1/no-items", page: cursorPages() }, () => rows.slice(0, 5));
  return test;
}

describe("pagination", () => {
  const door = sharedDoor(() => pagedApi());
  const get = (path: string, as = "alice"): Promise<Reply> => door.ask(`GET ${path}`, { as });

  it("gives 20, at most 100, and refuses to be asked for more", async () => {
    const count = async (query: string): Promise<number | string> => {
      const reply = await get(`/v1/rows${query}`);
      return reply.status === 200 ? Page.parse(reply.json).items.length : reply.status;
    };
    expect(await count("")).toBe(20);
    expect(await count("?limit=1")).toBe(1);
    expect(await count("?limit=100")).toBe(100);
    for (const bad of ["101", "0", "-1", "1.5", "01", "1e2", "0x10", "NaN", "Infinity", "all", "", "%20", "%2B5"]) {
      expect(await count(`?limit=${bad}`), bad).toBe(400);
    }
    expect(await count("?limit=9999999999999999999")).toBe(400);
    expect(await count("?limit=100&limit=100")).toBe(400);
    expect(await count("?limit[]=5")).toBe(400);
  });

  it("says where the question was wrong, and nothing of the bounds' making", async () => {
    expect((await get("/v1/rows?limit=101")).json).toMatchObject({
      code: "invalid-input",
      errors: [{ pointer: "/query/limit", reason: "range" }],
    });
  });

  it("knows no other names for more", async () => {
    for (const name of ["per_page", "pageSize", "count", "offset", "page", "all", "$top", "size"]) {
      const reply = await get(`/v1/rows?${name}=1000`);
      expect([reply.status, reply.said.includes("items")], name).toEqual([400, false]);
    }
    // The route's own query stands beside the page.
    expect((await get("/v1/rows?sort=asc&limit=3")).status).toBe(200);
  });

  it("holds a route to the bounds of its own", async () => {
    expect(Page.parse((await get("/v1/few")).json).items).toHaveLength(2);
    expect(Page.parse((await get("/v1/few?limit=3")).json).items).toHaveLength(3);
    expect((await get("/v1/few?limit=4")).status).toBe(400);
  });

  it("walks every page by sealed cursors, which open for their own caller and route only", async () => {
    const seen: string[] = [];
    let cursor: string | null = "";
    let first = "";
    while (cursor !== null) {
      const body: z.infer<typeof Page> = Page.parse(
        (await get(`/v1/rows?limit=100${cursor === "" ? "" : `&cursor=${cursor}`}`)).json,
      );
      seen.push(...body.items.map((item) => item.id));
      cursor = body.next;
      first ||= body.next ?? "";
    }
    expect(seen).toEqual(rows.map((row) => row.id));
    expect((await get(`/v1/rows?cursor=${first}`, "bob")).status).toBe(400);
    expect((await get(`/v1/everything?cursor=${first}`)).status).toBe(400);
    expect((await get(`/v1/rows?cursor=${first}A`)).status).toBe(400);
    expect((await get(`/v1/rows?cursor=${first.slice(0, -1)}`)).status).toBe(400);
    expect((await get("/v1/rows?cursor=MTAw")).json).toMatchObject({ code: "bad-cursor" });
    expect((await get("/v1/rows?cursor=")).status).toBe(400);
    expect((await get("/v1/rows?cursor=100")).status).toBe(400);
  });

  it("hides the position inside a cursor", async () => {
    const { next } = Page.parse((await get("/v1/rows?limit=42")).json);
    expect(next).toMatch(/^[\w-]{20,}$/);
    expect(Buffer.from(next ?? "", "base64url").toString("latin1")).not.toContain("42");
  });

  it("counts pages with a bounded depth", async () => {
    expect((await get("/v1/numbered?page=13")).json).toMatchObject({
      page: 13,
      limit: 20,
      total: 250,
      pages: 13,
      items: { length: 10 },
    });
    for (const bad of ["51", "0", "-1", "1.5", "x", ""]) {
      expect((await get(`/v1/numbered?page=${bad}`)).status, bad).toBe(400);
    }
  });

  it("answers 500 rather than everything when the handler forgets the page", async () => {
    const reply = await get("/v1/everything");
    expect([reply.status, reply.code]).toEqual([500, "internal"]);
    expect(reply.said).not.toContain("items");
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({ code: "unbounded-list", protection: "pagination" }),
    );
  });

  it("answers 500 where the handler returns no page at all", async () => {
    expect((await get("/v1/no-items")).status).toBe(500);
    expect((await get("/v1/no-total")).status).toBe(500);
  });
});

describe("pagination: cursors", () => {
  it("open on every instance that has the same secret, and on no other", async () => {
    const [one, same, other] = await Promise.all(
      [`one: ${jwtSecret}`, `one: ${jwtSecret}`, `two: ${jwtSecret}`].map((secret) => openDoor(pagedApi(secret))),
    );
    if (one === undefined || same === undefined || other === undefined) throw new Error("three instances");
    try {
      const { next } = Page.parse((await one.ask("GET /v1/rows", { as: "alice" })).json);
      expect((await same.ask(`GET /v1/rows?cursor=${next}`, { as: "alice" })).status).toBe(200);
      expect((await other.ask(`GET /v1/rows?cursor=${next}`, { as: "alice" })).code).toBe("bad-cursor");
    } finally {
      await Promise.all([one, same, other].map((door) => door.close()));
    }
  });

  it("open in no place that was changed", async () => {
    const cursors = createCursors(new Uint8Array(32).fill(7), (count) => new Uint8Array(count).fill(3));
    const sealed = await cursors.seal({ after: 41 }, "alice");
    expect(await cursors.open(sealed, "alice")).toEqual({ value: { after: 41 } });
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom(..."ABCxyz019-_=."), async (at, letter) => {
        fc.pre(sealed[at] !== letter);
        const changed = sealed.slice(0, at) + letter + sealed.slice(at + 1);
        expect(await cursors.open(changed, "alice")).not.toHaveProperty("value");
      }),
      { seed: 4, numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(await cursors.open(text, "alice")).not.toHaveProperty("value");
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
