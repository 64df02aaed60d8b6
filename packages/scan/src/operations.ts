import { demandsOf, scopeWords } from "./demands.ts";
import type { Header } from "./identities.ts";
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt, textsAt } from "./json.ts";
import type {
  Access,
  ObjectUse,
  Operation,
  Output,
  Page,
  Parameter,
  RequestBody,
  RouteLimit,
  Target,
} from "./target.ts";

const methods = ["get", "head", "post", "put", "patch", "delete", "options"] as const;

/**
 * The operations of a resolved OpenAPI 3.x document, in the document's order. What is malformed is left out and said.
 *
 * @param document  all references resolved
 * @param source    `manifest` also reads each operation's `x-portcullis`
 * @param below     path they all lie below, in place of what the first server says; a manifest's paths are whole
 */
export function readOperations(
  document: JsonRecord,
  source: Target["source"],
  below?: string,
): { operations: readonly Operation[]; assumptions: readonly string[] } {
  const operations: Operation[] = [];
  const assumptions: string[] = [];
  const paths = recordAt(document, "paths") ?? {};
  const prefix = source === "manifest" ? "" : (below ?? serverPath(document));
  const words = source === "manifest" ? new Set<string>() : scopeWords(document);
  for (const [path, item] of Object.entries(paths)) {
    if (!isRecord(item) || !path.startsWith("/")) {
      assumptions.push(`"${path}" is no path of the API and was left out.`);
      continue;
    }
    for (const method of methods) {
      const described = recordAt(item, method);
      if (described === undefined) continue;
      // A path has one operation per method in OpenAPI; a manifest keeps the further versions of it beside the first.
      const versions = source === "manifest" ? listAt(recordAt(described, "x-portcullis"), "versions") : [];
      for (const one of [described, ...versions.filter(isRecord)]) {
        const whole = onTheWire(`${prefix}${inBraces(path)}`);
        const read = demanding(readOperation(document, whole, method.toUpperCase(), item, one, source), one, words);
        const header = unwritable(read);
        if (header !== undefined) {
          assumptions.push(`${read.id} asks for a header that HTTP cannot write (${header}) and was left out.`);
          continue;
        }
        operations.push(one === described ? read : { ...read, id: `${read.id}${selectedBy(read)}` });
      }
    }
  }
  const unsaid = operations.filter((operation) => operation.access.kind === "unknown").length;
  if (unsaid > 0) {
    assumptions.push(`${unsaid} operations do not say whether they need a caller; for them nothing is called broken.`);
  }
  return { operations, assumptions };
}

/** The same, where its description says in words or an extension which scope or role it takes; a manifest is exact already. */
function demanding(operation: Operation, described: JsonRecord, words: ReadonlySet<string>): Operation {
  const { access } = operation;
  if (access.kind !== "caller" || recordAt(described, "x-portcullis") !== undefined) return operation;
  const { scopes, roles } = demandsOf(described, words);
  return { ...operation, access: { ...access, scopes: [...new Set([...access.scopes, ...scopes])], roles } };
}

/** Whatever cannot stand in a request line is encoded, as browsers do; a parameter keeps its name. */
function onTheWire(path: string): string {
  return path.replace(/\{[^{}]*\}|[^\x21-\x7e]/gu, (part) =>
    part.startsWith("{") ? part : encodeURIComponent(part.toWellFormed()),
  );
}

/** The name of a header it would send that is none, or of more than one line. */
function unwritable({ headers, parameters, body }: Operation): string | undefined {
  const required = parameters.filter((one) => one.in === "header" && one.required).map(({ name }) => [name, ""]);
  const type = body === undefined ? [] : [["content-type", body.mediaType]];
  const bad = [...headers, ...required, ...type].find(
    ([name = "", value = ""]) => !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value),
  );
  return bad === undefined ? undefined : JSON.stringify(bad[0]);
}

/** Some generators write parameters as a router does: `/things/:id`. */
function inBraces(path: string): string {
  return path.replace(/\/:([A-Za-z_]\w*)(?=\/|$)/g, "/{$1}");
}

