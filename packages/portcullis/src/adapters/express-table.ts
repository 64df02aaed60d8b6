import { METHODS } from "node:http";
import { type ExpressLayer, handleOf, isObject, layerOf, matchLayer, stackOf } from "./express-shape.ts";

/** Everything a request can meet in an Express application, in the order it is asked. */
export interface ExpressTable {
  readonly routes: readonly TableRoute[];
  readonly middleware: readonly TableMiddleware[];
}

/** One method of one path. */
export interface TableRoute {
  /** `GET`, or `ALL` for `app.all`. */
  readonly method: string;
  /** The path below its mounts: text, or a regular expression. */
  readonly path: string | RegExp;
  /** The routers it stands in, outermost first. */
  readonly mounts: readonly ExpressLayer[];
  readonly layer: ExpressLayer;
  /** For messages: `GET /admin/users/:id`; a mount whose path nobody can read is `…`. */
  readonly name: string;
}

/** A function given to `use` that is no router. */
export interface TableMiddleware {
  readonly layer: ExpressLayer;
  readonly mounts: readonly ExpressLayer[];
  /** For messages: the path it is mounted at, "" for the root. */
  readonly at: string;
}

/**
 * Reads the route table of an Express 4 or 5 application: nested routers, arrays of paths, regular expressions, and the
 * sub-applications that are handed over, which Express hides behind a function of its own.
 *
 * @param subApps  applications mounted in this one, in any order
 */
export function readExpressTable(app: unknown, subApps: readonly unknown[]): ExpressTable {
  const routes: TableRoute[] = [];
  const middleware: TableMiddleware[] = [];
  const waiting = new Set(subApps);

  function read(owner: unknown, mounts: readonly ExpressLayer[]): void {
    for (const entry of stackOf(owner) ?? []) {
      const layer = layerOf(entry);
      if (layer === undefined) continue;
      if (layer.route !== undefined) routes.push(...routesOf(layer, layer.route, mounts));
      else if (stackOf(handleOf(layer)) !== undefined) read(handleOf(layer), [...mounts, layer]);
      else if (layer.name === "mounted_app") readApp(owner, layer, mounts);
      else middleware.push({ layer, mounts, at: mountText([...mounts, layer]) });
    }
  }

  /** The sub-application that says it is mounted in this one, at a path that this layer takes. */
  function readApp(owner: unknown, layer: ExpressLayer, mounts: readonly ExpressLayer[]): void {
    for (const sub of waiting) {
      if (!isObject(sub) || Reflect.get(sub, "parent") !== owner) continue;
      const at: unknown = Reflect.get(sub, "mountpath");
      const paths = Array.isArray(at) ? at : [at];
      if (!paths.every((path) => typeof path === "string" && takes(layer, path))) continue;
      waiting.delete(sub);
      read(sub, [...mounts, layer]);
      return;
    }
    middleware.push({ layer, mounts, at: mountText([...mounts, layer]) });
  }

  read(app, []);
  return { routes, middleware };
}

/**
 * What is left of a path below its mounts, as their own matchers take it. A value of a mount path has to be named, `:org`,
 * so that an entry for one organisation does not stand for all.
 *
 * @returns undefined where one of the mounts does not take it
 */
export function belowMounts(path: string, mounts: readonly ExpressLayer[]): string | undefined {
  let rest = path;
  for (const layer of mounts) {
    const taken = matchLayer(layer, rest === "" ? "/" : rest);
    if (taken === undefined) return undefined;
    const isNamed = Object.values(taken.params).every((value) => typeof value === "string" && value.startsWith(":"));
    if (!isNamed) return undefined;
    const length = taken.path === "/" ? 0 : taken.path.length;
    const next = rest.charAt(length);
    if (next !== "" && next !== "/") return undefined;
    rest = rest.slice(length);
  }
  return rest === "" ? "/" : rest;
}

/** The paths of the mounts in a row, as far as Express has kept them. */
export function mountText(mounts: readonly ExpressLayer[]): string {
  return mounts
    .map((layer) => {
      const raw: unknown = Reflect.get(layer.self, "rawPath");
      if (typeof raw === "string") return raw === "/" ? "" : raw;
      if (Array.isArray(raw)) return `{${raw.map(String).join(",")}}`;
      if (raw instanceof RegExp) return String(raw);
      const pattern: unknown = Reflect.get(layer.self, "regexp");
      if (pattern instanceof RegExp) return textOfPattern(pattern);
      return takes(layer, "/any-path-at-all") ? "" : "/…";
    })
    .join("");
}

function routesOf(
  layer: ExpressLayer,
  route: NonNullable<ExpressLayer["route"]>,
  mounts: readonly ExpressLayer[],
): readonly TableRoute[] {
  const paths: readonly unknown[] = Array.isArray(route.path) ? route.path.flat(Infinity) : [route.path];
  const methods = methodsOf(route.methods);
  return paths.flatMap((one) => {
    const path = typeof one === "string" || one instanceof RegExp ? one : String(one);
    const below = path === "/" && mounts.length > 0 ? "" : String(path);
    const whole = `${mountText(mounts)}${below}`;
    return methods.map((method) => ({ method, path, mounts, layer, name: `${method} ${whole === "" ? "/" : whole}` }));
  });
}

/** `app.all` registers every method Node knows, one by one; `route.all` says `_all`. */
function methodsOf(methods: Readonly<Record<string, unknown>>): readonly string[] {
  if (METHODS.every((method) => method.toLowerCase() in methods)) return ["ALL"];
  return Object.keys(methods).map((method) => (method === "_all" ? "ALL" : method.toUpperCase()));
}

function takes(layer: ExpressLayer, path: string): boolean {
  return matchLayer(layer, path) !== undefined;
}

/** The path Express 4 made a pattern of, where it was a plain one. */
function textOfPattern(pattern: RegExp): string {
  if (Reflect.get(pattern, "fast_slash") === true) return "";
  const plain = /^\^((?:\\\/[\w.~-]+)+)\\\/\?\(\?=\\\/\|\$\)$/.exec(pattern.source)?.[1];
  return plain === undefined ? "/…" : plain.replaceAll("\\/", "/");
}
