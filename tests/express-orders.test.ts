import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { identityOf, scan } from "@portcullis/scan";
import { memorySink } from "portcullis";
import { afterAll, describe, expect, test } from "vitest";
import { buildBefore } from "../examples/express-orders/before.ts";
import { startOrders } from "../examples/express-orders/server.ts";
import { openShop } from "../examples/express-orders/shop.ts";

const started = await startOrders({ audit: { sinks: [memorySink()] } });
afterAll(() => started.close());

const routes = [
  "GET /v1/products",
  "GET /v1/me",
  "GET /v1/orders",
  "POST /v1/orders",
  "GET /v1/orders/:id",
  "PATCH /v1/orders/:id",
  "DELETE /v1/orders/:id",
  "GET /v1/orders/:id/notes",
  "POST /v1/orders/:id/notes",
  "DELETE /v1/orders/:id/notes/:noteId",
];

describe("an existing Express application behind the front door", () => {
  test("keeps answering its own customers, and nobody else's orders", async () => {
    const mine = await ask("alice", "GET", "/v1/orders");
    expect(mine).toMatchObject({ status: 200, json: { total: 1, items: [{ sku: "lamp" }] } });
    expect(JSON.stringify(mine.json)).not.toMatch(/riskScore|customerId/);
    const made = await ask("alice", "POST", "/v1/orders", { sku: "chair", quantity: 2 });
    expect(made).toMatchObject({ status: 201, json: { sku: "chair", quantity: 2, status: "open" } });
    const path = made.location ?? "";
    expect(await ask("alice", "GET", path)).toMatchObject({ status: 200 });
    expect(await ask("bob", "GET", path)).toMatchObject({ status: 404 });
    expect(await ask("bob", "DELETE", path)).toMatchObject({ status: 404 });
    expect(await ask("alice", "PATCH", path, { status: "shipped" })).toMatchObject({ status: 400 });
    expect(await ask("alice", "POST", `${path}/notes`, { text: "by the door" })).toMatchObject({ status: 201 });
    expect(await ask("alice", "DELETE", path)).toMatchObject({ status: 204 });
    expect(await ask(undefined, "GET", "/v1/products")).toMatchObject({ status: 200 });
    expect(await ask(undefined, "GET", "/admin/report")).toMatchObject({ status: 200 });
    expect(await ask(undefined, "GET", "/admin")).toMatchObject({ status: 404 });
  });

  test("is attacked and nothing is broken or left open; what is not guarded yet is said to be unproved", async () => {
    const result = await scan({
      url: started.url,
      manifest: started.manifest,
      jwtKey: started.jwtSecret,
      identities: [
        identityOf("alice", `Bearer ${started.tokens.alice}`),
        identityOf("bob", `Bearer ${started.tokens.bob}`),
      ],
      seed: 7,
    });
    const open = result.verdicts.filter(({ verdict }) => verdict === "broken" || verdict === "inconclusive");
    expect(open.map(({ protection, check, operation, why }) => `${protection} ${check} ${operation}: ${why}`)).toEqual(
      [],
    );
    expect([result.exitCode, result.target.operations]).toEqual([0, routes.length]);
    const unguarded = result.ledger.filter(({ operation }) => operation === "GET /admin/report");
    expect(new Set(unguarded.map(({ verdict }) => verdict))).toEqual(new Set(["inconclusive"]));
    expect(unguarded[0]?.why).toBe(
      "Not proved: no policy guards it yet (only the office network reaches it), until 2099-12-31.",
    );
  });

  test("let bob read alice's order before, whole", async () => {
    const shop = openShop();
    const [order] = [...shop.orders.values()];
    const server = createServer(buildBefore(started.jwtSecret, shop));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const answer = await fetch(`http://localhost:${port}/v1/orders/${order?.id}`, {
      headers: { authorization: `Bearer ${started.tokens.bob}` },
    });
    expect([answer.status, await answer.json()]).toMatchObject([200, { customerId: "alice", riskScore: 0.1 }]);
    server.closeAllConnections();
    server.close();
  });

  test.each(routes)("took at most 10 changed lines: %s", (route) => {
    const before = blockOf("before.ts", new RegExp(`app\\.${methodOf(route)}\\("${pathOf(route)}"`));
    const after = blockOf("after.ts", new RegExp(`path: "${route}"`));
    const left = [...before];
    const changed = after.filter((line) => {
      const at = left.indexOf(line);
      if (at !== -1) left.splice(at, 1);
      return at === -1;
    });
    expect(Math.max(changed.length, left.length)).toBeLessThanOrEqual(10);
  });
});

async function ask(as: "alice" | "bob" | undefined, method: string, path: string, json?: unknown) {
  const answer = await fetch(`${started.url}${path}`, {
    method,
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${started.tokens[as]}` }),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await answer.text();
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  return { status: answer.status, json: body, location: answer.headers.get("location") };
}

/** The lines of the statement in which a line is found, without their indentation. */
function blockOf(file: string, found: RegExp): readonly string[] {
  const text = readFileSync(new URL(`../examples/express-orders/${file}`, import.meta.url), "utf8");
  const block = text.split("\n\n").find((one) => found.test(one));
  expect(block, `${file} has ${found}`).toBeDefined();
  return (block ?? "").split("\n").map((line) => line.trim());
}

function methodOf(route: string): string {
  return route.slice(0, route.indexOf(" ")).toLowerCase();
}

function pathOf(route: string): string {
  return route.slice(route.indexOf(" ") + 1);
}
