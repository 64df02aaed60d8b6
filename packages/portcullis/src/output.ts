import type { HtmlOutput, HtmlPage } from "./html.ts";
import type { ProtocolErrorOutput } from "./protocol-error.ts";
import type { RedirectOutput } from "./redirect.ts";
import type { Refusal } from "./refusal.ts";
import type { AnyResource, Resource } from "./resource.ts";
import type { Serializable } from "./lib/serializer.ts";
import type { AnySchema, InferOutput } from "./lib/standard-schema.ts";

/** One declared answer: what leaves, and whose objects stand in it. */
export type OutputRule =
  | AnySchema
  | ViewOutput
  | ListOutput
  | UnownedOutput
  | NothingOutput
  | HtmlOutput
  | RedirectOutput
  | ProtocolErrorOutput;

/** What a route may answer: one rule, one per role, or one per status. */
export type OutputPolicy = OutputRule | ByRoleOutput | OutputByStatus;

/**
 * Rules by status: the 2xx statuses the handler may answer with, 303 or 302 for a redirect, and 400, 401, 403 or 404 where
 * a refusal is a page, or another specification fixes how it looks.
 */
export interface OutputByStatus {
  readonly [status: number]: OutputRule | ByRoleOutput;
}

/** One object of a resource (or several, where `at` says so). */
export interface ViewOutput<S extends AnySchema = AnySchema, V = unknown> {
  readonly kind: "view";
  readonly schema: S;
  readonly resource: AnyResource;
  /** Where the objects stand in the handler's raw value; undefined: the value itself is the object. */
  at?(value: V): unknown;
  readonly optOut: EgressOptOut | undefined;
}

/** A page of objects of a resource. */
export interface ListOutput<S extends AnySchema = AnySchema, V = unknown> {
  readonly kind: "list";
  readonly schema: S;
  readonly resource: AnyResource;
  /** Only for the type of one item; never there. */
  readonly item?: V;
  readonly optOut: EgressOptOut | undefined;
}

/** A value with ids in it that are nobody's, for a written reason. */
export interface UnownedOutput<S extends AnySchema = AnySchema> {
  readonly kind: "unowned";
  readonly schema: S;
  readonly reason: string;
}

/** No body: 204. */
export interface NothingOutput {
  readonly kind: "nothing";
}

/** Another view per role: the first key the caller holds (in the innermost object, or as a role) wins; `otherwise` for the rest. */
export interface ByRoleOutput<R extends Readonly<Record<string, OutputRule>> = Readonly<Record<string, OutputRule>>> {
  readonly kind: "by-role";
  readonly roles: R;
}

/** A written reason why the objects in an answer are not checked against the caller. */
export type EgressOptOut =
  | { readonly kind: "shared"; readonly reason: string }
  | { readonly kind: "every-owner"; readonly roles: readonly string[]; readonly reason: string };

/** The answer has no body. */
export const nothing: NothingOutput = Object.freeze({ kind: "nothing" });

interface EgressOptions {
  /** Instead of the caller's own reach: {@link shared} or {@link everyOwner}. */
  readonly owners?: EgressOptOut;
}

/**
 * The answer is one object of `resource`, of which the fields of `schema` leave. Before anything is filtered the raw
 * value passes the resource's rule again; an object that is not the caller's aborts the answer.
 *
 * @param schema    declared fields; a closed object
 * @param resource  whose object it is
 * @param options   `at`: where the objects stand in the value, if it is not the object itself; `owners`: a written
 *   reason to check less ({@link shared}, {@link everyOwner}), default the caller's own reach
 * @returns the rule; the answer is refused with `foreign-object` (500) where an object is not the caller's, and with
 *   `undeclared-output` (500) where the value does not fit the schema. A schema that is not closed stops the start
 * @see OWASP API1:2023, API3:2023
 */
export function view<S extends AnySchema, T>(
  schema: S,
  resource: Resource<T>,
  options?: EgressOptions,
): ViewOutput<S, RowFor<S, T>>;
export function view<S extends AnySchema, T, V>(
  schema: S,
  resource: Resource<T>,
  options: EgressOptions & { readonly at: (value: V) => T | readonly T[] },
): ViewOutput<S, V>;
export function view<S extends AnySchema, V>(
  schema: S,
  resource: AnyResource,
  options: EgressOptions & { readonly at?: (value: V) => unknown } = {},
): ViewOutput<S, V> {
  return Object.freeze({
    kind: "view",
    schema,
    resource,
    ...(options.at === undefined ? {} : { at: options.at }),
    optOut: options.owners,
  });
}

/**
 * The answer is a page of objects of `resource`: `{ items, next }` with a sealed cursor, or
 * `{ items, page, limit, total, pages }`, as the route's `page` says. Each object passes the resource's rule.
 *
 * @param schema    declared fields of one item; a closed object
 * @param resource  whose objects they are
 * @param options   `owners`: a written reason to check less, default the caller's own reach
 * @returns the rule; the answer is refused with `foreign-object` (500) where one object is not the caller's, with
 *   `unbounded-list` (500) where there are more than were asked for, and with `undeclared-output` (500) where the value is
 *   no page of such items. A route without `page` does not start
 * @see OWASP API1:2023, API3:2023, API4:2023
 */
export function list<S extends AnySchema, T>(
  schema: S,
  resource: Resource<T>,
  options: EgressOptions = {},
): ListOutput<S, RowFor<S, T>> {
  return Object.freeze({ kind: "list", schema, resource, optOut: options.owners });
}

