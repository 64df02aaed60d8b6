import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import helmet from "@fastify/helmet";
import { createSigner, createVerifier } from "fast-jwt";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";

/**
 * A generated API on plain Fastify with the usual parts: for every five operations a collection with a list, a
 * creation, and a read, a change and a deletion by id, each of the owner's own. A thread of its own; it says where it
 * listens, how it is described and whom it knows.
 */
export interface ScanTarget {
  readonly url: string;
  readonly openapi: Readonly<Record<string, unknown>>;
  readonly tokens: Readonly<Record<"alice" | "bob", string>>;
  readonly jwtKey: string;
}

interface Item {
  readonly id: string;
  readonly owner: string;
  name: string;
  note: string;
  amount: number;
}

const words = ["orders", "invoices", "projects", "notes", "tickets", "contacts", "devices", "files", "teams", "events"];
const wanted: unknown = workerData;
const operations = typeof wanted === "number" ? wanted : 15;
const collections = Array.from({ length: Math.ceil(operations / 5) }, (_none, index) => {
  const word = words[index % words.length] ?? "items";
  return index < words.length ? word : `${word}-archive`;
});

const jwtKey = randomUUID() + randomUUID();
const rules = { allowedIss: "https://bench.example", allowedAud: "bench" };
const sign = createSigner({
  key: jwtKey,
  algorithm: "HS256",
  expiresIn: 1_800_000,
  iss: rules.allowedIss,
  aud: "bench",
});
const verify: (token: string) => { readonly sub: string } = createVerifier({
  key: jwtKey,
  algorithms: ["HS256"],
  requiredClaims: ["sub", "exp", "iss", "aud"],
  ...rules,
});

const problem = (title: string) => ({ type: "about:blank", title });
const id = { type: "string", format: "uuid" };
const properties = {
  name: { type: "string", minLength: 1, maxLength: 80 },
  note: { type: "string", maxLength: 400 },
  amount: { type: "integer", minimum: 0, maximum: 1000 },
};
const input = { type: "object", required: ["name"], properties, additionalProperties: false };
const change = { ...input, required: [], minProperties: 1 };
const view = {
  type: "object",
  required: ["id", "name"],
  properties: { id, ...properties },
  additionalProperties: false,
};
const page = { type: "object", properties: { items: { type: "array", items: view } }, additionalProperties: false };
const limit = { type: "integer", minimum: 1, maximum: 50, default: 20 };
const noQuery = { type: "object", properties: {}, additionalProperties: false };
const byId = { type: "object", required: ["id"], properties: { id } };

const app = Fastify({
  bodyLimit: 20_000,
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: true } },
});
await app.register(helmet);
app.setErrorHandler<Error & { readonly statusCode?: number }>((error, _request, reply) => {
  const status = error.statusCode ?? 500;
  return reply.code(status).send(problem(status < 500 ? "Not accepted" : "Failed"));
});
app.setNotFoundHandler((_request, reply) => reply.code(404).send(problem("Not found")));
app.addHook("onRequest", async (_request, reply) => {
  reply.header("cache-control", "no-store");
});

function callerOf({ headers }: FastifyRequest): string | undefined {
  const token = /^Bearer (\S+)$/.exec(headers.authorization ?? "")?.[1];
  if (token === undefined) return undefined;
  try {
    return verify(token).sub;
  } catch {
    return undefined;
  }
}

const shown = ({ owner: _owner, ...rest }: Item) => rest;

for (const name of collections) {
  const items = new Map<string, Item>();
  const own = (request: FastifyRequest, key: string): Item | undefined => {
    const item = items.get(key);
    return item?.owner === callerOf(request) ? item : undefined;
  };
  const proved = { preValidation: guard };
  app.get<{ Querystring: { limit?: string } }>(`/${name}`, { ...proved }, async (request, reply) => {
    const asked = request.query.limit ?? "20";
    const unknown = Object.keys(request.query).some((key) => key !== "limit");
    if (unknown || !/^\d{1,2}$/.test(asked) || Number(asked) < 1 || Number(asked) > 50)
      return await reply.code(400).send(problem("Not accepted"));
    const mine = [...items.values()].filter(({ owner }) => owner === callerOf(request));
    return { items: mine.slice(0, Number(asked)).map(shown) };
  });
  app.post<{ Body: { name: string; note?: string; amount?: number } }>(
    `/${name}`,
    { ...proved, schema: { body: input, querystring: noQuery } },
    async (request, reply) => {
      const { body } = request;
      const item = { id: randomUUID(), owner: callerOf(request) ?? "", note: "", amount: 0, ...body };
      items.set(item.id, item);
      return await reply.code(201).send(shown(item));
    },
  );
  app.get<{ Params: { id: string } }>(
    `/${name}/:id`,
    { ...proved, schema: { params: byId, querystring: noQuery } },
    async (request, reply) => {
      const item = own(request, request.params.id);
      return item === undefined ? await reply.code(404).send(problem("Not found")) : shown(item);
    },
  );
  app.patch<{ Params: { id: string }; Body: Partial<Item> }>(
    `/${name}/:id`,
    { ...proved, schema: { params: byId, body: change, querystring: noQuery } },
    async (request, reply) => {
      const item = own(request, request.params.id);
      if (item === undefined) return await reply.code(404).send(problem("Not found"));
      Object.assign(item, request.body);
      return shown(item);
    },
  );
  app.delete<{ Params: { id: string } }>(
    `/${name}/:id`,
    { ...proved, schema: { params: byId, querystring: noQuery } },
    async (request, reply) => {
      const item = own(request, request.params.id);
      if (item === undefined) return await reply.code(404).send(problem("Not found"));
      items.delete(item.id);
      return await reply.code(204).send();
    },
  );
}

async function guard(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (callerOf(request) !== undefined) return;
  await reply.code(401).header("www-authenticate", "Bearer").send(problem("Who is it?"));
}

const json = (schema: object) => ({ content: { "application/json": { schema } } });
const answer = (status: number, schema?: object) => ({
  responses: { [status]: { description: "Done", ...(schema === undefined ? {} : json(schema)) } },
});
const openapi = {
  openapi: "3.1.0",
  info: { title: `bench with ${collections.length * 5} operations`, version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
  paths: Object.fromEntries(
    collections.flatMap((name) => [
      [
        `/${name}`,
        {
          get: { parameters: [{ name: "limit", in: "query", schema: limit }], ...answer(200, page) },
          post: { requestBody: json(input), ...answer(201, view) },
        },
      ],
      [
        `/${name}/{id}`,
        {
          parameters: [{ name: "id", in: "path", required: true, schema: id }],
          get: answer(200, view),
          patch: { requestBody: json(change), ...answer(200, view) },
          delete: answer(204),
        },
      ],
    ]),
  ),
};

await app.listen({ host: "127.0.0.1", port: 0 });
const address = app.server.address();
if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
const target: ScanTarget = {
  url: `http://127.0.0.1:${address.port}`,
  openapi,
  tokens: { alice: sign({ sub: "alice" }), bob: sign({ sub: "bob" }) },
  jwtKey,
};
parentPort?.once("message", () => void app.close().then(() => parentPort?.close()));
parentPort?.postMessage(target, []);
