import type { IncomingMessage } from "node:http";
import type { Api } from "../api.ts";
import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import { StartRefused } from "../listen.ts";
import type { NotYet, NotYetPassing } from "../passing.ts";
import { createExpressGate, unknownToExpress } from "./express-gate.ts";
import { called, isOrdinaryBehind } from "./express-known.ts";
import {
  fits,
  isMoreLiteral,
  isPlain,
  isSameShape,
  type Listed,
  matcherOf,
  mountOf,
  type NamedRoute,
  names,
  readNamedRoute,
} from "./express-listed.ts";
import type { NamedMiddleware } from "./express-middleware.ts";
import { type ExpressApp, type ExpressMiddleware, stackOf } from "./express-shape.ts";
import { type ExpressTable, readExpressTable, type TableRoute } from "./express-table.ts";
import { noteNearDates, temporaryProblems } from "./express-until.ts";

/** What of an application stays as it is for now. */
export interface AdoptOptions {
  /** Routes of Express that no policy guards yet; each with a reason and a last day. Default: none. */
  readonly notYet?: readonly NotYet[];
  /**
   * Functions given to `use` that run for those routes only from now on, by name. Body parsers, helmet, cors,
   * cookie-parser, express-session, compression and morgan need not be named.
   */
  readonly middleware?: readonly NamedMiddleware[];
  /** Applications mounted in this one; Express keeps nothing of them that could be read. */
  readonly subApps?: readonly ExpressApp[];
}

/**
 * Puts an API in front of an existing Express 4 or 5 application, once, after all of its routes were registered and
 * before it listens. Every route of the application is either declared at the API, which answers it from now on, or
 * listed here; everything else is the API's 404. Requests of listed routes are read strictly, for a known host, over
 * https and within the limits of their address, and then go on to Express: nobody has proved their caller.
 *
 * @throws StartRefused with every problem at once: a route that is neither declared nor listed; an entry without a
 *   reason, with a date that has passed, or that names no route; functions and sub-applications nobody accounts for; and
 *   whatever the policies leave undecided
 */
export function adopt(app: ExpressApp, api: Api, options: AdoptOptions = {}): void {
  const { notYet = [], middleware = [], subApps = [] } = options;
  const table = readExpressTable(app, subApps);
  const declared = api.routes().flatMap((route) => readNamedRoute(route) ?? []);
  const listed = notYet.flatMap((entry): Listed[] => {
    const named = readNamedRoute(entry.route);
    if (named === undefined) return [];
    return [{ ...named, entry, routes: table.routes.filter((route) => names(named, route)) }];
  });
  const problems = [
    ...optionProblems(options),
    ...notYet.flatMap((entry) => entryProblems(entry, listed, declared)),
    ...routeProblems(table, listed, declared),
    ...middlewareProblems(table, middleware),
  ];
  if (problems.length > 0) throw new StartRefused([...problems, ...api.problems()]);

  const passing: NotYetPassing = { kind: "not-yet", routes: notYet, find: finder(listed, declared) };
  api.start({
    adapter: "express",
    tls: "unknown",
    loopbackOnly: false,
    unknown: unknownToExpress,
    ...(notYet.length === 0 ? {} : { passing }),
  });
  noteNearDates(
    api,
    notYet.map(({ route, until }) => ({ name: `${route} is not guarded yet`, until })),
  );
  for (const route of table.routes) if (isDeclared(route, declared)) closeBehind(route);
  mountFirst(app, createExpressGate(api));
}

/** The listed route of a request: none where the API has one for it that is as literal. */
function finder(listed: readonly Listed[], declared: readonly NamedRoute[]): NotYetPassing["find"] {
  const candidates = listed.map((one) => ({ one, matches: matcherOf(one) }));
  return function findListed(method, path, segments) {
    const own = declared.filter((route) => fits(route.path, segments));
    // A preflight asks about a path; where the path is the API's as well, the API answers it.
    if (method === "OPTIONS" && own.length > 0) return undefined;
    const rivals = own.filter((route) => route.method === asGet(method));
    const found = candidates.find(
      ({ one, matches }) =>
        matches(method, path, segments) && rivals.every((route) => isMoreLiteral(one.path, route.path)),
    );
    return found?.one.entry.route;
  };
}

/**
 * A route the API answers must not be reached behind it, by a request that Express takes for another than the one that
 * was let through: a value that looks like another route's name, a method that some middleware overrides.
 */
function closeBehind({ layer, method }: TableRoute): void {
  const original = layer.handle;
  layer.handle = (...args) => {
    const [req, , next] = args;
    if (!isRequest(req) || typeof next !== "function") return undefined;
    return asGet(method) === asGet(req.method ?? "") ? Reflect.apply(next, undefined, []) : original(...args);
  };
}

function isRequest(value: unknown): value is IncomingMessage {
  return typeof value === "object" && value !== null && "method" in value;
}

/** HEAD is answered by the route of GET. */
function asGet(method: string): string {
  return method === "HEAD" ? "GET" : method;
}

