import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, expect, it } from "vitest";
import { answerOf } from "../src/answer.ts";
import { idIn } from "../src/ids.ts";
import { parseJson, textAt } from "../src/json.ts";
import { kindsOf } from "../src/kinds.ts";
import { targetOf } from "../src/manifest.ts";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

it("counts and page numbers that happen to be an object's small id are not taken for the object", async () => {
  expect(await foreignList(({ owner }, caller) => owner === caller)).toBe("held");
});

it("a list that shows everybody's is found where ids are small numbers", async () => {
  expect(await foreignList(() => true)).toBe("broken");
});

it("dots are no id: what they lead to was not created by the scan, and must not be deleted", () => {
  const kind = kindsOf(targetOf(description, "openapi"), 0).find(({ create }) => create !== undefined);
  if (kind === undefined) throw new Error("nothing creates an order");
  const said = (json: unknown, location: string) =>
    answerOf({ status: 201, rawHeaders: ["location", location], body: Buffer.from(JSON.stringify(json)), ms: 1 });
  for (const dots of [".", ".."]) expect(idIn(said({ id: dots }, `/orders/${dots}`), kind)).toBeUndefined();
  expect(idIn(said({ id: ".." }, "/orders/%2e%2e"), kind)).toBeUndefined();
  expect(idIn(said({ id: "..." }, "/"), kind)).toBe("...");
});

it("the id of whoever an object belongs to is not taken for its own, which would delete another object", () => {
  const kind = kindsOf(targetOf(description, "openapi"), 0).find(({ create }) => create !== undefined);
  if (kind === undefined) throw new Error("nothing creates an order");
  const said = (json: unknown) =>
    answerOf({ status: 201, rawHeaders: [], body: Buffer.from(JSON.stringify(json)), ms: 1 });
  expect(idIn(said({ ok: true, user: { id: 7 } }), kind)).toBeUndefined();
  expect(idIn(said({ ok: true, user: { id: 7 }, order: { id: 8 } }), kind)).toBe("8");
  expect(idIn(said({ user: { id: 7 } }), { ...kind, name: "user" })).toBe("7");
});

interface Order {
  readonly id: number;
  readonly owner: string;
  readonly note: string;
}

/** What is said of a list that shows what a caller may see by that rule. */
async function foreignList(isShown: (order: Order, caller: string) => boolean): Promise<string | undefined> {
  const { verdicts } = await scan({
    url: await serve(isShown),
    openapi: description,
    only: ["object-access"],
    identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
    seed: 1,
  });
  const found = verdicts.filter(({ check }) => check === "foreign-list").map(({ verdict }) => verdict);
  expect(found.length).toBeGreaterThan(0);
  return found.find((verdict) => verdict !== "held") ?? found[0];
}

/** Orders numbered from 1; a list says how many there are, which page it is, and the year. */
async function serve(isShown: (order: Order, caller: string) => boolean): Promise<string> {
  const orders = new Map<number, Order>();
  let last = 0;

  async function answer(request: IncomingMessage): Promise<readonly [status: number, json?: unknown]> {
    const caller = /^Bearer token-of-(alice|bob)$/.exec(request.headers.authorization ?? "")?.[1];
    if (caller === undefined) return [401, { title: "Authentication required" }];
    const [, collection, id] = (request.url ?? "").split("?")[0]?.split("/") ?? [];
    if (collection !== "orders") return [404, { title: "Not found" }];
    if (id === undefined && request.method === "POST") {
      last += 1;
      const order = { id: last, owner: caller, note: textAt(parseJson(await textOf(request)), "note") ?? "" };
      orders.set(order.id, order);
      return [201, { id: order.id, note: order.note }];
    }
    if (id === undefined) {
      const items = [...orders.values()].filter((order) => isShown(order, caller));
      const counts = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`m${at}`, at]));
      return [200, { items: items.map(({ id, note }) => ({ id, note })), page: 1, counts }];
    }
    const order = orders.get(Number(id));
    if (order?.owner !== caller) return [404, { title: "Not found" }];
    if (request.method !== "DELETE") return [200, { id: order.id, note: order.note }];
    orders.delete(order.id);
    return [204];
  }

  const listening = createServer(
    (request, response) =>
      void answer(request).then(([status, json]) => {
        response.writeHead(status, { "content-type": "application/json" });
        response.end(json === undefined ? undefined : JSON.stringify(json));
      }),
  );
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += String(part);
  return text;
}

const order = {
  type: "object",
  required: ["id", "note"],
  properties: { id: { type: "integer" }, note: { type: "string", maxLength: 200 } },
};
const answers = (schema: object) => ({ content: { "application/json": { schema } }, description: "Fine" });
const id = { name: "id", in: "path", required: true, schema: { type: "integer" } };
const note = { type: "object", required: ["note"], properties: { note: { type: "string", maxLength: 200 } } };
const description = {
  openapi: "3.1.0",
  info: { title: "orders", version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  paths: {
    "/orders": {
      get: { responses: { 200: answers({ type: "object", properties: { items: { type: "array", items: order } } }) } },
      post: { requestBody: { content: { "application/json": { schema: note } } }, responses: { 201: answers(order) } },
    },
    "/orders/{id}": {
      get: { parameters: [id], responses: { 200: answers(order) } },
      delete: { parameters: [id], responses: { 204: { description: "Gone" } } },
    },
  },
};
