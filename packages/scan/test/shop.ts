import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { isRecord, type JsonRecord, textAt } from "../src/json.ts";

/** How a credential is handed out and read; each test chooses one. */
export interface CredentialShape {
  /** The answer to a sign-in that succeeded: its body and headers. */
  issue(token: string): { body?: unknown; headers?: Readonly<Record<string, string | readonly string[]>> };
  /** The token a request carries. */
  read(request: IncomingMessage): string | undefined;
}

/** What is unusual about this shop. */
export interface ShopOptions {
  readonly shape?: CredentialShape;
  /** How long a token lives, milliseconds; default: for ever. */
  readonly lifetimeMs?: number;
  /** A caller reads orders of others: the hole most tests look for. */
  readonly open?: boolean;
  /** Documents served to anybody, by path: a text and its type. */
  readonly documents?: Readonly<Record<string, readonly [type: string, text: string]>>;
  /** GET / shows links, and every path answers OPTIONS with Allow. */
  readonly links?: boolean;
  /** POST /register makes accounts. */
  readonly registration?: boolean;
  /** What creating an order is answered with; default 201 and the order. */
  readonly created?: (
    order: Order,
  ) => readonly [status: number, json?: unknown, headers?: Readonly<Record<string, string>>];
}

export interface Order {
  readonly id: string;
  readonly owner: string;
  readonly customerId: string;
  readonly status: string;
  note: string;
}

/** `Authorization: Bearer` with a token in `{ token }`. */
export const bearer: CredentialShape = {
  issue: (token) => ({ body: { token } }),
  read: (request) => /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1],
};

export interface Shop {
  readonly url: string;
  /** Every request it got: `POST /orders as alice`. */
  readonly log: readonly string[];
  /** When each request arrived, milliseconds. */
  readonly times: readonly number[];
  readonly signIns: () => number;
  /** Ends every token. */
  expireAll(): void;
  close(): Promise<void>;
}

