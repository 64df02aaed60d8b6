import { type JsonRecord, recordAt, textAt } from "./json.ts";

/** How a credential travels, as `components.securitySchemes` says it. */
export interface Scheme {
  /** The name operations demand it by. */
  readonly name: string;
  readonly in: "header" | "cookie" | "query";
  /** The header, cookie or query parameter; header names in lower case. */
  readonly field: string;
  /** What stands before it in Authorization, such as `Bearer`; "" where the value stands alone. */
  readonly prefix: string;
}

/** The credentials a description knows; what is described in no way we know is left out. */
export function readSchemes(document: JsonRecord): readonly Scheme[] {
  const schemes = recordAt(recordAt(document, "components"), "securitySchemes");
  return Object.entries(schemes ?? {}).flatMap(([name, scheme]) => schemeOf(name, scheme) ?? []);
}

function schemeOf(name: string, scheme: unknown): Scheme | undefined {
  const type = textAt(scheme, "type");
  if (type === "oauth2" || type === "openIdConnect")
    return { name, in: "header", field: "authorization", prefix: "Bearer" };
  if (type === "http") {
    const prefix = textAt(scheme, "scheme") ?? "bearer";
    return { name, in: "header", field: "authorization", prefix: prefix.charAt(0).toUpperCase() + prefix.slice(1) };
  }
  const place = textAt(scheme, "in");
  const field = textAt(scheme, "name");
  if (type !== "apiKey" || field === undefined) return undefined;
  if (place === "header") return { name, in: place, field: field.toLowerCase(), prefix: "" };
  return place === "cookie" || place === "query" ? { name, in: place, field, prefix: "" } : undefined;
}
