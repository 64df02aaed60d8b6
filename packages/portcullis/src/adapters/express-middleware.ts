import type { Api } from "../api.ts";
import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import { StartRefused } from "../listen.ts";
import type { Shadow } from "../passing.ts";
import { createExpressGate, unknownToExpress } from "./express-gate.ts";
import { inFrontOfGates } from "./express-known.ts";
import { type ExpressLayer, type ExpressMiddleware, layerOf, matchLayer, stackOf } from "./express-shape.ts";
import { mountText } from "./express-table.ts";
import { noteNearDates, temporaryProblems } from "./express-until.ts";

/** How an API stands in an Express application. */
export interface ToExpressOptions {
  /**
   * Observe instead of refusing: every request goes on to Express as it came, and what would have been refused is
   * recorded as `would-refuse`. Up to the body and the handler every gate is asked; nothing is read, loaded or run.
   */
  readonly shadow?: Shadow;
  /**
   * Functions that stand in front of the gates on purpose, by name, such as a request logger. They see every request
   * before anything is checked. Anything else that was mounted before stops the start.
   */
  readonly inFront?: readonly NamedMiddleware[];
}

/** A middleware that is known to be there. */
export interface NamedMiddleware {
  /** The function's own name. */
  readonly name: string;
  /** For the reviewer. */
  readonly reason: string;
}

/**
 * An API as a middleware of Express 4 or 5: `app.use(toExpress(api))`, in front of everything else. It answers every
 * request itself, its own 404 too, so nothing mounted behind it is reachable; `adopt` brings an application over route by
 * route.
 *
 * @param options  `shadow` to observe first, with a last day; `inFront` for what is meant to stand before the gates
 * @throws StartRefused when it is made, with every problem of the policies; when `app.use` mounts it, with everything that
 *   stands in front of the gates
 */
export function toExpress(api: Api, options: ToExpressOptions = {}): ExpressMiddleware {
  const problems = optionProblems(options);
  if (problems.length > 0) throw new StartRefused([...problems, ...api.problems()]);
  const { shadow, inFront = [] } = options;
  api.start({
    adapter: "express",
    tls: "unknown",
    loopbackOnly: false,
    unknown: unknownToExpress,
    ...(shadow === undefined ? {} : { passing: { kind: "shadow", until: shadow.until, reason: shadow.reason } }),
  });
  const gate = createExpressGate(api);
  return whenMounted(shadow === undefined ? gate : reminding(api, shadow, gate), (app, at) => {
    // In shadow mode nothing is answered here, so that everything in front keeps its effect.
    const found = shadow === undefined ? problemsInFront(app, at, inFront) : [];
    if (found.length > 0) throw new StartRefused(found);
  });
}

/**
 * Express tells an application that it is mounted, and where. It takes for one what has `handle`, `set` and `emit`; so
 * the mounting itself is where a hole in front of the gates is found, before anything listens.
 */
function whenMounted(gate: ExpressMiddleware, mounted: (app: unknown, at: string) => void): ExpressMiddleware {
  const middleware: ExpressMiddleware = (req, res, next) => gate(req, res, next);
  return Object.assign(middleware, {
    handle: gate,
    set: () => middleware,
    emit(event: string, parent: unknown): boolean {
      const at: unknown = Reflect.get(middleware, "mountpath");
      if (event === "mount") mounted(parent, typeof at === "string" ? at : "/");
      return true;
    },
  });
}

/** Says once a day, while requests come, that shadow mode is about to end. */
function reminding(api: Api, shadow: Shadow, gate: ExpressMiddleware): ExpressMiddleware {
  const dates = [{ name: "shadow mode", until: shadow.until }];
  let nextMs = 0;
  function remind(): void {
    nextMs = performance.now() + dayMs;
    noteNearDates(api, dates);
  }
  remind();
  return function shadowed(req, res, next) {
    if (performance.now() > nextMs) remind();
    gate(req, res, next);
  };
}

const dayMs = 86_400_000;

/** Everything the application asks before the gates, for requests that are the API's. */
function problemsInFront(app: unknown, at: string, named: readonly NamedMiddleware[]): readonly Problem[] {
  const where = at === "/" ? "app.use(toExpress(api))" : `app.use(${JSON.stringify(at)}, toExpress(api))`;
  const found: Problem[] = [];
  // The last one is the API itself.
  for (const entry of (stackOf(app) ?? []).slice(0, -1)) {
    const layer = layerOf(entry);
    if (layer === undefined) continue;
    if (layer.route !== undefined) {
      const path = String(layer.route.path);
      if (at !== "/" && path !== at && !path.startsWith(`${at}/`) && path.startsWith("/")) continue;
      const fix = "declare it with api.route, mount toExpress(api) in front of it, or use adopt";
      found.push({ where, field: path, problem: "is a route of Express in front of the gates", fix });
      continue;
    }
    if (at !== "/" && !isOnTheWay(layer, at)) continue;
    const known = inFrontOfGates(layer);
    if (known === undefined || (!known.isForbidden && named.some(({ name }) => name === layer.name))) continue;
    found.push({ where, field: layer.name, problem: known.problem, fix: known.fix });
  }
  return found;
}

/** Whether a mounted function is asked for any request below a path; where nobody can tell, it is. */
function isOnTheWay(layer: ExpressLayer, at: string): boolean {
  if (matchLayer(layer, at) !== undefined) return true;
  const own = mountText([layer]);
  return own.startsWith(`${at}/`) || own.includes("…") || own.includes("{");
}

function optionProblems(options: ToExpressOptions): readonly Problem[] {
  const where = "toExpress";
  const found: Problem[] = unknownKeys(options, optionNames).map((key) => ({
    where,
    field: key,
    problem: "is no option",
    fix: `the options are ${optionNames.join(", ")}`,
  }));
  const { shadow, inFront = [] } = options;
  if (shadow !== undefined) found.push(...temporaryProblems(where, "shadow", shadow));
  for (const { name, reason } of inFront) {
    if (!isBlank(reason)) continue;
    found.push({ where, field: `inFront ${name}`, problem: "has no reason", fix: "say why it may see every request" });
  }
  return found;
}

const optionNames = ["shadow", "inFront"] as const satisfies readonly (keyof ToExpressOptions)[];
