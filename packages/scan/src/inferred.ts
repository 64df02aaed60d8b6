import { decoded } from "./decoded.ts";
import { isRecord, type JsonRecord, walk } from "./json.ts";
import type { Recorded } from "./recorded.ts";

/**
 * Infers from requests what a description would have said: path templates by the shape of ids, query parameters, and the
 * schema of bodies, with what was recorded as examples. Whether a caller is needed is left open, since a recording does
 * not show what would have happened without one.
 *
 * @returns an OpenAPI 3.1 document
 */
export function inferDescription(requests: readonly Recorded[], title: string): JsonRecord {
  const known = idsIn(requests);
  const groups = new Map<string, Recorded[]>();
  for (const request of requests) {
    const key = `${request.method} ${templateOf(request.path, known)}`;
    groups.set(key, [...(groups.get(key) ?? []), request]);
  }
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [key, group] of groups) {
    const cut = key.indexOf(" ");
    const path = key.slice(cut + 1);
    const item = paths[path] ?? {};
    paths[path] = item;
    item[key.slice(0, cut).toLowerCase()] = operationOf(path, group);
  }
  return { openapi: "3.1.0", info: { title, version: "recorded" }, paths };
}

/**
 * The schema that all of these values would have matched, with the last one as its example.
 *
 * @param values  of one place; none gives a schema that allows anything
 */
export function inferSchema(values: readonly unknown[]): JsonRecord {
  const present = values.filter((value) => value !== null && value !== undefined);
  const example = present.at(-1);
  if (example === undefined) return {};
  if (Array.isArray(example)) {
    return { type: "array", items: inferSchema(present.filter(Array.isArray).flat()), example };
  }
  if (isRecord(example)) {
    const objects = present.filter(isRecord);
    const names = [...new Set(objects.flatMap((object) => Object.keys(object)))];
    const properties = Object.fromEntries(
      names.map((name) => [name, inferSchema(objects.map((object) => object[name]))]),
    );
    const required = names.filter((name) =>
      objects.every((object) => object[name] !== undefined && object[name] !== null),
    );
    return { type: "object", properties, required };
  }
  if (typeof example === "number") {
    return { type: present.every(Number.isInteger) ? "integer" : "number", minimum: 0, example };
  }
  if (typeof example === "boolean") return { type: "boolean", example };
  const texts = present.filter((value) => typeof value === "string");
  const format = formats.find(([, pattern]) => texts.every((text) => pattern.test(text)))?.[0];
  return { type: "string", ...(format === undefined ? {} : { format }), example };
}

const formats: readonly (readonly [string, RegExp])[] = [
  ["uuid", /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i],
  ["date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d/],
  ["date", /^\d{4}-\d\d-\d\d$/],
  ["email", /^[^@\s]+@[^@\s]+\.[^@\s]+$/],
  ["uri", /^https?:\/\/\S+$/],
];

function operationOf(path: string, group: readonly Recorded[]): JsonRecord {
  const names = [...new Set(group.flatMap(({ query }) => Object.keys(query)))];
  const bodies = group.filter(({ body }) => body !== undefined);
  const type = bodies.at(-1)?.mediaType ?? "application/json";
  const statuses = new Set(group.flatMap(({ status }) => (status === undefined || status >= 400 ? [] : [status])));
  return {
    parameters: [
      ...[...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => ({
        name,
        in: "path",
        required: true,
        schema: pathSchema(path, String(name), group),
      })),
      ...names.map((name) => ({
        name,
        in: "query",
        required: group.length > 1 && group.every(({ query }) => query[name] !== undefined),
        schema: inferSchema(group.map(({ query }) => query[name])),
      })),
    ],
    ...(bodies.length === 0
      ? {}
      : {
          requestBody: { required: true, content: { [type]: { schema: inferSchema(bodies.map(({ body }) => body)) } } },
        }),
    responses: Object.fromEntries([...statuses].map((status) => [status, { description: "recorded" }])),
  };
}

function pathSchema(path: string, name: string, group: readonly Recorded[]): JsonRecord {
  const at = path.split("/").indexOf(`{${name}}`);
  const values = group.flatMap((request) => {
    const part = request.path.split("/")[at];
    return part === undefined || part.startsWith("{") ? [] : [decoded(part)];
  });
  return values.length === 0
    ? { type: "string" }
    : { ...inferSchema(values), ...(values.every((value) => /^\d+$/.test(value)) ? { type: "integer" } : {}) };
}

/** A path with its ids as parameters, each named after what stands before it: `/projects/{projectId}`. */
function templateOf(path: string, known: ReadonlySet<string>): string {
  const used = new Set<string>();
  const parts = path.split("/");
  return parts
    .map((part, index) => {
      const given = /^(?:\{(.+)\}|:(\w+))$/.exec(part);
      const isId = given !== null || looksLikeId(decoded(part)) || known.has(decoded(part));
      if (!isId) return part;
      const before = parts.slice(0, index).findLast((one) => one !== "" && !one.startsWith("{"));
      const wanted = given?.[1] ?? given?.[2] ?? nameOf(before);
      let name = wanted;
      for (let more = 2; used.has(name); more += 1) name = `${wanted}${more}`;
      used.add(name);
      return `{${name}}`;
    })
    .join("/");
}

function nameOf(collection: string | undefined): string {
  if (collection === undefined || !/^[A-Za-z][\w-]*$/.test(collection)) return "id";
  const words = collection.replace(/ies$/, "y").replace(/s$/, "");
  return `${words.replace(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())}Id`;
}

/** True for what nobody names by hand: numbers, UUIDs, hashes, ULIDs, prefixed keys, addresses. */
function looksLikeId(part: string): boolean {
  if (/^v\d+$/i.test(part)) return false;
  return (
    /^\d+$/.test(part) ||
    /^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(part) ||
    /^[0-9a-f]{12,}$/i.test(part) ||
    /^[0-9A-HJKMNP-TV-Z]{26}$/.test(part) ||
    /^[a-z]{2,8}_(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{6,}$/.test(part) ||
    (/^[\w-]{16,}$/.test(part) && /\d/.test(part) && /[a-z]/.test(part) && /[A-Z]/.test(part)) ||
    /^[^@\s]+@[^@\s]+$/.test(part)
  );
}

/** Ids that answers told: a path that holds one of them names that object, whatever it looks like. */
function idsIn(requests: readonly Recorded[]): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { answer } of requests) {
    walk(answer, (_path, name, value) => {
      if (!/^(?:_?id|uuid|slug|\w+Id|\w+_id)$/.test(name)) return;
      if (typeof value === "number" || (typeof value === "string" && value !== "")) ids.add(String(value));
    });
  }
  return ids;
}
