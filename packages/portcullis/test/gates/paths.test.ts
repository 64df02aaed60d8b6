import type { ApiConfig, Listening } from "portcullis";
import {
  anyCaller,
  answer,
  cursorPages,
  everyOwner,
  jwt,
  list,
  nothing,
  pages,
  publicAccess,
  secret,
} from "portcullis";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createCursors } from "../../src/lib/cursor.ts";
import { jwtSecret, testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function serve(test: ReturnType<typeof testApi>): Promise<Listening> {
  open = await test.api.listen({ port: 0, handleSignals: false });
  return open;
}

describe("transport and host behind a proxy", () => {
  const behind: Partial<ApiConfig> = {
    hosts: ["api.example.com"],
    proxies: { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" },
  };
  const get = (headers: string): string => `GET /v1/open HTTP/1.1\r\nHost: api.example.com\r\n${headers}\r\n`;
  const cases: readonly (readonly [string, string, number])[] = [
    ["admits what the proxy says came by https", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n", 200],
    ["refuses what the proxy says came by http", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\n", 421],
    ["refuses what the proxy says nothing of", "X-Forwarded-For: 203.0.113.7\r\n", 421],
    ["refuses a scheme that is a list", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https, http\r\n", 421],
    ["refuses an address nobody can read", "X-Forwarded-For: what\r\nX-Forwarded-Proto: https\r\n", 400],
    [
      "refuses a scheme said twice",
      "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n",
      400,
    ],
  ];
  it.each(cases)("%s", async (_name, headers, status) => {
    const { port } = await serve(testApi(behind));
    expect((await raw(port, get(headers))).status).toBe(status);
  });

  it("sends HSTS over https and never for loopback names", async () => {
    const proxied = await serve(testApi(behind));
    const secure = await raw(proxied.port, get("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"));
    expect(secure.headers.get("strict-transport-security")).toBe("max-age=31536000; includeSubDomains");
    await proxied.close();
    const local = await serve(testApi());
    expect(
      (await raw(local.port, "GET /v1/open HTTP/1.1\r\nHost: localhost\r\n\r\n")).headers.has(
        "strict-transport-security",
      ),
    ).toBe(false);
  });

  it("believes no forwarded header without a proxy, and says so once", async () => {
    const test = testApi();
    const { port } = await serve(test);
    for (let i = 0; i < 3; i++) {
      await raw(port, "GET /v1/open HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n", 30);
    }
    await open?.close();
    expect(test.events().filter((event) => event.type === "forwarded-header-ignored")).toHaveLength(1);
    expect(test.entries.filter((entry) => entry.kind === "call").every((call) => call.address === "127.0.0.1")).toBe(
      true,
    );
  });

  it("matches hosts exactly: port, suffix and letter case", async () => {
    const { port } = await serve(testApi(behind));
    const proof = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
    const ask = async (host: string): Promise<number> =>
      (await raw(port, `GET /v1/open HTTP/1.1\r\nHost: ${host}\r\n${proof}\r\n`)).status;
    expect(await ask("API.example.com")).toBe(200);
    expect(await ask("api.example.com:443")).toBe(200);
    expect(await ask("api.example.com:8080")).toBe(421);
    expect(await ask("api.example.com.evil.example")).toBe(421);
    expect(await ask("evil.example")).toBe(421);
  });

  it("takes a loopback name with any port, and with nothing else behind it", async () => {
    const { port } = await serve(testApi());
    const ask = async (host: string): Promise<number> =>
      (await raw(port, `GET /v1/open HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status;
    expect(await ask("localhost:3000")).toBe(200);
    expect(await ask("localhost:3000, evil.example")).toBe(421);
    expect(await ask("localhost:3000/@evil.example")).toBe(421);
    expect(await ask("localhost:evil.example")).toBe(421);
    expect(await ask("localhost:3000:80")).toBe(421);
    expect(await ask("localhost:300000")).toBe(421);
  });
});

describe("versioning", () => {
  it("answers with Deprecation and Sunset before the sunset and 410 after it", async () => {
    const test = testApi();
    const route = (path: "GET /v1/old" | "GET /v1/gone", sunset: string): void =>
      test.api.route(
        {
          path,
          access: publicAccess("old"),
          output: z.strictObject({ ok: z.boolean() }),
          deprecated: { since: "2026-01-01", sunset, link: "https://docs.example/v2" },
        },
        () => ({ ok: true }),
      );
    route("GET /v1/old", "2099-01-01");
    route("GET /v1/gone", "2026-02-01");
    const { url } = await serve(test);
    const old = await fetch(`${url}/v1/old`);
    expect(old.headers.get("deprecation")).toBe("@1767225600");
    expect(old.headers.get("sunset")).toBe("Thu, 01 Jan 2099 00:00:00 GMT");
    expect(old.headers.get("link")).toBe('<https://docs.example/v2>; rel="deprecation"');
    expect((await fetch(`${url}/v1/gone`)).status).toBe(410);
  });

  it("chooses by a header where the API's version travels there", async () => {
    const test = testApi({ version: { header: "api-version", default: "1" } });
    for (const version of ["1", "2"]) {
      test.api.route(
        {
          path: "GET /thing",
          version,
          access: publicAccess("x"),
          output: z.strictObject({ version: z.string().max(2) }),
        },
        () => ({ version }),
      );
    }
    // The front door's own routes name no version; this API demands one of each.
    expect(test.api.problems().some((one) => one.field === "version")).toBe(true);
  });

  it("runs HEAD as GET and sends no body", async () => {
    const { url } = await serve(testApi());
    const head = await fetch(`${url}/v1/open`, { method: "HEAD" });
    expect([head.status, await head.text(), head.headers.get("content-length")]).toEqual([200, "", "11"]);
  });
});

describe("pagination", () => {
  const rows = Array.from({ length: 250 }, (_, index) => ({
    id: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
    ownerId: "alice",
  }));

  async function paged(): Promise<string> {
    const test = testApi();
    const row = test.api.resource("row", {
      load: () => undefined as (typeof rows)[number] | undefined,
      owner: (one) => one.ownerId,
    });
    const View = z.strictObject({ id: z.uuid() });
    test.api.route(
      { path: "GET /v1/rows", access: anyCaller, output: list(View, row), page: cursorPages(), limit: "10000/s" },
      ({ page }) => {
        const start = typeof page.after === "number" ? page.after : 0;
        const items = rows.slice(start, start + page.limit);
        return { items, next: start + items.length < rows.length ? start + items.length : null };
      },
    );
    test.api.route(
      {
        path: "GET /v1/numbered",
        access: anyCaller,
        output: list(View, row),
        page: pages({ maxPage: 50 }),
        limit: "10000/s",
      },
      ({ page }) => ({
        items: rows.slice(page.offset, page.offset + page.limit),
        total: rows.length,
      }),
    );
    test.api.route(
      { path: "GET /v1/everything", access: anyCaller, output: list(View, row), page: cursorPages(), limit: "10000/s" },
      () => ({ items: rows }),
    );
    return (await serve(test)).url;
  }

  const as = async (subject: string) => ({ headers: { authorization: `Bearer ${await token(subject)}` } });

  it("gives 20, at most 100, and refuses to be asked for more", async () => {
    const url = await paged();
    const count = async (query: string): Promise<number | string> => {
      const response = await fetch(`${url}/v1/rows${query}`, await as("alice"));
      if (response.status !== 200) return response.status;
      const body: unknown = await response.json();
      return z.object({ items: z.array(z.unknown()) }).parse(body).items.length;
    };
    expect(await count("")).toBe(20);
    expect(await count("?limit=100")).toBe(100);
    for (const bad of ["101", "0", "-1", "1e2", "NaN", "all", "", "%20", "9999999999999999999"]) {
      expect(await count(`?limit=${bad}`), bad).toBe(400);
    }
  });

  it("walks every page by sealed cursors, which open for their own caller and route only", async () => {
    const url = await paged();
    const seen: string[] = [];
    let cursor: string | null = "";
    const page = z.object({ items: z.array(z.object({ id: z.string() })), next: z.string().nullable() });
    let first = "";
    while (cursor !== null) {
      const response: Response = await fetch(
        `${url}/v1/rows?limit=100${cursor === "" ? "" : `&cursor=${cursor}`}`,
        await as("alice"),
      );
      const body = page.parse(await response.json());
      seen.push(...body.items.map((item) => item.id));
      cursor = body.next;
      first ||= body.next ?? "";
    }
    expect(seen).toEqual(rows.map((row) => row.id));
    expect((await fetch(`${url}/v1/rows?cursor=${first}`, await as("bob"))).status).toBe(400);
    expect((await fetch(`${url}/v1/everything?cursor=${first}`, await as("alice"))).status).toBe(400);
    expect((await fetch(`${url}/v1/rows?cursor=${first}A`, await as("alice"))).status).toBe(400);
  });

  it("counts pages with a bounded depth", async () => {
    const url = await paged();
    const response = await fetch(`${url}/v1/numbered?page=13`, await as("alice"));
    expect(await response.json()).toMatchObject({ page: 13, limit: 20, total: 250, pages: 13, items: { length: 10 } });
    expect((await fetch(`${url}/v1/numbered?page=51`, await as("alice"))).status).toBe(400);
  });

  it("answers 500 rather than everything when the handler forgets the page", async () => {
    const url = await paged();
    expect((await fetch(`${url}/v1/everything`, await as("alice"))).status).toBe(500);
  });

  it("opens no cursor that was changed in any place", async () => {
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

describe("egress", () => {
  it("aborts the whole answer when one object in it is not the caller's", async () => {
    const test = testApi();
    const row = test.api.resource("row", {
      load: () => undefined as { id: string; ownerId: string } | undefined,
      owner: (one) => one.ownerId,
    });
    const View = z.strictObject({ id: z.string().max(5) });
    test.api.route({ path: "GET /v1/leak", access: anyCaller, output: list(View, row), page: cursorPages() }, () => ({
      items: [
        { id: "1", ownerId: "alice" },
        { id: "2", ownerId: "bob" },
      ],
    }));
    test.api.route(
      { path: "GET /v1/nobodys", access: anyCaller, output: list(View, row), page: cursorPages() },
      () => ({
        items: [{ id: "1", ownerId: "" }],
      }),
    );
    const { url } = await serve(test);
    const headers = { authorization: `Bearer ${await token("alice")}` };
    for (const path of ["/v1/leak", "/v1/nobodys"]) {
      const response = await fetch(url + path, { headers });
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('"id"');
    }
    await open?.close();
    expect(test.events().filter((event) => event.code === "foreign-object")).toHaveLength(2);
  });

  it("lets whom the policy names see every owner's objects, and still one tenant only", async () => {
    const test = testApi({
      credentials: [
        jwt({
          issuer: "https://id.example",
          audience: "https://api.example",
          keys: secret(jwtSecret),
          rolesFromToken: "roles",
          tenant: (claims) => (typeof claims["tid"] === "string" ? claims["tid"] : undefined),
        }),
      ],
    });
    const row = test.api.resource("row", {
      load: (): { id: string; ownerId: string; tenantId: string } | undefined => undefined,
      owner: (one) => one.ownerId,
      tenant: (one) => one.tenantId,
    });
    const View = z.strictObject({ id: z.string().max(5) });
    const owners = everyOwner({ roles: ["admin"], reason: "support" });
    const routeOf = (path: "GET /v1/own" | "GET /v1/all", tenantId: string): void =>
      test.api.route({ path, access: anyCaller, output: list(View, row, { owners }), page: cursorPages() }, () => ({
        items: [{ id: "1", ownerId: "bob", tenantId }],
      }));
    routeOf("GET /v1/own", "acme");
    routeOf("GET /v1/all", "globex");
    const { url } = await serve(test);
    const as = async (roles: readonly string[]) => ({
      headers: { authorization: `Bearer ${await token("alice", { roles, tid: "acme" })}` },
    });
    expect((await fetch(`${url}/v1/own`, await as(["admin"]))).status).toBe(200);
    expect((await fetch(`${url}/v1/own`, await as([]))).status).toBe(500);
    expect((await fetch(`${url}/v1/all`, await as(["admin"]))).status).toBe(500);
  });

  it("lets a handler set the headers it may and no others", async () => {
    const test = testApi();
    test.api.route({ path: "GET /v1/moved", access: publicAccess("x"), output: nothing }, () =>
      answer(undefined, { headers: { Location: "/v1/open" } }),
    );
    test.api.route({ path: "GET /v1/server", access: publicAccess("x"), output: nothing }, () =>
      answer(undefined, { headers: { server: "mine/1.0" } }),
    );
    test.api.route({ path: "GET /v1/split", access: publicAccess("x"), output: nothing }, () =>
      answer(undefined, { headers: { location: "/a\r\nset-cookie: a=b" } }),
    );
    test.api.route({ path: "GET /v1/cookie", access: publicAccess("x"), output: nothing }, () =>
      answer(undefined, { cookies: [{ name: "__Host-a", value: "b" }] }),
    );
    const { url } = await serve(test);
    const moved = await fetch(`${url}/v1/moved`, { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([204, "/v1/open"]);
    expect((await fetch(`${url}/v1/server`)).status).toBe(500);
    expect((await fetch(`${url}/v1/split`)).status).toBe(500);
    expect((await fetch(`${url}/v1/cookie`)).headers.get("set-cookie")).toBe(
      "__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Strict",
    );
  });
});
