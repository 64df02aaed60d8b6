import { isSuccess } from "./answer.ts";
import { namesObject, namesPerson } from "./bodies.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { canAct, type Header, type Identity } from "./identities.ts";
import { type Kind, kindAt } from "./kinds.ts";
import type { Random } from "./random.ts";
import { kindNamed, type References } from "./references.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { isSafe, type Operation, type Parameter, pathParameters } from "./target.ts";
import type { Thing } from "./thing.ts";
import { validValue } from "./values.ts";

/** What an operation has to be sent besides its body. */
export interface Filled {
  readonly params: Readonly<Record<string, string>>;
  /** Its required query parameters. */
  readonly query: Readonly<Record<string, string>>;
  /** Its required headers, but for credentials and what HTTP itself says. */
  readonly headers: readonly Header[];
  /** The objects it names or lists, the last one the innermost. Not all need to be the caller's own: see `owner`. */
  readonly things: readonly Thing[];
}

/** What it is filled with. */
export interface FillingOptions {
  readonly kinds: readonly Kind[];
  readonly identities: readonly Identity[];
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  readonly random: Random;
  /** What every marker begins with; a search for it finds what the scan made. */
  readonly prefix: string;
  readonly references: References;
  /** The caller's own object of a kind. */
  readonly shared: (kind: Kind, owner: Identity) => Promise<Thing>;
  /** The account of somebody else, and the caller's own. */
  readonly person: (owner: Identity) => string | undefined;
  readonly self: (owner: Identity) => string | undefined;
}

/** Fills operations in so that an honest caller could send them. */
export interface Filling {
  /** @throws Unreachable where an object it has to name can neither be made nor found */
  fill(operation: Operation, owner: Identity): Promise<Filled>;
  /**
   * An object of a kind that the caller may name: its own, or where it may not make one, that of somebody who may and
   * whose object the caller reads.
   *
   * @throws Unreachable where there is none
   */
  available(kind: Kind, owner: Identity): Promise<Thing>;
}

/** Makes the part of the objects' keeper that fills paths, queries and headers. */
export function createFilling(options: FillingOptions): Filling {
  const { kinds, random, references } = options;
  const found = new Map<string, Promise<Thing>>();

  async function find(kind: Kind, owner: Identity): Promise<Thing> {
    let why: unknown;
    try {
      return await options.shared(kind, owner);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      why = error;
    }
    for (const other of options.identities) {
      if (other.name === owner.name || !canAct(other)) continue;
      const thing = await options.shared(kind, other).catch(unlessUnreachable);
      if (thing === undefined) continue;
      if (kind.read === undefined) return thing;
      const seen = await options.send("reread", requestFor(kind.read, { as: owner, params: thing.params }));
      if (isSuccess(seen.answer)) return thing;
    }
    throw why;
  }

  async function pathValue(
    operation: Operation,
    owner: Identity,
    name: string,
    params: Readonly<Record<string, string>>,
  ) {
    const schema = operation.parameters.find((entry) => entry.in === "path" && entry.name === name)?.schema ?? {};
    if (namesPerson(name)) {
      // A read of somebody is one of oneself; a write, such as a membership, is about somebody else.
      const person = (isSafe(operation) ? options.self(owner) : undefined) ?? options.person(owner);
      if (person !== undefined) return person;
    }
    if (isSafe(operation) && isAmongPeople(operation.path, name)) {
      const self = options.self(owner);
      if (self !== undefined) return self;
    }
    // What nobody can create may be there already. Nothing of that is ever changed.
    const collection = operation.path.slice(0, operation.path.indexOf(`/{${name}}`));
    const listed = isSafe(operation) ? await references.listedAt(collection, owner, params) : undefined;
    return listed ?? String(validValue(schema, { random }, name));
  }

  async function valueFor(operation: Operation, owner: Identity, { name, schema }: Parameter): Promise<string> {
    if (namesPerson(name)) {
      const self = options.self(owner);
      if (self !== undefined) return self;
    }
    if (namesObject(name) || kindNamed(kinds, operation, name) !== undefined) {
      const id = await references.id(operation, owner, name);
      if (id !== undefined) return id;
    }
    const mark = isSearchName(name) ? { canary: options.prefix } : {};
    return String(validValue(schema, { random, ...mark }, name));
  }

  const filling: Filling = {
    available(kind, owner) {
      const key = `${kind.create?.id ?? kind.item} ${owner.name}`;
      const known = found.get(key);
      if (known !== undefined) return known;
      const made = find(kind, owner);
      found.set(key, made);
      return made;
    },
    async fill(operation, owner) {
      const params: Record<string, string> = {};
      const things: Thing[] = [];
      for (const name of pathParameters(operation.path)) {
        const kind = kindAt(kinds, operation.path, name);
        if (kind === undefined) {
          params[name] = await pathValue(operation, owner, name, params);
          continue;
        }
        const thing = await filling.available(kind, owner);
        Object.assign(params, thing.params);
        things.push(thing);
      }
      // A list shows most when it holds something of the owner.
      const listed = kinds.find((kind) => kind.list === operation);
      const member = listed === undefined ? undefined : await options.shared(listed, owner).catch(unlessUnreachable);
      if (member !== undefined) things.push(member);
      const query: Record<string, string> = {};
      const headers: Header[] = [];
      for (const parameter of operation.parameters) {
        if (!parameter.required) continue;
        if (parameter.in === "query") query[parameter.name] = await valueFor(operation, owner, parameter);
        if (parameter.in === "header" && isOwnHeader(operation, parameter.name))
          headers.push([parameter.name.toLowerCase(), await valueFor(operation, owner, parameter)]);
      }
      return { params, query, headers, things };
    },
  };
  return filling;
}

/** True for `/users/{id}`: whatever its name, it is an account. */
function isAmongPeople(path: string, name: string): boolean {
  const before = path.slice(0, path.indexOf(`/{${name}}`));
  return /\/(?:users?|members?|accounts?|people|persons?|profiles?|customers?)$/i.test(before);
}

/** True for parameters that people search by. */
export function isSearchName(name: string): boolean {
  return /^(?:q|query|search|term|filter|keywords?)$/i.test(name);
}

/** True for what neither HTTP nor the credential nor the version already says. */
function isOwnHeader(operation: Operation, name: string): boolean {
  const field = name.toLowerCase();
  if (operation.headers.some(([fixed]) => fixed === field)) return false;
  return !/^(?:authorization|cookie|accept.*|content-.*|host|origin|referer|user-agent|sec-.*|.*(?:api-?key|token|signature).*)$/.test(
    field,
  );
}

function unlessUnreachable(error: unknown): undefined {
  if (!(error instanceof Unreachable)) throw error;
}
