import type { IncomingMessage, ServerResponse } from "node:http";

/** Hands a request on; with an error to whoever handles errors. */
export type Next = (error?: unknown) => void;

/** What Express calls for a request. */
export type ExpressMiddleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void;

/** As much of an Express 4 or 5 application as is looked at; asked for by shape, so that no types of Express are needed. */
export interface ExpressApp {
  use(middleware: ExpressMiddleware): unknown;
}

/** An entry of a router's stack, as router 1 (Express 4) and router 2 (Express 5) have it. */
export interface ExpressLayer {
  readonly name: string;
  handle: (...args: unknown[]) => unknown;
  readonly route: ExpressRoute | undefined;
  /** The layer itself, for its `match`, which reads and keeps state there. */
  readonly self: object;
}

/** One path's handlers by method. */
export interface ExpressRoute {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, unknown>>;
}

/**
 * The stack of an application or a router, in the order Express asks it.
 *
 * @returns undefined where this is neither, or an application without any route or middleware yet
 */
export function stackOf(owner: unknown): unknown[] | undefined {
  if (!isObject(owner)) return undefined;
  const own = listAt(owner, "stack");
  if (own !== undefined) return own;
  // Express 4 keeps it in `_router`, and its `router` throws; Express 5 has `router`.
  const router: unknown =
    Reflect.get(owner, "_router") ?? (hasLazyRouter(owner) ? undefined : Reflect.get(owner, "router"));
  return isObject(router) ? listAt(router, "stack") : undefined;
}

/** A stack's entry as this file describes it; undefined for anything else. */
export function layerOf(entry: unknown): ExpressLayer | undefined {
  if (!isObject(entry)) return undefined;
  const handle: unknown = Reflect.get(entry, "handle");
  const route: unknown = Reflect.get(entry, "route");
  if (typeof handle !== "function") return undefined;
  const name: unknown = Reflect.get(entry, "name");
  return {
    name: typeof name === "string" ? name : "<anonymous>",
    get handle() {
      return (...args: unknown[]): unknown => Reflect.apply(handle, entry, args);
    },
    set handle(replaced) {
      Reflect.set(entry, "handle", replaced);
    },
    route: isRoute(route) ? route : undefined,
    self: entry,
  };
}

/** What stands behind a layer, such as a router with a stack of its own. */
export function handleOf(layer: ExpressLayer): unknown {
  return Reflect.get(layer.self, "handle");
}

/** A part of a path that a layer's own matcher took, with the values it found there. */
export interface LayerMatch {
  /** What was matched, from the beginning of the path; "" for a mount at the root. */
  readonly path: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Asks the layer's own matcher, as Express does for every request. */
export function matchLayer({ self }: ExpressLayer, path: string): LayerMatch | undefined {
  const match: unknown = Reflect.get(self, "match");
  if (typeof match !== "function") return undefined;
  let found: unknown;
  try {
    found = Reflect.apply(match, self, [path]);
  } catch {
    // A path that cannot be decoded belongs to nobody.
    return undefined;
  }
  if (found === undefined || found === null || found === false) return undefined;
  // Express 4 answers true and keeps what it found in the layer; Express 5 returns it.
  const where = isObject(found) ? found : self;
  const matched: unknown = Reflect.get(where, "path");
  const params: unknown = Reflect.get(where, "params");
  return {
    path: typeof matched === "string" ? matched : "",
    params: isObject(params) ? Object.fromEntries(Object.entries(params)) : {},
  };
}

/** Whether a value is an object or a function. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function listAt(owner: object, key: string): unknown[] | undefined {
  const value: unknown = Reflect.get(owner, key);
  return Array.isArray(value) ? value : undefined;
}

/** Express 4 makes its router late and has a `router` that only throws. */
function hasLazyRouter(owner: object): boolean {
  return typeof Reflect.get(owner, "lazyrouter") === "function";
}

function isRoute(value: unknown): value is ExpressRoute {
  return isObject(value) && "path" in value && "methods" in value && isObject(value.methods);
}