function mountFirst(app: ExpressApp, gate: ExpressMiddleware): void {
  app.use(gate);
  const stack = stackOf(app);
  const layer = stack?.pop();
  if (stack === undefined || layer === undefined) throw new TypeError("adopt was given no Express application");
  stack.unshift(layer);
}

function isDeclared(route: TableRoute, declared: readonly NamedRoute[]): boolean {
  return declared.some((one) =>
    names({ ...one, method: asGet(route.method) === one.method ? route.method : "-" }, route),
  );
}

const where = "adopt";

function optionProblems(options: AdoptOptions): readonly Problem[] {
  const unknown = unknownKeys(options, optionNames).map(
    (key): Problem => ({
      where,
      field: key,
      problem: "is no option",
      fix: `the options are ${optionNames.join(", ")}`,
    }),
  );
  const unexplained = (options.middleware ?? []).flatMap(({ name, reason }): readonly Problem[] =>
    isBlank(reason)
      ? [{ where, field: `middleware ${name}`, problem: "has no reason", fix: "say what the routes need it for" }]
      : [],
  );
  return [...unknown, ...unexplained];
}

const optionNames = ["notYet", "middleware", "subApps"] as const satisfies readonly (keyof AdoptOptions)[];

function entryProblems(entry: NotYet, listed: readonly Listed[], declared: readonly NamedRoute[]): readonly Problem[] {
  const field = `notYet ${entry.route}`;
  const found: Problem[] = [...temporaryProblems(where, field, entry)];
  const add = (problem: string, fix: string): void => {
    found.push({ where, field, problem, fix });
  };
  const one = listed.find((other) => other.entry === entry);
  if (one === undefined) {
    add("is no route", 'write method and path as Express has them: "GET /admin/users"');
    return found;
  }
  if (listed.some((other) => other !== one && other.method === one.method && isSameShape(other.path, one.path))) {
    add("is listed twice", "leave one of the two");
  }
  if (declared.some((route) => route.method === asGet(one.method) && isSameShape(route.path, one.path))) {
    add("is declared at the API, which answers it", "take it off the list");
  } else if (one.routes.length === 0) {
    add("names no route of the application", "take it off the list, or write it as Express has it, with its mounts");
  } else if (!isPlain(one.path) && one.routes.some((route) => !isPlainMount(mountOf(one.path, route)))) {
    add("stands below a mount that is a pattern", "mount the router at a plain path");
  }
  return found;
}

function isPlainMount(mount: string): boolean {
  return mount === "" || isPlain(mount);
}

function routeProblems(
  table: ExpressTable,
  listed: readonly Listed[],
  declared: readonly NamedRoute[],
): readonly Problem[] {
  const found: Problem[] = [];
  for (const route of table.routes) {
    const isListed = listed.some(({ routes }) => routes.includes(route));
    const isOurs = isDeclared(route, declared);
    if (!isListed && !isOurs) {
      const fix = `declare it with wrap(api, …) or api.route, or list it: notYet: [{ route: ${JSON.stringify(route.name)}, reason, until }]`;
      found.push({ where, field: route.name, problem: "is a route of Express that no policy guards", fix });
      continue;
    }
    // One layer serves a whole array of paths, and cannot be closed for one of them.
    const others = table.routes.filter(
      (other) => other.layer.self === route.layer.self && other.method === route.method,
    );
    if (isOurs && others.some((other) => !isDeclared(other, declared))) {
      const fix = "register the declared paths apart from the others";
      found.push({ where, field: route.name, problem: "stands in an array with paths that are not declared", fix });
    }
  }
  return found;
}

function middlewareProblems(table: ExpressTable, named: readonly NamedMiddleware[]): readonly Problem[] {
  const found: Problem[] = [];
  for (const { layer, at } of table.middleware) {
    if (isOrdinaryBehind(layer) || named.some(({ name }) => name === layer.name)) continue;
    const field = `use ${at === "" ? "/" : at}`;
    if (layer.name === "mounted_app") {
      const problem = "is another application; Express does not show its routes";
      found.push({ where, field, problem, fix: "hand it over: subApps: [other], or mount a Router instead" });
    } else if (layer.name === "serveStatic") {
      const problem = "serves files that nobody reaches any more";
      const fix = 'serve them from elsewhere, or list it: middleware: [{ name: "serveStatic", reason }]';
      found.push({ where, field, problem, fix });
    } else {
      const problem = `${called(layer.name)} may answer requests by itself; only routes in notYet reach it from now on`;
      const fix = `make it a route of the API, take it out, or list it: middleware: [{ name: ${JSON.stringify(layer.name)}, reason }]`;
      found.push({ where, field, problem, fix });
    }
  }
  for (const { name } of named) {
    if (table.middleware.some(({ layer }) => layer.name === name)) continue;
    const problem = "is nowhere in the application";
    found.push({ where, field: `middleware ${name}`, problem, fix: "take it off the list" });
  }
  return found;
}
