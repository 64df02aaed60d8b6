import { AsyncLocalStorage } from "node:async_hooks";
import { isSuccess } from "./answer.ts";
import { namesObject, namesPerson } from "./bodies.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { isRecord, type JsonRecord, recordAt } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { sameNoun, singular } from "./nouns.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { propertiesOf, requiredOf, simplified, typeOf } from "./schema.ts";
import { type Operation, pathParameters } from "./target.ts";

/** Ids that requests have to name, learned before the request is made: what one operation produces, another consumes. */
export interface References {
  /** Learns an id for every object a body has to name, creating what it names where that is possible. */
  learn(operation: Operation, owner: Identity): Promise<void>;
  /** The id for a member, as its schema wants it; undefined where none was learned. */
  known(owner: Identity, name: string, schema: JsonRecord): unknown;
  /** An id for a query parameter, a header or a member, made or found; undefined where nothing leads to one. */
  id(operation: Operation, owner: Identity, name: string): Promise<string | undefined>;
  /** The id of the first object in the list at a path, as the caller sees it; undefined where it shows none. */
  listedAt(collection: string, owner: Identity, params: Readonly<Record<string, string>>): Promise<string | undefined>;
}

/** What they are learned with. */
export interface ReferencesOptions {
  readonly kinds: readonly Kind[];
  readonly operations: readonly Operation[];
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  /** An object of a kind that the caller may name: its own, or where it may not make one, somebody's who may. */
  readonly available: (kind: Kind, owner: Identity) => Promise<{ readonly id: string }>;
}

/** Makes the memory of one scan. */
export function createReferences(options: ReferencesOptions): References {
  const ids = new Map<string, string>();
  const asked = new Map<string, Promise<void>>();
  /** What is being learned on the way here: what is being made may name what asked for it. */
  const within = new AsyncLocalStorage<readonly string[]>();
  const keyOf = (owner: Identity, name: string) =>
    `${owner.name} ${singular(stemOf(name)).toLowerCase().replace(/[-_]/g, "")}`;

  async function learnOne(operation: Operation, owner: Identity, name: string): Promise<void> {
    const key = keyOf(owner, name);
    const outer = within.getStore() ?? [];
    if (outer.includes(key)) return;
    const known = asked.get(key) ?? within.run([...outer, key], () => learnNew(operation, owner, name, key));
    asked.set(key, known);
    await known;
  }

  async function learnNew(operation: Operation, owner: Identity, name: string, key: string): Promise<void> {
    const kind = kindNamed(options.kinds, operation, name);
    const id = kind?.create === undefined ? undefined : await options.available(kind, owner).catch(unlessUnreachable);
    const found = id?.id ?? (await listed(owner, name));
    if (found !== undefined) ids.set(key, found);
  }

  /** What nobody can create may be there already, such as a category: the first of its list. */
  async function listed(owner: Identity, name: string): Promise<string | undefined> {
    const list = options.operations.find(
      (operation) =>
        operation.method === "GET" &&
        pathParameters(operation.path).length === 0 &&
        sameNoun(operation.path.split("/").at(-1) ?? "", stemOf(name)),
    );
    return list === undefined ? undefined : await references.listedAt(list.path, owner, {});
  }

  const references: References = {
    async learn(operation, owner) {
      for (const name of demandedIn(operation.body?.schema ?? {})) {
        if (namesObject(name) && !namesPerson(name)) await learnOne(operation, owner, name);
      }
    },
    known(owner, name, schema) {
      const id = ids.get(keyOf(owner, name));
      if (id === undefined) return undefined;
      const type = typeOf(schema);
      if (type === "array") return [id];
      return type === "integer" || type === "number" ? Number(id) : id;
    },
    async id(operation, owner, name) {
      await learnOne(operation, owner, name);
      return ids.get(keyOf(owner, name));
    },
    async listedAt(collection, owner, params) {
      const list = options.operations.find(({ method, path }) => method === "GET" && path === collection);
      if (list === undefined || pathParameters(collection).some((name) => params[name] === undefined)) return undefined;
      const { answer } = await options.send("positive", requestFor(list, { as: owner, params }));
      return isSuccess(answer) ? firstId(answer.json) : undefined;
    },
  };
  return references;
}

/**
 * The kind a parameter or member of an operation names: what a manifest says it does, else by its own name. Undefined where
 * it names no known kind.
 */
export function kindNamed(kinds: readonly Kind[], operation: Operation, name: string): Kind | undefined {
  if (operation.notObjects.includes(name)) return undefined;
  const said = operation.objects.find(({ field }) => field === name)?.resource;
  if (said !== undefined) return kinds.find((kind) => kind.name === said && kind.create !== undefined);
  return kinds.find(
    (kind) =>
      kind.create !== undefined &&
      (sameNoun(kind.name, stemOf(name)) || (kind.parameter === name && name.toLowerCase() !== "id")),
  );
}

/** Members a body has to have, those of demanded objects and of their lists included. */
function demandedIn(schema: JsonRecord, depth = 0): readonly string[] {
  if (depth > 3) return [];
  const required = new Set(requiredOf(schema));
  return [...propertiesOf(schema)].flatMap(([name, member]) => {
    if (!required.has(name)) return [];
    const plain = simplified(member);
    return [name, ...demandedIn(typeOf(plain) === "array" ? (recordAt(plain, "items") ?? {}) : plain, depth + 1)];
  });
}

function unlessUnreachable(error: unknown): undefined {
  if (!(error instanceof Unreachable)) throw error;
}

/** `projectId`, `project_ids`, `projectUuid`, `X-Project-Id` all speak of `project`. */
function stemOf(name: string): string {
  return name.replace(/^x-/i, "").replace(/[-_]?(?:ids?|uuids?)$/i, "");
}

/** The id of the first member of a list, wherever in the answer the list stands. */
function firstId(json: unknown): string | undefined {
  const levels = [json, ...(isRecord(json) ? Object.values(json) : [])];
  for (const level of levels) {
    const first: unknown = Array.isArray(level) ? level[0] : undefined;
    if (!isRecord(first)) continue;
    const id = first["id"] ?? first["_id"] ?? first["uuid"] ?? first["slug"];
    if (typeof id === "string" || typeof id === "number") return String(id);
  }
  return undefined;
}
