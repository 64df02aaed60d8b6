import type { z } from "zod";
import type { Asked, Call, Caller, Operation, Shape } from "../product/operation.ts";
import { type Incoming, problem, type Reply } from "./exchange.ts";
import { factsOf } from "./strict-json.ts";
import { isDelivery } from "./webhook.ts";
import type { World } from "./world.ts";

/** What a framework could not parse and hands to its own error page. */
export class Unparsable extends Error {
  override readonly name = "SyntaxError";
  /** What Express and Hono read. */
  readonly status = 400;
  /** What Fastify reads. */
  readonly statusCode = 400;
}

/**
 * Everything after the body is there: what it says, whether it is what was declared, the handler, and what leaves.
 *
 * @param bytes  the body, empty where there is none
 * @throws Unparsable only in the mutant that leaves JSON to the framework
 */
export async function act(
  operation: Operation,
  {
    incoming,
    caller,
    params,
    bytes,
  }: { incoming: Incoming; caller: Caller; params: Record<string, string>; bytes: Buffer },
  world: World,
): Promise<Reply> {
  const body = operation.body === undefined ? noBody(bytes) : bodyOf(operation, incoming, bytes, world);
  if ("reply" in body) return body.reply;
  const path = checked(operation.params, params);
  if (path === undefined && !world.mutant("driver-text")) return problem(404);
  const { asked, rest } = askedOf(operation, incoming.query, world);
  const query = checked(operation.query, rest);
  if (asked === undefined || query === undefined || (operation.query === undefined && Object.keys(rest).length > 0)) {
    return problem(400);
  }
  const call: Call = { incoming, caller, params: texts(path ?? params), query: texts(query), asked, ...body };
  const reply = await operation.run(call, world);
  return reply.status === operation.status ? shown(operation, reply, world) : reply;
}

function noBody(bytes: Buffer): { body: Members; sent: Members } | { reply: Reply } {
  return bytes.length > 0 ? { reply: problem(400) } : { body: {}, sent: {} };
}

/** Undefined where the bytes are no UTF-8. */
function textOfBytes(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

type Members = Readonly<Record<string, unknown>>;

function bodyOf(
  operation: Operation,
  { headers }: Incoming,
  bytes: Buffer,
  world: World,
): { body: Members; sent: Members } | { reply: Reply } {
  const { mutant } = world;
  const type = (headers["content-type"] ?? "").toLowerCase();
  if (!/^application\/json(?:;\s*charset=utf-8)?$/.test(type) && !mutant("any-content-type"))
    return { reply: problem(415) };
  if ((headers["content-encoding"] ?? "identity") !== "identity" && !mutant("inflated-body"))
    return { reply: problem(415) };
  const text = textOfBytes(bytes);
  if (text === undefined) return { reply: problem(400) };
  if (operation.access === "webhook" && !isDelivery(headers["stripe-signature"], text, world))
    return { reply: problem(400) };
  const { depth, keys, hasDuplicate, hasPrototypeKey } = factsOf(text);
  if (depth > 32 && !mutant("deep-json")) return { reply: problem(400) };
  if (keys > 1000 || (hasDuplicate && !mutant("duplicate-keys"))) return { reply: problem(400) };
  if (hasPrototypeKey && !mutant("prototype-keys")) return { reply: problem(400) };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (mutant("stack-in-answer")) throw new Unparsable(error instanceof Error ? error.message : "");
    return { reply: problem(400) };
  }
  if (!isMembers(value)) return { reply: problem(400) };
  if (mutant("prototype-keys")) value = merge({}, value);
  if (mutant("deep-json")) value = trimmed(value);
  const result = matched(operation, isMembers(value) ? value : {}, world);
  if (result.success) return { body: result.data, sent: isMembers(value) ? value : {} };
  const issues = mutant("validator-text")
    ? { issues: result.error.issues, schema: operation.body?.def.type }
    : undefined;
  return { reply: issues === undefined ? problem(400) : { status: 400, body: issues } };
}