/** The path part of the first server entry; its host is ignored, the address given to the scan wins. */
function serverPath(document: JsonRecord): string {
  const server = listAt(document, "servers")[0];
  const variables = recordAt(server, "variables");
  const url = (textAt(server, "url") ?? "").replace(
    /\{([^{}]+)\}/g,
    (whole, name: string) => textAt(recordAt(variables, name), "default") ?? whole,
  );
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "").replace(/\/+$/, "");
  return path.startsWith("/") && !path.includes("{") ? path : "";
}

function readOperation(
  document: JsonRecord,
  path: string,
  method: string,
  item: JsonRecord,
  described: JsonRecord,
  source: Target["source"],
): Operation {
  const policy = source === "manifest" ? recordAt(described, "x-portcullis") : undefined;
  const sunset = textAt(recordAt(policy, "deprecated"), "sunset");
  const sunsetAt = sunset === undefined ? describedEnd(described, source) : Date.parse(sunset);
  const parameters = readParameters(item, described);
  return {
    id: `${method} ${path.replace(/\{([^{}]+)\}/g, ":$1")}`,
    method,
    path,
    parameters,
    headers: parameters.flatMap((parameter) => fixedHeader(parameter)),
    body: readBody(described),
    responses: readResponses(described),
    access: policy === undefined ? accessOfSecurity(document, described) : accessOfPolicy(policy),
    credentials: credentialsOf(document, described),
    objects: listAt(policy, "objects").flatMap((entry) => readObjectUse(entry)),
    notObjects: listAt(policy, "notObjects").flatMap((entry) => textAt(entry, "field") ?? []),
    outputs: listAt(policy, "output").flatMap((entry) => readOutput(entry)),
    limits: listAt(policy, "limits").flatMap((entry) => readLimit(entry)),
    page: readPage(recordAt(policy, "page")),
    bodyMaxBytes: numberAt(policy, "bodyMaxBytes"),
    startsSession: policy?.["startsSession"] === true,
    begunBy: textsAt(recordAt(policy, "startsSession"), "begunBy"),
    deprecated: described["deprecated"] === true,
    sunsetAt: Number.isNaN(sunsetAt) ? undefined : sunsetAt,
  };
}

/** A plain description says that an operation is over by describing no answer but 410 (RFC 9110 section 15.5.11). */
function describedEnd(described: JsonRecord, source: Target["source"]): number {
  const statuses = Object.keys(recordAt(described, "responses") ?? {});
  const isOver = statuses.includes("410") && !statuses.some((status) => /^[23]/.test(status));
  return source === "openapi" && isOver ? 0 : Number.NaN;
}

/** What tells a further version of an operation from the first, for people: ` (x-api-version: 2)`. */
function selectedBy({ headers }: Operation): string {
  return ` (${headers.map(([name, value]) => `${name}: ${value}`).join(", ")})`;
}

/** A header every request of the operation carries: one that is required and can only have one value. */
function fixedHeader({ name, in: place, required, schema }: Parameter): readonly Header[] {
  const [only, ...others] = textsAt(schema, "enum");
  const value = textAt(schema, "const") ?? (others.length === 0 ? only : undefined);
  return place === "header" && required && value !== undefined ? [[name.toLowerCase(), value]] : [];
}

function readParameters(item: JsonRecord, described: JsonRecord): readonly Parameter[] {
  const found = new Map<string, Parameter>();
  for (const entry of [...listAt(item, "parameters"), ...listAt(described, "parameters")]) {
    const name = textAt(entry, "name");
    const place = textAt(entry, "in");
    if (name === undefined) continue;
    if (place !== "path" && place !== "query" && place !== "header" && place !== "cookie") continue;
    // The operation's own entry replaces the path's (OpenAPI 3.1 section 4.8.9).
    found.set(`${place} ${name}`, {
      name,
      in: place,
      required: place === "path" || (isRecord(entry) && entry["required"] === true),
      schema: recordAt(entry, "schema") ?? {},
    });
  }
  return [...found.values()];
}

function readBody(described: JsonRecord): RequestBody | undefined {
  const body = recordAt(described, "requestBody");
  const content = recordAt(body, "content");
  if (content === undefined) return undefined;
  const mediaType =
    Object.keys(content).find((type) => /^application\/(?:[\w.-]+\+)?json\b/i.test(type)) ?? Object.keys(content)[0];
  if (mediaType === undefined) return undefined;
  return {
    required: body?.["required"] === true,
    mediaType,
    schema: recordAt(recordAt(content, mediaType), "schema") ?? {},
  };
}

