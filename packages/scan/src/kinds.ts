import { singular } from "./nouns.ts";
import { isGone, type Operation, pathParameters, type Policy, type ResourcePolicy, type Target } from "./target.ts";

/** A kind of object the API keeps, as its paths show it: a collection to create in and an item to read and change. */
export interface Kind {
  /** The resource's name where a manifest says it, else made of the path. */
  readonly name: string;
  readonly policy: ResourcePolicy | undefined;
  /** The path parameter that carries its id. */
  readonly parameter: string;
  /** `/v1/projects/{id}/comments` */
  readonly collection: string;
  /** `/v1/projects/{id}/comments/{commentId}` */
  readonly item: string;
  readonly create: Operation | undefined;
  readonly read: Operation | undefined;
  readonly update: Operation | undefined;
  readonly remove: Operation | undefined;
  readonly list: Operation | undefined;
  /** The kind it lies inside of, where its path names one. */
  readonly parent: Kind | undefined;
}

/**
 * Finds the kinds of object of a target, parents before children. Where a collection can be created in by several
 * versions of an operation, each version is a kind of its own that borrows what its version does not have.
 */
export function kindsOf(target: Target, now: number): readonly Kind[] {
  const operations = target.operations.filter((operation) => !isGone(operation, now));
  const kinds: Kind[] = [];
  // Parents before children; among the same depth, what can be read, changed and deleted comes first.
  const rank = (item: string) =>
    pathParameters(item).length * 10 - operations.filter((operation) => operation.path === item).length;
  const items = new Set(
    operations.flatMap(({ path, notObjects }) => itemPrefixes(path).filter(isObjectBut(notObjects))),
  );
  for (const item of [...items].sort((left, right) => rank(left) - rank(right))) {
    const collection = item.slice(0, item.lastIndexOf("/"));
    const parameter = pathParameters(item).at(-1) ?? "";
    const name = resourceName(operations, item, parameter) ?? nameOf(collection);
    for (const create of creationsIn(operations, collection)) {
      const at = (method: string, path: string) => {
        const found = operations.filter((operation) => operation.method === method && operation.path === path);
        return found.find((operation) => isSameVersion(operation, create)) ?? found[0];
      };
      kinds.push({
        name,
        policy: policyOf(target.policy, name),
        parameter,
        collection,
        item,
        create,
        read: at("GET", item),
        update: at("PATCH", item) ?? at("PUT", item),
        remove: at("DELETE", item),
        list: at("GET", collection),
        parent: kinds.findLast((kind) => collection.startsWith(`${kind.item}/`)),
      });
    }
  }
  return kinds;
}

/** What creates in a collection: POST on it, else on a path that says so or names one of it (`/things/new`, `/thing`). */
function creationsIn(operations: readonly Operation[], collection: string): readonly Operation[] {
  const posts = operations.filter((entry) => entry.method === "POST");
  const plain = posts.filter((entry) => entry.path === collection);
  if (plain.length > 0) return plain;
  const above = collection.slice(0, collection.lastIndexOf("/"));
  const name = nameOf(collection);
  return posts
    .filter((entry) => {
      const within = entry.path.startsWith(`${collection}/`) ? entry.path.slice(collection.length + 1) : "";
      const beside = entry.path.startsWith(`${above}/`) ? entry.path.slice(above.length + 1) : "";
      return (
        /^(?:create|new|add)$/i.test(within) ||
        beside === name ||
        beside.toLowerCase() === `create${name}`.toLowerCase()
      );
    })
    .slice(0, 1);
}

function isSameVersion(left: Operation, right: Operation): boolean {
  return JSON.stringify(left.headers) === JSON.stringify(right.headers);
}

/** The kind whose id stands in a path parameter of an operation; undefined where the parameter names no known kind. */
export function kindAt(kinds: readonly Kind[], path: string, parameter: string): Kind | undefined {
  const end = path.indexOf(`{${parameter}}`);
  const item = end < 0 ? "" : path.slice(0, end + parameter.length + 2);
  return kinds.find((kind) => kind.item === item);
}

/** The known kinds whose ids stand in a path, in its order. */
export function kindsAlong(kinds: readonly Kind[], path: string): readonly Kind[] {
  return pathParameters(path).flatMap((name) => kindAt(kinds, path, name) ?? []);
}

/** `/a/{x}/b/{y}/c` gives `/a/{x}` and `/a/{x}/b/{y}`. */
function itemPrefixes(path: string): readonly string[] {
  return [...path.matchAll(/\/\{[^{}]+\}(?=\/|$)/g)].map((match) => path.slice(0, match.index + match[0].length));
}

/** What a manifest says is no object is none: a step of a sign-in, a mailed secret. */
function isObjectBut(notObjects: readonly string[]): (item: string) => boolean {
  return (item) => !notObjects.includes(pathParameters(item).at(-1) ?? "");
}

function resourceName(operations: readonly Operation[], item: string, parameter: string): string | undefined {
  for (const operation of operations) {
    if (operation.path !== item && !operation.path.startsWith(`${item}/`)) continue;
    const use = operation.objects.find((entry) => entry.in === "path" && entry.field === parameter);
    if (use !== undefined) return use.resource;
  }
  return undefined;
}

function nameOf(collection: string): string {
  const last = collection.split("/").findLast((segment) => segment !== "" && !segment.startsWith("{")) ?? "object";
  return singular(last);
}

function policyOf(policy: Policy, name: string): ResourcePolicy | undefined {
  return Object.hasOwn(policy.resources, name) ? policy.resources[name] : undefined;
}
