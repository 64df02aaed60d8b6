import type { Caller } from "../caller.ts";
import type { Exchange, Outcome } from "../exchange.ts";
import type { RouteGate } from "../gate.ts";
import { chooseOutput } from "../lib/choose-output.ts";
import { inheritNothing } from "../lib/inherit-nothing.ts";
import type { Reached } from "../lib/reach.ts";
import { isOfTenant, rolesWithin } from "../lib/reach.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import { withinTime } from "../lib/within-time.ts";
import type { EgressOptOut } from "../output.ts";
import type { ApiPlan, PlannedObject, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import type { AnyResource } from "../resource.ts";

/**
 * Loads every object a request names, through its resource's rule, wherever the id stands. What the caller may not see
 * is 404 with the same answer as what does not exist; what he may see but not do this to is 403. The handler never
 * meets an object that did not pass.
 *
 * @returns step; refuses with `object-not-found` (404), `object-role-missing` (403), `object-unavailable` (503)
 * @see OWASP API1:2023, OWASP ASVS 5.0 8.2.2
 */
export const objectAccess: RouteGate = (api, route) => {
  const planned = route.objects;
  if (planned.length === 0) return undefined;
  const demands = [...route.access.objectRole];
  const load = guardedLoad(api, route);

  return function loadObjects(x) {
    x.objects = new Objects();
    x.reached = new Reaches();
    return loadFrom(x, 0);
  };

  function loadFrom(x: Exchange, first: number): Outcome | Promise<Outcome> {
    for (let next = first; next < planned.length; next++) {
      const one = planned[next];
      const outcome = one === undefined ? undefined : loadOne(x, one);
      if (outcome instanceof Promise) return outcome.then((late) => late ?? loadFrom(x, next + 1));
      if (outcome !== undefined) return outcome;
    }
    return requireRoles(x);
  }

  function loadOne(x: Exchange, one: PlannedObject): Outcome | Promise<Outcome> {
    const raw = idIn(x, one);
    if (raw === undefined && wasSent(x, one)) {
      return new Refusal("internal", `the schema takes ${one.place}.${one.field} and does not give it on`);
    }
    if (one.each) return loadEach(x, one, raw);
    // An optional id that was not sent names nothing; the handler gets undefined.
    if (raw === undefined && one.place !== "path") return undefined;
    return reach(x, one, raw, load, (found) => {
      x.objects[one.name] = found.object;
      x.reached[one.name] = found;
      return undefined;
    });
  }

  function loadEach(x: Exchange, one: PlannedObject, raw: unknown): Outcome | Promise<Outcome> {
    if (raw === undefined) return undefined;
    if (!Array.isArray(raw)) return missing(one);
    const list: unknown[] = [];
    x.objects[one.name] = list;
    const from = (index: number): Outcome | Promise<Outcome> => {
      if (index >= raw.length) return undefined;
      return reach(x, one, raw[index], load, (found) => {
        list.push(found.object);
        return from(index + 1);
      });
    };
    return from(0);
  }

  function requireRoles(x: Exchange): Outcome {
    for (const [name, roles] of demands) {
      const held = x.reached[name]?.roles ?? [];
      if (!roles.some((role) => held.includes(role))) {
        return new Refusal("object-role-missing", `needs one of ${roles.join(", ")} in ${name}`);
      }
    }
    return undefined;
  }
};

class Objects {
  [name: string]: unknown;
}
class Reaches {
  [name: string]: Reached;
}
inheritNothing(Objects);
inheritNothing(Reaches);

/**
 * Checks the objects in an answer against the same rule, on the handler's raw value, before anything is filtered. One
 * object that is not the caller's, or whose owner cannot be read, aborts the whole answer: the handler has a hole.
 *
 * @returns step; refuses with `foreign-object` (500), `unbounded-list` (500)
 */
export const egress: RouteGate = (_api, route) => {
  const usesResource = route.outputs.some(({ rule }) => mentionsResource(rule));
  if (!usesResource) return undefined;

  return function refuseForeignObjects(x) {
    const rule = chooseOutput(route, x);
    if (rule === undefined || !("kind" in rule)) return undefined;
    if (rule.kind === "view") {
      const found = rule.at === undefined ? x.result : rule.at(x.result);
      return everyOne(x, route, rule, Array.isArray(found) ? found : [found]);
    }
    if (rule.kind === "list") {
      const items = itemsOf(x.result);
      if (items === undefined) {
        return new Refusal("undeclared-output", "the handler returned no list of items: answer { items: […] }");
      }
      return everyOne(x, route, rule, items);
    }
    return undefined;
  };
};

function mentionsResource(rule: RoutePlan["outputs"][number]["rule"]): boolean {
  if (!("kind" in rule)) return false;
  if (rule.kind === "by-role") return Object.values(rule.roles).some(mentionsResource);
  return rule.kind === "view" || rule.kind === "list";
}

interface Declared {
  readonly resource: AnyResource;
  readonly optOut: EgressOptOut | undefined;
}

function everyOne(x: Exchange, route: RoutePlan, declared: Declared, objects: readonly unknown[]): Outcome {
  const { resource, optOut } = declared;
  if (optOut?.kind === "shared") return undefined;
  const seesEveryOwner = optOut !== undefined && optOut.roles.some((role) => x.caller?.roles.includes(role) === true);
  const parent = parentReached(x, route, resource);
  for (const object of objects) {
    if (typeof object !== "object" || object === null) {
      return new Refusal("foreign-object", `a ${resource.name} in the answer is no object`);
    }
    // Who may see every owner's objects still sees those of one tenant only.
    const isWithin = seesEveryOwner
      ? isOfTenant(resource, object, x.caller)
      : rolesWithin(resource, object, x.caller, parent) !== undefined;
    if (!isWithin) return new Refusal("foreign-object", `a ${resource.name} in the answer is not the caller's`);
  }
  return undefined;
}

/** The parent that this request has already reached, if it is one of the route's objects. */
function parentReached(x: Exchange, route: RoutePlan, resource: AnyResource): Reached | undefined {
  const wanted = resource.rule.parent?.resource;
  if (wanted === undefined) return undefined;
  const one = route.objects.find((object) => object.resource === wanted && !object.each);
  return one === undefined ? undefined : x.reached[one.name];
}

type Keep = (found: Reached) => Outcome | Promise<Outcome>;

/** Loads one object and asks the rule; a parent that the route does not name is loaded through its own rule first. */
function reach(x: Exchange, one: PlannedObject, raw: unknown, load: Load, keep: Keep): Outcome | Promise<Outcome> {
  const id = idText(raw);
  if (id === undefined) return missing(one);
  return reachById(x, one.resource, id, within(x, one), load, 0, (found) => {
    if (found === undefined) return missing(one);
    return found instanceof Refusal ? found : keep(found);
  });
}

/** A text that says something, or an integer in its one spelling; whatever else a schema let through names nothing. */
function idText(raw: unknown): string | undefined {
  if (typeof raw === "string") return raw === "" ? undefined : raw;
  return typeof raw === "number" && Number.isSafeInteger(raw) ? String(raw) : undefined;
}

/** Loads, and goes on with what was loaded or with the refusal; at once where nothing waits. */
type Load = <R>(
  resource: AnyResource,
  id: string,
  caller: Caller | undefined,
  use: (object: unknown) => R | Promise<R>,
) => R | Promise<R>;

/** Loading that fails or never ends could not decide: the request is refused with 503, the cause goes to the log. */
function guardedLoad(api: ApiPlan, route: RoutePlan): Load {
  const unavailable = (resource: AnyResource, cause: unknown): Refusal =>
    new Refusal("object-unavailable", `loading a ${resource.name} failed`, { cause });

  return function loadGuarded<R>(
    resource: AnyResource,
    id: string,
    caller: Caller | undefined,
    use: (object: unknown) => R | Promise<R>,
  ) {
    let loading: unknown;
    try {
      loading = resource.rule.load(id, caller);
    } catch (error) {
      return use(unavailable(resource, error));
    }
    // Query builders answer with promises of their own making.
    if (!isPromise(loading)) return use(loading);
    const late = (): R | Promise<R> => use(unavailable(resource, new Error(`no answer after ${route.timeoutMs} ms`)));
    const failed = (error: unknown): R | Promise<R> => use(unavailable(resource, error));
    return withinTime<unknown, R>(api.deadlines, route.timeoutMs, loading, late, use, failed);
  };
}

function within(x: Exchange, one: PlannedObject): Reached | undefined {
  return one.within === undefined ? undefined : x.reached[one.within];
}

/** Deeper nesting of parents than this is a loop. */
const maxParents = 8;

type Judged = Reached | Refusal | undefined;

/** Goes on with the object as the caller reaches it, a refusal, or undefined where it is missing or out of reach. */
function reachById<R>(
  x: Exchange,
  resource: AnyResource,
  id: string,
  parent: Reached | undefined,
  load: Load,
  depth: number,
  use: (found: Judged) => R | Promise<R>,
): R | Promise<R> {
  if (depth > maxParents) return use(undefined);
  return load(resource, id, x.caller, (object) => {
    if (object instanceof Refusal) return use(object);
    if (object === null || object === undefined) return use(undefined);
    const judge = (above: Judged): R | Promise<R> => {
      if (above instanceof Refusal) return use(above);
      const roles = rolesWithin(resource, object, x.caller, above);
      return use(roles === undefined ? undefined : { resource, id, object, roles });
    };
    const up = parent === undefined ? resource.rule.parent : undefined;
    if (up === undefined) return judge(parent);
    const parentId = up.id(object);
    const isNamed = typeof parentId === "string" && parentId !== "";
    return isNamed ? reachById(x, up.resource, parentId, undefined, load, depth + 1, judge) : judge(undefined);
  });
}

function idIn(x: Exchange, one: PlannedObject): unknown {
  if (one.place === "path") return read(x.params, one.field);
  if (one.place === "query") return read(x.queryInput, one.field);
  if (one.place === "header") return read(x.headerInput, one.field);
  return atPath(x.bodyInput, one.field.split("."));
}

/** Whether the client named the object, whatever a schema that transforms has made of it. */
function wasSent(x: Exchange, one: PlannedObject): boolean {
  if (one.place === "query") return x.query[one.field] !== undefined;
  if (one.place === "header") return x.headers[one.field] !== undefined;
  return one.place === "body" && atPath(x.bodySent, one.field.split(".")) !== undefined;
}

/** A field inside the body by its path: `project.id`, or through every item of a list: `items.*.projectId`. */
function atPath(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const [index, name] of path.entries()) {
    if (name !== "*") here = read(here, name);
    else {
      const rest = path.slice(index + 1);
      return Array.isArray(here)
        ? here
            .map((item) => atPath(item, rest))
            .filter(isThere)
            .flat()
        : undefined;
    }
  }
  return here;
}

function isThere(value: unknown): boolean {
  return value !== undefined;
}

function read(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field)
    ? Reflect.get(value, field)
    : undefined;
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  const items = read(value, "items");
  return Array.isArray(items) ? items : undefined;
}

/** Missing and out of reach are one refusal, so that nobody learns which. */
function missing(one: PlannedObject): Refusal {
  return new Refusal("object-not-found", `no ${one.resource.name} within the caller's reach`);
}