/**
 * The answer is a value with ids in it, and no resource says whose they are: for what has no owner, such as a list of
 * countries, the caller's own account, or the id of a job that was just begun. Nobody checks them against the caller;
 * only declared fields leave, as with any schema. A schema without ids needs no such excuse.
 *
 * @param schema  declared fields; a closed object
 * @param reason  why these ids are nobody's, for the reviewer of the manifest; a blank one stops the start (`StartRefused`)
 * @returns the rule; the answer is refused with `undeclared-output` (500) where the value does not fit the schema
 * @see OWASP API1:2023, which this leaves to the handler
 */
export function unowned<S extends AnySchema>(schema: S, reason: string): UnownedOutput<S> {
  return Object.freeze({ kind: "unowned", schema, reason });
}

/**
 * Another output for each role. The first key the caller holds, in the order they are written, wins: a role in the
 * route's innermost object, or one of the caller's own.
 *
 * @param roles  outputs by role; `otherwise`, for everybody else, is required, and the start is refused without it
 * @see OWASP API3:2023
 */
export function byRole<const R extends Readonly<Record<string, OutputRule>> & { readonly otherwise: OutputRule }>(
  roles: R,
): ByRoleOutput<R> {
  return Object.freeze({ kind: "by-role", roles });
}

/**
 * These objects are for everybody who may call the route: neither owner nor tenant is checked on their way out.
 *
 * @param reason  for the reviewer of the manifest; a blank one stops the start (`StartRefused`)
 * @see OWASP API1:2023, which this leaves to the handler
 */
export function shared(reason: string): EgressOptOut {
  return Object.freeze({ kind: "shared", reason });
}

/**
 * Callers with one of these roles see every owner's objects, in their own tenant; for all others the resource's rule
 * stays. The options are copied.
 *
 * @param options  `roles`: the caller's own, not those in an object; `reason`: for the reviewer of the manifest. The
 *   start is refused (`StartRefused`) without a role, with a blank reason, and where only a parent knows the tenant
 * @see OWASP API1:2023
 */
export function everyOwner(options: { readonly roles: readonly string[]; readonly reason: string }): EgressOptOut {
  return Object.freeze({ kind: "every-owner", roles: Object.freeze([...options.roles]), reason: options.reason });
}

/** What a handler may say besides the value: status, headers, cookies. */
export interface AnswerOptions<Status extends number = number> {
  /** One of the statuses the route's output declares. */
  readonly status?: Status;
  /** Only names the security headers do not own; `location`, `etag`, `link`, `last-modified`, `content-language`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Cookies to set; attributes are safe where nothing is said. */
  readonly cookies?: readonly CookieToSet[];
}

/** One Set-Cookie. Defaults: Secure, HttpOnly, SameSite=Strict, Path=/. @see RFC 6265bis */
export interface CookieToSet {
  readonly name: string;
  /** "" with `maxAgeSeconds: 0` clears it. */
  readonly value: string;
  /** Seconds; undefined: until the browser closes. */
  readonly maxAgeSeconds?: number;
  readonly sameSite?: "Strict" | "Lax";
}

/** A handler's value together with how to answer it; made by {@link answer}. */
export class Answered<V, Status extends number = number> {
  readonly value: V;
  readonly options: AnswerOptions<Status>;
  constructor(value: V, options: AnswerOptions<Status>) {
    this.value = value;
    this.options = options;
  }
}

/**
 * Answers with a status, headers or cookies of the handler's choice: `answer(row, { status: 201 })`. Throws nothing; a
 * status without a declared output (a type error where the types can tell), a header that is not a handler's to set, and a session cookie of a route without
 * `startsSession` are refused with `undeclared-output` (500) when the answer is made.
 *
 * @param value    the raw value, filtered by the output of that status
 * @param options  each may be left out; cookie lifetimes in seconds
 * @see RFC 9110 section 15.3, RFC 6265bis
 */
export function answer<V, const Status extends number = never>(
  value: V,
  options: AnswerOptions<Status>,
): Answered<V, Status> {
  return new Answered(value, options);
}

/** What a handler may return for an output: its raw value, an answer with it, or a refusal. */
export type HandlerResult<O> = ResultValue<O> | Answered<ResultValue<O>, StatusOf<O>> | Refusal;

/** The statuses a route may answer with: those of its map, 204 for nothing, else 200. */
type StatusOf<O> = O extends NothingOutput
  ? 204
  : O extends RedirectOutput
    ? 303
    : O extends { readonly kind: string } | AnySchema
      ? 200
      : Extract<keyof O, number>;

type ResultValue<O> = O extends NothingOutput
  ? undefined | void
  : O extends ListOutput<AnySchema, infer V>
    ? Page<V>
    : O extends ViewOutput<AnySchema, infer V>
      ? V
      : O extends { readonly kind: "by-role"; readonly roles: infer R }
        ? ResultValue<R[keyof R]>
        : O extends UnownedOutput<infer S>
          ? Serializable<InferOutput<S>>
          : O extends HtmlOutput
            ? HtmlPage
            : O extends RedirectOutput
              ? string
              : O extends ProtocolErrorOutput<infer S>
                ? Serializable<InferOutput<S>>
                : O extends AnySchema
                  ? Serializable<InferOutput<O>>
                  : O extends { readonly [status: number]: infer V }
                    ? ResultValue<V>
                    : never;

/**
 * The whole object, so that its owner can be read, and what the schema declares. Where the two disagree about a field
 * nothing fits, so that a column of another type is a mistake at compile time and not a 500.
 */
type RowFor<S extends AnySchema, T> = T & Serializable<InferOutput<S>>;

/** What a handler returns for {@link list}. */
export interface Page<V> {
  readonly items: readonly V[];
  /** Where the next page starts, for a cursor: any JSON value; it leaves sealed. Left out or null on the last page. */
  readonly next?: unknown;
  /** How many there are in all, for page numbers. */
  readonly total?: number;
}
