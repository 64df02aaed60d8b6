import { decoded } from "./decoded.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Header, Identity } from "./identities.ts";
import { isRecord, parseJson } from "./json.ts";
import { Unreachable } from "./scan-error.ts";
import { type Operation, pathParameters } from "./target.ts";

/** What fills an operation in. */
export interface Filling {
  /** Whose credential to send; undefined sends none. */
  readonly as?: Identity | undefined;
  /** Values of the path's parameters, not yet encoded. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** JSON body; a string is sent as it is. */
  readonly body?: unknown;
  /** More headers; a name given here replaces the same name. */
  readonly headers?: readonly Header[];
  /** Who it says it comes from; default: the identity's name, or `nobody`. */
  readonly label?: string;
}

/**
 * The request of an operation.
 *
 * @throws Unreachable when a path parameter has no value
 */
export function requestFor(operation: Operation, filling: Filling): Outgoing {
  let path = operation.path;
  for (const name of pathParameters(operation.path)) {
    const value = filling.params?.[name];
    if (value === undefined) throw new Unreachable(`no value is known for "${name}" of ${operation.id}`);
    path = path.replace(`{${name}}`, encodeURIComponent(value));
  }
  const query = new URLSearchParams(filling.query).toString();
  const body = bodyText(filling.body, operation.body?.mediaType);
  const own: Header[] = [...operation.headers];
  if (filling.as !== undefined) own.push(filling.as.header, ...(filling.as.along ?? []));
  if (body !== undefined) own.push(["content-type", operation.body?.mediaType ?? "application/json"]);
  const replaced = new Set((filling.headers ?? []).map(([name]) => name.toLowerCase()));
  const headers = [...own.filter(([name]) => !replaced.has(name)), ...(filling.headers ?? [])];
  return {
    method: operation.method,
    target: query === "" ? path : `${path}?${query}`,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(filling.as === undefined ? {} : { as: filling.as }),
    operation,
    label: filling.label ?? filling.as?.name ?? "nobody",
  };
}

function bodyText(body: unknown, mediaType: string | undefined): string | undefined {
  if (body === undefined || typeof body === "string") return body;
  if (mediaType === "application/x-www-form-urlencoded" && isRecord(body)) {
    const fields = Object.entries(body).map(([name, value]): [string, string] => [name, fieldText(value)]);
    return new URLSearchParams(fields).toString();
  }
  return JSON.stringify(body);
}

function fieldText(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** The same request with another credential, or without one. It counts as anonymous. */
export function withCredential(outgoing: Outgoing, credential: Header | undefined, label: string): Outgoing {
  const { as, ...rest } = outgoing;
  const replaced = new Set([as?.header[0], credential?.[0], ...(credential === undefined ? personalHeaders(as) : [])]);
  const headers = outgoing.headers.filter(([name]) => !replaced.has(name));
  return { ...rest, headers: credential === undefined ? headers : [credential, ...headers], label };
}

/** Names of the headers that are an identity's own besides its credential; what any browser says is nobody's own. */
export function personalHeaders(identity: Identity | undefined): readonly string[] {
  return (identity?.along ?? []).flatMap(([name]) => (/^(?:sec-fetch-.*|origin|referer)$/.test(name) ? [] : [name]));
}

/** The same request with one query parameter more. */
export function withQuery(outgoing: Outgoing, name: string, value: string): Outgoing {
  const joint = outgoing.target.includes("?") ? "&" : "?";
  return { ...outgoing, target: `${outgoing.target}${joint}${encodeURIComponent(name)}=${encodeURIComponent(value)}` };
}

/** The same request with headers added, replacing those of the same name. */
export function withHeaders(outgoing: Outgoing, headers: readonly Header[], label = outgoing.label): Outgoing {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  return { ...outgoing, headers: [...outgoing.headers.filter(([name]) => !names.has(name)), ...headers], label };
}

/** The body a request carries, as an object; undefined where it is none. */
export function bodyOf(outgoing: Outgoing): Readonly<Record<string, unknown>> | undefined {
  if (typeof outgoing.body !== "string") return undefined;
  const json = parseJson(outgoing.body);
  return isRecord(json) ? json : undefined;
}

/** The members of a body, of a form as well as of JSON; undefined where it has none. */
export function fieldsOf(outgoing: Outgoing): Readonly<Record<string, unknown>> | undefined {
  if (!isForm(outgoing)) return bodyOf(outgoing);
  return typeof outgoing.body === "string" ? Object.fromEntries(new URLSearchParams(outgoing.body)) : undefined;
}

/** The same request with these members beside those it has, written in its own type: JSON in a form says nothing. */
export function withFields(outgoing: Outgoing, more: Readonly<Record<string, unknown>>): Outgoing {
  const type = isForm(outgoing) ? form : undefined;
  const body = bodyText({ ...fieldsOf(outgoing), ...more }, type);
  return { ...outgoing, ...(body === undefined ? {} : { body }) };
}

const form = "application/x-www-form-urlencoded";

/** True where the body is a form. */
export function isForm({ headers }: Outgoing): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === "content-type" && value.toLowerCase().startsWith(form));
}

/** The values of a template's parameters in a path; undefined where the path is not of that template. */
export function paramsIn(template: string, path: string): Readonly<Record<string, string>> | undefined {
  const parts = path.split("/");
  const names = template.split("/");
  if (parts.length !== names.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const part = parts[index] ?? "";
    const parameter = /^\{(.+)\}$/.exec(name)?.[1];
    if (parameter === undefined && name !== part) return undefined;
    if (parameter !== undefined) params[parameter] = decoded(part);
  }
  return params;
}
