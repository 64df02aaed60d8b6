import { namesObject, namesPerson } from "./bodies.ts";
import { isRecord } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { kindNamed } from "./references.ts";
import { bodyOf } from "./requests.ts";
import type { Outgoing } from "./fetcher.ts";
import { propertiesOf, typeOf } from "./schema.ts";
import type { Operation } from "./target.ts";

/** Where a request names an object besides its path. */
export interface IdPlace {
  readonly in: "query" | "header" | "body";
  readonly field: string;
  readonly kind: Kind;
  /** True where it holds several ids. */
  readonly isList: boolean;
}

/** Every place besides the path where an operation names an object the scan can make: what a manifest says, else by name. */
export function idPlaces(kinds: readonly Kind[], operation: Operation): readonly IdPlace[] {
  const isSaid = (field: string) => operation.objects.some((use) => use.field === field);
  const named = (place: IdPlace["in"], field: string, isList: boolean): readonly IdPlace[] => {
    // Names of headers are written in any case.
    const name = place === "header" ? field.toLowerCase().replaceAll("-", "_") : field;
    if (!isSaid(field) && (!namesObject(name) || namesPerson(name))) return [];
    const kind = kindNamed(kinds, operation, field);
    return kind === undefined ? [] : [{ in: place, field, kind, isList }];
  };
  return [
    ...operation.parameters.flatMap(({ in: place, name, schema }) =>
      place === "query" || place === "header" ? named(place, name, typeOf(schema) === "array") : [],
    ),
    ...[...propertiesOf(operation.body?.schema ?? {})].flatMap(([name, schema]) =>
      named("body", name, typeOf(schema) === "array"),
    ),
  ];
}

/** The same request with another id in that place. */
export function withId(outgoing: Outgoing, { in: place, field, isList }: IdPlace, id: string): Outgoing {
  if (place === "header") {
    const name = field.toLowerCase();
    return { ...outgoing, headers: [...outgoing.headers.filter(([own]) => own !== name), [name, id]] };
  }
  if (place === "body") {
    const body = bodyOf(outgoing) ?? {};
    const before = body[field];
    const one = typeof before === "number" && /^\d+$/.test(id) ? Number(id) : id;
    return { ...outgoing, body: JSON.stringify({ ...(isRecord(body) ? body : {}), [field]: isList ? [one] : one }) };
  }
  const [path = "", text = ""] = outgoing.target.split("?");
  const query = new URLSearchParams(text);
  query.set(field, id);
  return { ...outgoing, target: `${path}?${query.toString()}` };
}
