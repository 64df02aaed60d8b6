import type { NotYet } from "../passing.ts";
import { matchLayer } from "./express-shape.ts";
import { belowMounts, type TableRoute } from "./express-table.ts";

/** A route as it is written in a list: method and path. */
export interface NamedRoute {
  readonly method: string;
  readonly path: string;
}

/** A listed route and what it stands for in Express's own table. */
export interface Listed extends NamedRoute {
  readonly entry: NotYet;
  readonly routes: readonly TableRoute[];
}

/** `GET /admin/users` into its halves; undefined where it is not written so. */
export function readNamedRoute(text: unknown): NamedRoute | undefined {
  if (typeof text !== "string") return undefined;
  const [, method, path] = /^([A-Z]+) (\S.*)$/.exec(text) ?? [];
  return method === undefined || path === undefined ? undefined : { method, path };
}

/** Whether a written route names this one of the table: its mounts take the beginning, and the rest is its own path. */
export function names({ method, path }: NamedRoute, route: TableRoute): boolean {
  if (method !== route.method) return false;
  const below = belowMounts(path, route.mounts);
  if (below === undefined) return false;
  return route.path instanceof RegExp ? below === String(route.path) : isSameShape(below, route.path);
}

/** Whether a path is made of plain segments and `:names` alone, so that a request can be held against it. */
export function isPlain(path: string): boolean {
  return path === "/" || /^(?:\/(?::\w+|[\w.~-]+))+$/.test(path);
}

/** Whether two plain paths match the same requests: alike but for the names of their values. */
export function isSameShape(one: string, other: string): boolean {
  const left = one.replace(/\/$/, "").split("/");
  const right = other.replace(/\/$/, "").split("/");
  return (
    left.length === right.length &&
    left.every((segment, at) => segment === right[at] || (isValue(segment) && isValue(right[at] ?? "")))
  );
}

/** Whether decoded segments of a request are ones of this plain path; literal text exactly as it is written. */
export function fits(path: string, segments: readonly string[]): boolean {
  const wanted = segmentsOf(path);
  return wanted.length === segments.length && startsWith(wanted, segments);
}

/**
 * Whether the first path is more literal where the two first differ: then a request of both is the first one's. A pattern
 * never is.
 */
export function isMoreLiteral(path: string, other: string): boolean {
  if (!isPlain(path)) return false;
  const right = segmentsOf(other);
  const at = segmentsOf(path).findIndex((segment, index) => isValue(segment) !== isValue(right[index] ?? ""));
  return at !== -1 && !isValue(segmentsOf(path)[at] ?? "");
}

/**
 * Makes the test of one listed route: whether a request is its. What is plain in it is held against the request strictly;
 * a pattern at its end is asked by Express's own matcher.
 */
export function matcherOf({
  method,
  path,
  routes,
}: Listed): (asked: string, path: string, segments: readonly string[]) => boolean {
  const isMethod = (asked: string): boolean =>
    method === "ALL" || asked === method || (asked === "HEAD" && method === "GET") || asked === "OPTIONS";
  if (isPlain(path)) return (asked, _path, segments) => isMethod(asked) && fits(path, segments);
  const ends = routes.map((route) => ({ route, mount: segmentsOf(mountOf(path, route)) }));
  return (asked, whole, segments) =>
    isMethod(asked) &&
    ends.some(({ route, mount }) => {
      if (!startsWith(mount, segments)) return false;
      const rest = `/${whole
        .split("/")
        .slice(1 + mount.length)
        .join("/")}`;
      return matchLayer(route.layer, rest) !== undefined;
    });
}

/** The part of a listed path that stands for the mounts of a route; plain, or the entry is refused. */
export function mountOf(path: string, route: TableRoute): string {
  const below = route.mounts.length === 0 ? path : (belowMounts(path, route.mounts) ?? path);
  return path.slice(0, path.length - below.length);
}

function segmentsOf(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function startsWith(wanted: readonly string[], segments: readonly string[]): boolean {
  return (
    wanted.length <= segments.length &&
    wanted.every((segment, at) => segments[at] !== "" && (isValue(segment) || segment === segments[at]))
  );
}

function isValue(segment: string): boolean {
  return /^:\w+$/.test(segment);
}
