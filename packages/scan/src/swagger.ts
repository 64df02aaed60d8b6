import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt } from "./json.ts";

/**
 * A Swagger 2.0 document as OpenAPI 3: what the prover reads, and no more. Any other document comes back as it is.
 *
 * @param document  all references resolved
 * @see OpenAPI 3.0.4, and the differences from 2.0 in its change log
 */
export function toOpenapi3(document: JsonRecord): JsonRecord {
  if (textAt(document, "swagger") === undefined) return document;
  const paths: Record<string, unknown> = {};
  for (const [path, item] of Object.entries(recordAt(document, "paths") ?? {})) {
    if (isRecord(item)) paths[path] = itemOf(document, item);
  }
  return {
    openapi: "3.0.4",
    info: document["info"],
    servers: [{ url: textAt(document, "basePath") ?? "" }],
    ...(document["security"] === undefined ? {} : { security: document["security"] }),
    components: { securitySchemes: schemesOf(recordAt(document, "securityDefinitions")) },
    paths,
  };
}

const methods = new Set(["get", "head", "post", "put", "patch", "delete", "options"]);

function itemOf(document: JsonRecord, item: JsonRecord): JsonRecord {
  const shared = listAt(item, "parameters").filter(isRecord);
  const out: Record<string, unknown> = { parameters: shared.filter(isPlain).map(parameterOf) };
  for (const [method, operation] of Object.entries(item)) {
    if (methods.has(method) && isRecord(operation)) out[method] = operationOf(document, operation, shared);
  }
  return out;
}

function operationOf(document: JsonRecord, operation: JsonRecord, shared: readonly JsonRecord[]): JsonRecord {
  const own = listAt(operation, "parameters").filter(isRecord);
  const body = bodyOf([...shared, ...own], consumes(document, operation));
  const produces = textsAt(operation, "produces")[0] ?? textsAt(document, "produces")[0] ?? "application/json";
  const responses: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(recordAt(operation, "responses") ?? {})) {
    const schema = recordAt(answer, "schema");
    responses[status] = {
      description: textAt(answer, "description") ?? "",
      ...(schema === undefined ? {} : { content: { [produces]: { schema } } }),
    };
  }
  return {
    ...(operation["security"] === undefined ? {} : { security: operation["security"] }),
    ...(operation["deprecated"] === true ? { deprecated: true } : {}),
    ...(operation["operationId"] === undefined ? {} : { operationId: operation["operationId"] }),
    parameters: own.filter(isPlain).map(parameterOf),
    ...(body === undefined ? {} : { requestBody: body }),
    responses,
  };
}

function isPlain(parameter: JsonRecord): boolean {
  const place = textAt(parameter, "in");
  return place === "path" || place === "query" || place === "header";
}

/** In 2.0 a parameter that is no body carries its schema's members itself. */
function parameterOf(parameter: JsonRecord): JsonRecord {
  const { name, in: place, required, description: _description, ...schema } = parameter;
  return { name, in: place, required, schema };
}

function consumes(document: JsonRecord, operation: JsonRecord): readonly string[] {
  const own = textsAt(operation, "consumes");
  return own.length > 0 ? own : textsAt(document, "consumes");
}

function bodyOf(parameters: readonly JsonRecord[], types: readonly string[]): JsonRecord | undefined {
  const body = parameters.find((parameter) => textAt(parameter, "in") === "body");
  if (body !== undefined) {
    const type = types.find((one) => /json/i.test(one)) ?? types[0] ?? "application/json";
    return { required: body["required"] === true, content: { [type]: { schema: recordAt(body, "schema") ?? {} } } };
  }
  const fields = parameters.filter((parameter) => textAt(parameter, "in") === "formData");
  if (fields.length === 0) return undefined;
  const type = types.find((one) => /form/i.test(one)) ?? "application/x-www-form-urlencoded";
  const properties = Object.fromEntries(
    fields.map((field) => [String(field["name"]), recordAt(parameterOf(field), "schema")]),
  );
  const required = fields.filter((field) => field["required"] === true).map((field) => String(field["name"]));
  return { required: required.length > 0, content: { [type]: { schema: { type: "object", properties, required } } } };
}

function schemesOf(definitions: JsonRecord | undefined): JsonRecord {
  const out: Record<string, unknown> = {};
  for (const [name, scheme] of Object.entries(definitions ?? {})) {
    out[name] = textAt(scheme, "type") === "basic" ? { type: "http", scheme: "basic" } : scheme;
  }
  return out;
}