function readResponses(described: JsonRecord): ReadonlyMap<number, JsonRecord | undefined> {
  const out = new Map<number, JsonRecord | undefined>();
  for (const [status, answer] of Object.entries(recordAt(described, "responses") ?? {})) {
    if (!/^[1-5]\d\d$/.test(status)) continue;
    const content = recordAt(answer, "content");
    const json = Object.entries(content ?? {}).find(([type]) => type.includes("json"));
    out.set(Number(status), recordAt(json?.[1], "schema"));
  }
  return out;
}

function requirements(document: JsonRecord, described: JsonRecord): readonly unknown[] | undefined {
  const own = described["security"] ?? document["security"];
  return Array.isArray(own) ? own : undefined;
}

function accessOfSecurity(document: JsonRecord, described: JsonRecord): Access {
  const security = requirements(document, described);
  if (security === undefined) return { kind: "unknown" };
  if (security.length === 0 || security.some((entry) => isRecord(entry) && Object.keys(entry).length === 0)) {
    return { kind: "public", reason: "the description asks for no credential" };
  }
  const scopes = security.flatMap((entry) =>
    isRecord(entry) ? Object.keys(entry).flatMap((name) => textsAt(entry, name)) : [],
  );
  return { kind: "caller", scopes: [...new Set(scopes)], roles: [], objectRole: {} };
}

function accessOfPolicy(policy: JsonRecord): Access {
  const access = recordAt(policy, "access");
  const kind = textAt(access, "kind");
  if (kind === "public") return { kind, reason: textAt(access, "reason") ?? "the policy says so" };
  if (kind === "webhook") return { kind, scheme: textAt(access, "scheme") ?? "" };
  if (kind !== "caller") return { kind: "unknown" };
  const objectRole: Record<string, readonly string[]> = {};
  for (const name of Object.keys(recordAt(access, "objectRole") ?? {})) {
    objectRole[name] = textsAt(recordAt(access, "objectRole"), name);
  }
  return { kind, scopes: textsAt(access, "scopes"), roles: textsAt(access, "roles"), objectRole };
}

function credentialsOf(document: JsonRecord, described: JsonRecord): readonly string[] {
  const names = (requirements(document, described) ?? []).flatMap((entry) =>
    isRecord(entry) ? Object.keys(entry) : [],
  );
  return [...new Set(names)];
}

function readObjectUse(entry: unknown): readonly ObjectUse[] {
  const name = textAt(entry, "name");
  const field = textAt(entry, "field");
  const place = textAt(entry, "in");
  if (name === undefined || field === undefined) return [];
  if (place !== "path" && place !== "query" && place !== "body" && place !== "header") return [];
  return [{ name, resource: textAt(entry, "resource") ?? name, in: place, field, within: textAt(entry, "within") }];
}

function readOutput(entry: unknown): readonly Output[] {
  const status = numberAt(entry, "status");
  if (status === undefined) return [];
  return [
    {
      status,
      kind: textAt(entry, "kind") ?? "schema",
      resource: textAt(entry, "resource"),
      everyOwner: textAt(recordAt(entry, "everyOwner"), "reason"),
      shared: textAt(entry, "shared"),
    },
  ];
}

function readLimit(entry: unknown): readonly RouteLimit[] {
  const limit = numberAt(entry, "limit");
  const windowMs = numberAt(entry, "windowMs");
  if (limit === undefined || windowMs === undefined || limit <= 0 || windowMs <= 0) return [];
  return [
    {
      name: textAt(entry, "name") ?? "route",
      limit,
      windowMs,
      by: textAt(entry, "by") ?? "caller",
      counts: textAt(entry, "counts") === "failures" ? "failures" : "requests",
    },
  ];
}

function readPage(entry: JsonRecord | undefined): Page | undefined {
  const kind = textAt(entry, "kind");
  const max = numberAt(entry, "max");
  if ((kind !== "cursor" && kind !== "pages") || max === undefined) return undefined;
  return { kind, size: numberAt(entry, "size") ?? 20, max };
}