/** The body against its schema, or what a mistake has left of it. */
function matched({ body: schema }: Operation, value: Members, { mutant }: World) {
  if (schema === undefined) throw new Error("an operation without a body has nothing to match");
  const members = mutant("prototype-keys") ? inherited(value) : Object.entries(value);
  const declared = members.filter(([name]) => name in schema.shape);
  const isOpen = ["unknown-fields", "owner-from-body", "role-from-body", "owner-by-patch", "prototype-keys"] as const;
  if (isOpen.some((name) => mutant(name))) return schema.safeParse(Object.fromEntries(declared));
  const result = schema.safeParse(value);
  if (result.success) return result;
  const codes = new Set(result.error.issues.map(({ code }) => code));
  if (mutant("long-strings") && codes.size === 1 && codes.has("too_big"))
    return { success: true, data: value } as const;
  if (mutant("coerced-types") || mutant("operator-password")) {
    const isObject = mutant("operator-password");
    const coerced = declared.map(([name, one]) => [
      name,
      isMembers(one) === isObject && typeof one !== "string" ? String(one) : one,
    ]);
    return declared.length === members.length ? schema.safeParse(Object.fromEntries(coerced)) : result;
  }
  return result;
}

/** How texts are usually trimmed, however deep they lie. */
function trimmed(value: unknown): unknown {
  if (typeof value === "string") return value.trim();
  if (Array.isArray(value)) return value.map(trimmed);
  return isMembers(value)
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, trimmed(one)]))
    : value;
}

/** How objects are usually merged. */
function merge(target: Record<string, unknown>, source: Members): Record<string, unknown> {
  for (const [name, value] of Object.entries(source)) {
    const known = target[name];
    target[name] = isMembers(value) && isMembers(known) ? merge({ ...known }, value) : value;
  }
  return target;
}

/** Own members and inherited ones, as `for … in` sees them. */
function inherited(value: Members): [string, unknown][] {
  const members: [string, unknown][] = [];
  for (const name in value) members.push([name, value[name]]);
  return members;
}

function checked(schema: Shape | undefined, value: Record<string, string>): Members | undefined {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  return result.success ? result.data : undefined;
}

function askedOf(
  { page }: Operation,
  query: URLSearchParams,
  { mutant }: World,
): { asked: Asked | undefined; rest: Record<string, string> } {
  const rest = Object.fromEntries(query);
  delete rest["access_token"];
  delete rest["api_key"];
  if (mutant("admin-by-query")) delete rest["admin"];
  if (page === undefined) return { asked: { limit: 20, cursor: undefined, page: 1 }, rest };
  const { limit = "20", cursor, page: number = "1", ...others } = rest;
  const isPaged = page === "pages" ? cursor === undefined : rest["page"] === undefined;
  const isNumber = /^(?:[1-9]\d{0,8})$/.test(limit) || (mutant("limit-negative") && /^-\d{1,8}$/.test(limit));
  const max = mutant("limit-unbounded") ? Number.POSITIVE_INFINITY : 100;
  if (!isPaged || !isNumber || Number(limit) > max || !/^[1-9]\d{0,3}$/.test(number) || Number(number) > 1000) {
    return { asked: undefined, rest: others };
  }
  return { asked: { limit: Number(limit), cursor, page: Number(number) }, rest: others };
}

/** Only what the schema declares leaves. */
function shown({ output, path, method }: Operation, reply: Reply, { mutant }: World): Reply {
  if (output === undefined || reply.text !== undefined) return reply;
  const isMine = path === "/v1/session" && method === "GET";
  const isRaw =
    (mutant("raw-row") && path === "/v1/projects/:id") ||
    (mutant("raw-rows") && path === "/v1/projects") ||
    (mutant("hash-in-answer") && isMine) ||
    (mutant("key-shown-again") && path === "/v1/keys" && method === "GET") ||
    mutant("limit-unbounded") ||
    mutant("limit-negative") ||
    mutant("limit-ignored");
  if (!isRaw) return { ...reply, body: output.parse(reply.body) };
  return mutant("limit-unbounded") || mutant("limit-negative") || mutant("limit-ignored")
    ? { ...reply, body: unbounded(output, reply.body) }
    : reply;
}

/** Declared members, and as many items as there are: the schema's own bound is part of what the mistake took away. */
function unbounded(output: z.ZodType, body: unknown): unknown {
  if (!isMembers(body) || !Array.isArray(body["items"])) return output.parse(body);
  const shownItems = body["items"].map((item: unknown) => {
    const page = output.parse({ ...body, items: [item] });
    const shownItem: unknown = isMembers(page) && Array.isArray(page["items"]) ? page["items"][0] : undefined;
    return shownItem;
  });
  return { ...body, items: shownItems };
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(members: Members): Record<string, string> {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, String(value)]));
}
