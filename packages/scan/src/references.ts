import { isSuccess } from "./answer.ts";
import { namesObject, namesPerson } from "./bodies.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { isRecord, type JsonRecord } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { propertiesOf, requiredOf, typeOf } from "./schema.ts";
import { type Operation, pathParameters } from "./target.ts";

/** Ids that bodies have to name, learned before the body is made: what one operation produces, another consumes. */
export interface References {
  /** Learns an id for every object a body has to name, creating what it names where that is possible. */
  learn(operation: Operation, owner: Identity): Promise<void>;
  /** The id for a member, as its schema wants it; undefined where none was learned. */
  known(owner: Identity, name: string, schema: JsonRecord): unknown;
}

/** What they are learned with. */
export interface ReferencesOptions {
  readonly kinds: readonly Kind[];
  readonly operations: readonly Operation[];
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  /** The object of a kind and owner that everybody reads and nobody changes. */
  readonly shared: (kind: Kind, owner: Identity) => Promise<{ readonly id: string }>;
}

/** Makes the memory of one scan. */
export function createReferences(options: ReferencesOptions): References {
  const ids = new Map<string, string>();
  const asked = new Set<string>();
  const keyOf = (owner: Identity, name: string) => `${owner.name} ${stemOf(name)}`;

  async function learnOne(owner: Identity, name: string): Promise<void> {
    const key = keyOf(owner, name);
    // Asked once: what is being made may name what asked for it.
    if (asked.has(key)) return;
    asked.add(key);
    const kind = options.kinds.find((entry) => entry.create !== undefined && isNamed(entry, name));
    const id = kind === undefined ? await listed(owner, name) : await made(kind, owner);
    if (id !== undefined) ids.set(key, id);
  }

  async function made(kind: Kind, owner: Identity): Promise<string | undefined> {
    try {
      return (await options.shared(kind, owner)).id;
    } catch (error) {
      if (error instanceof Unreachable) return undefined;
      throw error;
    }
  }

  /** What nobody can create may be there already, such as a category: the first of its list. */
  async function listed(owner: Identity, name: string): Promise<string | undefined> {
    const list = options.operations.find(
      (operation) =>
        operation.method === "GET" &&
        pathParameters(operation.path).length === 0 &&
        singular(operation.path.split("/").at(-1) ?? "") === stemOf(name),
    );
    if (list === undefined) return undefined;
    const { answer } = await options.send("positive", requestFor(list, { as: owner }));
    return isSuccess(answer) ? firstId(answer.json) : undefined;
  }

  return {
    async learn(operation, owner) {
      const schema = operation.body?.schema ?? {};
      const required = new Set(requiredOf(schema));
      for (const name of propertiesOf(schema).keys()) {
        if (required.has(name) && namesObject(name) && !namesPerson(name)) await learnOne(owner, name);
      }
    },
    known(owner, name, schema) {
      const id = ids.get(keyOf(owner, name));
      if (id === undefined) return undefined;
      const type = typeOf(schema);
      if (type === "array") return [id];
      return type === "integer" || type === "number" ? Number(id) : id;
    },
  };
}

/** `projectId`, `project_ids`, `projectUuid` all speak of `project`. */
function stemOf(name: string): string {
  return singular(name.replace(/[-_]?(?:ids?|uuids?)$/i, ""));
}

function singular(name: string): string {
  return name
    .toLowerCase()
    .replace(/[-_]/g, "")
    .replace(/ies$/, "y")
    .replace(/(?<=[^s])s$/, "");
}

function isNamed(kind: Kind, name: string): boolean {
  return singular(kind.name) === stemOf(name) || (kind.parameter === name && name.toLowerCase() !== "id");
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
