import type { Caller } from "./caller.ts";

/**
 * A kind of object with an owner or a tenant, declared once. The rule of every route and every list that touches it is
 * the same: tenant AND (owner OR grant OR shared). A value that is null, undefined or "" equals nothing.
 */
export interface Resource<T> {
  readonly name: string;
  readonly rule: ResourceRule<T>;
}

/** How an object is loaded and who may reach it. */
export interface ResourceRule<T> {
  /**
   * Loads one object by the id a client sent; null or undefined where there is none. May be asynchronous.
   *
   * @param id      never empty; an integer, where the schema has one, as its text
   * @param caller  who asks, for a database that has rules of its own; undefined on public routes for strangers. What is
   *   loaded passes the rule below all the same
   */
  load(id: string, caller: Caller | undefined): T | null | undefined | Promise<T | null | undefined>;
  /** The tenant the object belongs to; only callers of this tenant see it. */
  tenant?(object: T): string | null | undefined;
  /** The subject that owns the object; gives the role `owner`. */
  owner?(object: T): string | null | undefined;
  /**
   * Roles the caller holds in this object; an empty list is no access. Synchronous, on loaded data, so that a list
   * costs no query per row.
   */
  grant?(object: T, caller: Caller): readonly string[];
  /** Everybody the tenant rule lets through may see it, for this written reason; gives no role. */
  shared?: string;
  /**
   * The object stands under another one and is reached through it: the caller's roles there count here too, written
   * `<parent>:<role>`.
   */
  parent?: Parent<T>;
  /** Fields only the server writes; no input schema may declare them. */
  serverSet?: readonly string[];
}

/** The object that another one stands under. */
export interface Parent<T> {
  // The parent's own object type does not matter to the child; only its name and its rule's answer do.
  readonly resource: AnyResource;
  /** Id of the parent, as the parent's `load` takes it. */
  id(object: T): string | null | undefined;
}

/** A resource of whatever object type; values of it pass through `rule` only after `load` of the same rule made them. */
export interface AnyResource {
  readonly name: string;
  readonly rule: AnyRule;
}

// Method parameters are compared bivariantly, so every ResourceRule<T> is an AnyRule without a cast.
interface AnyRule {
  load(id: string, caller: Caller | undefined): unknown;
  tenant?(object: unknown): string | null | undefined;
  owner?(object: unknown): string | null | undefined;
  grant?(object: unknown, caller: Caller): readonly string[];
  shared?: string;
  parent?: { readonly resource: AnyResource; id(object: unknown): string | null | undefined };
  serverSet?: readonly string[];
}

/** How a route finds one of its objects: the place of the id and the resource that loads it. */
export interface ById<Field extends string = string, T = unknown> {
  readonly kind: "by";
  /** `id` of the path, or `query.<field>`, `body.<field>`, `header.<name>`. */
  readonly field: Field;
  readonly resource: Resource<T>;
  /** Name of an object of the same route that this one must stand under. */
  readonly within: string | undefined;
}

/** Like {@link ById} for a list of ids; the handler gets the objects in the same order. */
export interface ByEach<Field extends string = string, T = unknown> {
  readonly kind: "by-each";
  readonly field: Field;
  readonly resource: Resource<T>;
}

/** Says that something shaped like an id names no object of ours, and why. The key in `objects` is the id's field. */
export interface NotAnObject {
  readonly kind: "not-an-object";
  readonly reason: string;
}

/**
 * Loads an object by an id the client sent, through its resource's rule. One that is not there and one out of the
 * caller's reach are refused alike with `object-not-found` (404); a `load` that throws, with `object-unavailable` (503).
 *
 * @param field     the id's place: a path parameter's name, or `query.x`, `body.x`, `header.x`
 * @param resource  what `api.resource` returned
 * @param options   `within`: the object of the same route it must stand under, declared before it; default none. One
 *   that is not loaded before it stops the start (`StartRefused`)
 * @see OWASP API1:2023
 */
export function by<const Field extends string, T>(
  field: Field,
  resource: Resource<T>,
  options: { readonly within?: string } = {},
): ById<Field, T> {
  return Object.freeze({ kind: "by", field, resource, within: options.within });
}

/**
 * Loads each object of a list of ids (`body.memberIds`), every one through its resource's rule and one after the other,
 * so that the list's own longest length bounds the work. One id out of the caller's reach refuses the whole request with
 * `object-not-found` (404); a `load` that throws, with `object-unavailable` (503).
 *
 * @param field     the list's place: `query.x` or `body.x`; in a body `*` is each entry of a list on the way
 * @param resource  what `api.resource` returned
 * @see OWASP API1:2023
 */
export function byEach<const Field extends string, T>(field: Field, resource: Resource<T>): ByEach<Field, T> {
  return Object.freeze({ kind: "by-each", field, resource });
}

/**
 * Declares that an id is not an object's: `objects: { traceId: notAnObject("made by the client, only echoed") }`.
 *
 * @param reason  kept in the manifest; a reviewer reads it. a blank one stops the start (`StartRefused`)
 * @see OWASP API1:2023, which this leaves to the handler
 */
export function notAnObject(reason: string): NotAnObject {
  return Object.freeze({ kind: "not-an-object", reason });
}
