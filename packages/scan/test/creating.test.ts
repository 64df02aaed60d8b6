import { afterEach, describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { identityOf, type ScanResult, scan } from "../src/scan.ts";
import { type ShopOptions, shopDescription, startShop } from "./shop.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Scans a shop in which orders of others can be read: the finding shows that an order could be created at all. */
async function scanned(options: ShopOptions, description = shopDescription): Promise<ScanResult> {
  const shop = await startShop({ open: true, ...options });
  closing.push(() => shop.close());
  const accounts = [
    { user: "alice", password: "wonderland-1" },
    { user: "bob", password: "builder-22" },
  ];
  return await scan({
    url: shop.url,
    openapi: description,
    identities: [],
    accounts,
    only: ["object-access"],
    seed: 11,
  });
}

function foundOrders(result: ScanResult): boolean {
  return result.verdicts.some(({ verdict, operation }) => verdict === "broken" && operation === "GET /orders/:id");
}

describe("an object is created", () => {
  it("after what it has to name, and with a word the API takes where the description allows any", async () => {
    const result = await scanned({});
    expect(foundOrders(result)).toBe(true);
    expect(result.leftovers).toEqual([]);
  });

  it.each<[string, NonNullable<ShopOptions["created"]>]>([
    ["in the Location", ({ id }) => [201, undefined, { location: `/orders/${id}` }]],
    ["in a link to itself", ({ id }) => [201, { ok: true, _links: { self: { href: `/orders/${id}` } } }]],
    ["deep in an envelope", ({ id }) => [200, { data: { attributes: { order: { id } } } }]],
    ["under a name of its own", ({ id }) => [201, { orderId: id }]],
    ["nowhere but in the list", () => [204]],
  ])("and known by its id %s", async (_where, created) => {
    const result = await scanned({ created });
    expect(foundOrders(result)).toBe(true);
    expect(result.leftovers).toEqual([]);
  });

  it("or the ledger says why not, in the API's own words", async () => {
    const result = await scanned({ created: () => [422, { message: "Out of paper" }] });
    const cell = result.ledger.find(
      (entry) => entry.operation === "GET /orders/:id" && entry.protection === "object-access",
    );
    expect(cell).toMatchObject({
      verdict: "inconclusive",
      why: "Account1 could not create a order (answered 422: Out of paper).",
    });
  });

  it("by a path that says so, where the collection takes no POST", async () => {
    const paths = { ...recordAt(shopDescription, "paths") };
    const orders = recordAt(paths, "/orders");
    const result = await scanned(
      {},
      {
        ...shopDescription,
        paths: { ...paths, "/orders": { get: orders?.["get"] }, "/orders/create": { post: orders?.["post"] } },
      },
    );
    const cell = result.ledger.find(
      (entry) => entry.operation === "GET /orders/:id" && entry.protection === "object-access",
    );
    // This shop has no such path, so the request shows in the reason.
    expect(cell?.why).toMatch(/could not create a order \(answered 4\d\d/);
  });
});

describe("somebody", () => {
  it("who is known by a token nobody described is scanned as such", () => {
    expect(identityOf("alice", "Authorization: abc").header).toEqual(["authorization", "abc"]);
  });
});