/** A shop of customers and orders: an order names a customer of its owner, and has one of three words as its status. */
export async function startShop(options: ShopOptions = {}): Promise<Shop> {
  const shape = options.shape ?? bearer;
  const passwords = new Map([
    ["alice", "wonderland-1"],
    ["bob", "builder-22"],
  ]);
  const tokens = new Map<string, { who: string; until: number }>();
  const customers = new Map<string, { id: string; owner: string; name: string }>();
  const orders = new Map<string, Order>();
  const log: string[] = [];
  const times: number[] = [];
  let signIns = 0;

  type Answer = readonly [
    status: number,
    json?: unknown,
    headers?: Readonly<Record<string, string | readonly string[]>> | undefined,
  ];

  function signIn(body: JsonRecord): Answer {
    signIns += 1;
    const who = textAt(body, "username") ?? "";
    if (passwords.get(who) !== textAt(body, "password")) return [401, { error: "wrong" }];
    const token = `tok-${randomUUID()}`;
    tokens.set(token, { who, until: Date.now() + (options.lifetimeMs ?? 3_600_000) });
    const { body: json, headers } = shape.issue(token);
    return [200, json, headers];
  }

  function createOrder(who: string, body: JsonRecord): Answer {
    const customer = customers.get(textAt(body, "customerId") ?? "");
    if (customer?.owner !== who) return [422, { error: "customerId names no customer" }];
    const status = textAt(body, "status") ?? "new";
    if (!["new", "paid", "sent"].includes(status)) return [422, { error: "status is new, paid or sent" }];
    const order: Order = {
      id: randomUUID(),
      owner: who,
      customerId: customer.id,
      status,
      note: textAt(body, "note") ?? "",
    };
    orders.set(order.id, order);
    return options.created?.(order) ?? [201, order];
  }

  function answer(method: string, path: string, body: JsonRecord, request: IncomingMessage): Answer {
    const document = options.documents?.[path];
    if (document !== undefined) return [200, document[1], { "content-type": document[0] }];
    if (options.links === true && path === "/") return [200, { orders: "/orders", customers: { href: "/customers" } }];
    if (path === "/login" && method === "POST") return signIn(body);
    if (options.registration === true && path === "/register" && method === "POST") {
      const name = textAt(body, "username") ?? "";
      if (name === "" || passwords.has(name) || (textAt(body, "password") ?? "").length < 10)
        return [400, { error: "no" }];
      passwords.set(name, textAt(body, "password") ?? "");
      return [201, { id: randomUUID(), username: name }];
    }
    const [, collection, id] = /^\/(customers|orders|me|reset)(?:\/([^/]+))?$/.exec(path) ?? [];
    if (collection === undefined) return [404, { error: "no such path" }];
    if (options.links === true && method === "OPTIONS")
      return [204, undefined, { allow: id === undefined ? "GET, POST" : "GET, DELETE" }];
    const session = tokens.get(shape.read(request) ?? "");
    const who = session !== undefined && session.until > Date.now() ? session.who : undefined;
    log.push(`${method} ${path} as ${who ?? "nobody"}`);
    if (who === undefined) return [401, { error: "who are you?" }];
    if (collection === "me") return [200, { username: who }];
    if (collection === "reset") orders.clear();
    if (collection === "reset") return [200, { wiped: true }];
    if (collection === "customers") {
      if (method === "GET" && id === undefined)
        return [200, { items: [...customers.values()].filter((one) => one.owner === who) }];
      if (method === "POST") {
        const customer = { id: randomUUID(), owner: who, name: textAt(body, "name") ?? "" };
        customers.set(customer.id, customer);
        return [201, customer];
      }
      const customer = customers.get(id ?? "");
      if (customer?.owner !== who) return [404, { error: "none" }];
      if (method === "DELETE") customers.delete(customer.id);
      if (method === "DELETE") return [204];
      return [200, customer];
    }
    if (id === undefined) {
      if (method === "GET") return [200, { items: [...orders.values()].filter((one) => one.owner === who) }];
      return method === "POST" ? createOrder(who, body) : [405, { error: "no" }];
    }
    const order = orders.get(id);
    if (order === undefined) return [404, { error: "none" }];
    if (order.owner !== who && !(options.open === true && method === "GET")) return [404, { error: "none" }];
    if (method === "DELETE") orders.delete(id);
    if (method === "DELETE") return [204];
    return method === "GET" ? [200, order] : [405, { error: "no" }];
  }

  const server = createServer((request, response) => {
    times.push(performance.now());
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const path = (request.url ?? "").split("?")[0] ?? "";
      const [status, json, headers = {}] = answer(request.method ?? "", path, read(text, request), request);
      const body = json === undefined ? undefined : typeof json === "string" ? json : JSON.stringify(json);
      response.writeHead(status, { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    log,
    times,
    signIns: () => signIns,
    expireAll: () => tokens.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function read(text: string, request: IncomingMessage): JsonRecord {
  if (request.headers["content-type"]?.includes("form") === true) return Object.fromEntries(new URLSearchParams(text));
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

const text = (more: JsonRecord = {}) => ({ type: "string", ...more });
const schema = (properties: JsonRecord, required: readonly string[]) => ({ type: "object", properties, required });
const json = (of: JsonRecord) => ({ content: { "application/json": { schema: of } } });
const order = schema({ id: text(), owner: text(), customerId: text(), status: text(), note: text() }, ["id"]);
const customer = schema({ id: text(), owner: text(), name: text() }, ["id"]);
const id = [{ name: "id", in: "path", required: true, schema: text() }];
const credentials = schema({ username: text(), password: text() }, ["username", "password"]);
const ok = (of?: JsonRecord) => ({ description: "It", ...(of === undefined ? {} : json(of)) });

/** The shop as OpenAPI. Its `status` is any text there, with an example: the API is stricter than its description. */
export const shopDescription: JsonRecord = {
  openapi: "3.0.3",
  info: { title: "shop", version: "1" },
  servers: [{ url: "https://shop.example.com" }],
  security: [{ token: [] }],
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  paths: {
    "/login": {
      post: { security: [], requestBody: json(credentials), responses: { 200: ok(schema({ token: text() }, [])) } },
    },
    "/register": { post: { security: [], requestBody: json(credentials), responses: { 201: ok() } } },
    "/me": { get: { responses: { 200: ok(schema({ username: text() }, [])) } } },
    "/customers": {
      get: { responses: { 200: ok(schema({ items: { type: "array", items: customer } }, [])) } },
      post: { requestBody: json(schema({ name: text() }, ["name"])), responses: { 201: ok(customer) } },
    },
    "/customers/{id}": {
      parameters: id,
      get: { responses: { 200: ok(customer) } },
      delete: { responses: { 204: ok() } },
    },
    "/orders": {
      get: { responses: { 200: ok(schema({ items: { type: "array", items: order } }, [])) } },
      post: {
        requestBody: json(
          schema({ customerId: text(), status: text({ example: "new" }), note: text() }, ["customerId", "status"]),
        ),
        responses: { 201: ok(order) },
      },
    },
    "/orders/{id}": { parameters: id, get: { responses: { 200: ok(order) } }, delete: { responses: { 204: ok() } } },
  },
};
