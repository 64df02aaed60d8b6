import type { RoutePlan } from "../plan.ts";

/** A path that exists: its routes by method, and the methods for Allow. */
export interface Place {
  /** Several only where versions travel in a header. */
  readonly routes: ReadonlyMap<string, readonly RoutePlan[]>;
  /** Sorted; with HEAD where there is GET, and OPTIONS always. */
  readonly allow: readonly string[];
}

interface Node {
  readonly texts: Map<string, Node>;
  param: Node | undefined;
  routes: Map<string, RoutePlan[]> | undefined;
  place: Place | undefined;
}

/**
 * Builds the lookup: a tree of segments, literal text before a parameter. Its cost grows with the path's depth, not
 * with the number of routes. The values of the path's parameters are pushed onto the caller's list, in order.
 */
export function buildRouter(
  routes: readonly RoutePlan[],
): (segments: readonly string[], values: string[]) => Place | undefined {
  const root = newNode();
  for (const route of routes) {
    let node = root;
    for (const segment of route.segments) {
      if ("param" in segment) node = node.param ??= newNode();
      else {
        let next = node.texts.get(segment.text);
        if (next === undefined) node.texts.set(segment.text, (next = newNode()));
        node = next;
      }
    }
    node.routes ??= new Map();
    const list = node.routes.get(route.method) ?? [];
    list.push(route);
    node.routes.set(route.method, list);
    node.place = { routes: node.routes, allow: allowed([...node.routes.keys()]) };
  }
  return (segments, values) => find(root, segments, 0, values);
}

function find(node: Node, segments: readonly string[], depth: number, values: string[]): Place | undefined {
  const segment = segments[depth];
  if (segment === undefined) return node.place;
  const literal = node.texts.get(segment);
  if (literal !== undefined) {
    const place = find(literal, segments, depth + 1, values);
    if (place !== undefined) return place;
  }
  if (node.param === undefined || segment === "") return undefined;
  values.push(segment);
  const place = find(node.param, segments, depth + 1, values);
  if (place === undefined) values.pop();
  return place;
}

function allowed(methods: readonly string[]): readonly string[] {
  return [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].sort();
}

function newNode(): Node {
  return { texts: new Map(), param: undefined, routes: undefined, place: undefined };
}
