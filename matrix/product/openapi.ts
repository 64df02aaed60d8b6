import { z } from "zod";
import { sessionCookie } from "./people.ts";
import type { Operation, Shape } from "./operation.ts";

/** The description a plain API would publish to its own team: OpenAPI 3.1, without anything of ours. */
export function openapiOf(operations: readonly Operation[], isSigned: "HS256" | "RS256") {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = operation.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[operation.method.toLowerCase()] = described(operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "projects", version: "1" },
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: `JWT ${isSigned}` },
        key: { type: "apiKey", in: "header", name: "X-Api-Key" },
        session: { type: "apiKey", in: "cookie", name: sessionCookie },
      },
    },
  };
}

function described(operation: Operation): object {
  const { method, path, access, scope, role, params, query, body, page, status, output, headers = [] } = operation;
  const notes = [scope === undefined ? [] : `Scope ${scope}.`, role === undefined ? [] : `Role ${role} only.`].flat();
  const parameters = [
    ...membersOf(params, "path"),
    ...membersOf(query, "query"),
    ...(page === undefined ? [] : pageParameters(page)),
    ...headers.map((name) => ({
      name,
      in: "header",
      required: access === "webhook",
      schema: { type: "string", maxLength: 200 },
    })),
  ];
  return {
    operationId: `${method} ${path}`,
    ...(notes.length === 0 ? {} : { description: notes.join(" ") }),
    ...(operation.sunset === true ? { deprecated: true } : {}),
    security: access === "caller" ? [{ token: [] }, { key: [] }, { session: [] }] : [],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } } }),
    responses: {
      ...(operation.sunset === true
        ? { 410: { description: "Gone: this version had its sunset on 2025-07-01." } }
        : { [status]: { description: "Done.", ...contentOf(output) } }),
      429: { description: "Too many requests.", headers: { "Retry-After": { schema: { type: "integer" } } } },
      default: { description: "A problem (RFC 9457)." },
    },
  };
}

function contentOf(output: z.ZodType | undefined): object {
  return output === undefined ? {} : { content: { "application/json": { schema: schemaOf(output, "output") } } };
}

function membersOf(schema: Shape | undefined, place: string): object[] {
  return membersIn(schema).map(([name, member]) => ({
    name,
    in: place,
    required: true,
    schema: schemaOf(member, "input"),
  }));
}

function membersIn(schema: Shape | undefined): readonly [string, z.core.$ZodType][] {
  return Object.entries(schema?.shape ?? {});
}

function pageParameters(kind: "cursor" | "pages"): object[] {
  const limit = { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 100, default: 20 } };
  const which =
    kind === "cursor"
      ? { name: "cursor", in: "query", schema: { type: "string", maxLength: 500 } }
      : { name: "page", in: "query", schema: { type: "integer", minimum: 1, maximum: 1000, default: 1 } };
  return [limit, which];
}

function schemaOf(schema: z.core.$ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
