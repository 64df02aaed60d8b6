import { badValues } from "./bad-values.ts";
import type { Outgoing } from "./fetcher.ts";
import type { JsonRecord } from "./json.ts";
import { fieldsOf, withHeaders } from "./requests.ts";
import { isClosed, propertiesOf, simplified, typeOf } from "./schema.ts";

/** A form with one thing wrong. */
export interface BadForm {
  /** The kind of mistake, as the probe of input names it. */
  readonly check: string;
  readonly what: string;
  readonly outgoing: Outgoing;
}

/**
 * What a schema forbids in a form (`application/x-www-form-urlencoded`), one thing at a time. All values of a form are
 * text: a number may be none, a text cannot be of another type.
 *
 * @param honest   a form that is accepted
 * @param unknown  a name nobody declared
 */
export function badForms(honest: Outgoing, schema: JsonRecord, unknown: string): readonly BadForm[] {
  const fields = fieldsOf(honest) ?? {};
  const text = typeof honest.body === "string" ? honest.body : "";
  const bad: BadForm[] = [];
  const add = (check: string, what: string, body: string) =>
    void bad.push({ check, what, outgoing: { ...honest, body } });
  if (isClosed(schema)) {
    add("unknown-field", "an unknown field", `${text}&${unknown}=x`);
    add("prototype-key", "a __proto__ key", `${text}&__proto__%5BisAdmin%5D=true`);
    add("constructor-key", "a constructor key", `${text}&constructor%5Bprototype%5D%5BisAdmin%5D=true`);
  }
  const scalars = [...propertiesOf(schema)].filter(([, member]) => isScalar(member));
  const once = scalars.find(([name]) => fields[name] !== undefined)?.[0];
  if (once !== undefined && isClosed(schema)) {
    const again = new URLSearchParams([[once, String(fields[once])]]).toString();
    add("duplicate-key", `${once} twice`, `${text}&${again}`);
  }
  const typed = typedFields(fields, scalars);
  for (const { fault, what, body } of badValues(typed, {
    ...simplified(schema),
    properties: Object.fromEntries(scalars),
  })) {
    const changed = new URLSearchParams(
      Object.entries(body).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const isText = Object.entries(body).some(([name, value]) => value !== typed[name] && typeof value !== "object");
    const isLeftOut = fault === "missing";
    const isSame = [...changed].every(([name, value]) => String(fields[name]) === value) && !isLeftOut;
    const isOther = fault !== "type" || / as a (?:text|fraction)$/.test(what);
    if (!isSame && (isText || isLeftOut) && isOther) add(fault, what, changed.toString());
  }
  const json = JSON.stringify(typed);
  const called = (type: string) => withHeaders(honest, [["content-type", type]]);
  bad.push({ check: "json", what: "JSON in place of a form", outgoing: { ...called("application/json"), body: json } });
  bad.push({ check: "text-plain", what: "a form called text/plain", outgoing: called("text/plain") });
  const headers = honest.headers.filter(([name]) => name !== "content-type");
  bad.push({ check: "no-content-type", what: "no content type", outgoing: { ...honest, headers } });
  return bad;
}

function isScalar(schema: JsonRecord): boolean {
  return ["string", "integer", "number", "boolean"].includes(typeOf(simplified(schema)) ?? "");
}

/** The values of a form as their schemas mean them. */
function typedFields(
  fields: JsonRecord,
  declared: readonly (readonly [name: string, schema: JsonRecord])[],
): JsonRecord {
  const types = new Map(declared.map(([name, schema]) => [name, typeOf(simplified(schema))]));
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const type = types.get(name);
      if (type === "integer" || type === "number") return [name, Number(value)];
      return [name, type === "boolean" ? value === "true" : value];
    }),
  );
}
