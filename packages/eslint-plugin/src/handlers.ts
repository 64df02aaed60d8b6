import {
  type AnyFunction,
  bare,
  calledName,
  type CallExpression,
  functionsAround,
  isFunction,
  memberName,
  type Node,
  receiverOf,
} from "./ast.ts";
import { isCallOf, isMadeBy, libraryType, type LibraryType, typeOfParameter, variableOf } from "./origin.ts";
import type { File } from "./rule.ts";

/** A function that answers requests, and which of its parameters is what. */
export interface Handler {
  readonly fn: AnyFunction;
  readonly framework: Framework;
  /** Index of the parameter; hono's context is both, and a route of Next.js' app folder has no response. */
  readonly request?: number;
  readonly response?: number;
  readonly error?: number;
  /** Where a framework was given it, if that was in this file. */
  readonly registration?: CallExpression;
}

export type Framework = "express" | "fastify" | "hono" | "next-app" | "next-pages" | "node";

const expressModules = new Set(["express", "express-serve-static-core"]);
const fastifyModules = new Set(["fastify"]);
const honoModules = new Set(["hono"]);
const httpModules = new Set(["http", "https", "http2"]);
const verbs = new Set(["get", "post", "put", "patch", "delete", "del", "head", "options", "all", "use", "trace"]);
const nextMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const pagesFile = /(^|[\\/])pages[\\/]api[\\/].+\.[cm]?[jt]sx?$/;
const routeFile = /(^|[\\/])app[\\/](.+[\\/])?route\.[cm]?[jt]sx?$/;

const known = new WeakMap<AnyFunction, Handler | "none">();

/**
 * What kind of handler a function is; undefined where this file does not show that a framework calls it. Names prove
 * nothing: it was handed to an application that a framework made, its parameters have a framework's types, or the file
 * stands where Next.js looks for routes.
 */
export function handlerOf(file: File, fn: AnyFunction): Handler | undefined {
  const before = known.get(fn);
  if (before !== undefined) return before === "none" ? undefined : before;
  // While it is being worked out it is nobody's handler, so that no question goes round in a circle.
  known.set(fn, "none");
  const handler =
    handlerByPlace(file, fn) ??
    handlerByFunctionType(file, fn) ??
    handlerByParameterTypes(file, fn) ??
    handlerByUse(file, fn);
  known.set(fn, handler ?? "none");
  return handler;
}

/** The nearest handler around a node. */
export function handlerAround(file: File, node: Node): Handler | undefined {
  for (const fn of functionsAround(node)) {
    const handler = handlerOf(file, fn);
    if (handler !== undefined) return handler;
  }
  return undefined;
}

/** True for an application or a router of Express. */
export function isExpressApp(file: File, node: Node): boolean {
  return isMadeBy(file, node, expressModules);
}

/** True for a file in which Next.js looks for routes of an API. */
export function isNextRouteFile({ filename }: File): boolean {
  return routeFile.test(filename) || pagesFile.test(filename);
}

/** The method a route of Next.js' app folder answers; undefined where the function is none. */
export function nextRouteMethod(file: File, fn: AnyFunction): string | undefined {
  const name = routeFile.test(file.filename) ? exportedName(fn) : undefined;
  return name !== undefined && nextMethods.has(name) ? name : undefined;
}

/** True for the default export of a file in Next.js' `pages/api`. */
export function isPagesRoute(file: File, fn: AnyFunction): boolean {
  return pagesFile.test(file.filename) && exportedName(fn) === "default";
}

/** The calls a function is handed to, in place or by name, also inside a list or one call that wraps it. */
export function handedTo(file: File, fn: AnyFunction): readonly CallExpression[] {
  const places: Node[] = [fn];
  const name = nameNodeOf(fn);
  const variable = name === undefined ? undefined : variableOf(file, name);
  if (variable !== undefined) {
    for (const { identifier } of variable.references) if (identifier !== name) places.push(identifier);
  }
  return places.flatMap((place) => {
    let up = place.parent;
    while (up && (up.type === "ArrayExpression" || bare(up) !== up)) up = up.parent;
    return up?.type === "CallExpression" && bare(up.callee) !== place ? [up] : [];
  });
}

function handlerByPlace(file: File, fn: AnyFunction): Handler | undefined {
  if (nextRouteMethod(file, fn) !== undefined) return { fn, framework: "next-app", request: 0 };
  if (isPagesRoute(file, fn)) return { fn, framework: "next-pages", request: 0, response: 1 };
  for (const call of handedTo(file, fn)) {
    const outer = call.parent?.type === "CallExpression" && bare(call.parent.callee) !== call ? call.parent : undefined;
    const handler = handlerGivenTo(file, fn, call) ?? (outer && handlerGivenTo(file, fn, outer));
    if (handler !== undefined) return handler;
  }
  return undefined;
}

function handlerGivenTo(file: File, fn: AnyFunction, call: CallExpression): Handler | undefined {
  const name = calledName(call);
  const receiver = receiverOf(call);
  if (isCallOf(file, call, httpModules, new Set(["createServer"]))) {
    return { fn, framework: "node", request: 0, response: 1, registration: call };
  }
  if (receiver === undefined || name === undefined) return undefined;
  if (name === "onError" && isMadeBy(file, receiver, honoModules)) {
    return { fn, framework: "hono", error: 0, request: 1, response: 1, registration: call };
  }
  if (name === "setErrorHandler" && isMadeBy(file, receiver, fastifyModules)) {
    return { fn, framework: "fastify", error: 0, request: 1, response: 2, registration: call };
  }
  if (name === "param" && isExpressApp(file, receiver)) {
    return { fn, framework: "express", request: 0, response: 1, registration: call };
  }
  if (!verbs.has(name)) return undefined;
  if (isExpressApp(file, receiver)) return { ...expressHandler(fn), registration: call };
  if (isMadeBy(file, receiver, fastifyModules)) {
    return { fn, framework: "fastify", request: 0, response: 1, registration: call };
  }
  if (isMadeBy(file, receiver, honoModules)) {
    return { fn, framework: "hono", request: 0, response: 0, registration: call };
  }
  return undefined;
}

/** Express tells the two kinds apart by their number of parameters, and so do we. */
function expressHandler(fn: AnyFunction): Handler {
  if (fn.params.length === 4) return { fn, framework: "express", error: 0, request: 1, response: 2 };
  return { fn, framework: "express", request: 0, response: 1 };
}

function handlerByFunctionType(file: File, fn: AnyFunction): Handler | undefined {
  const type = annotationOf(file, fn);
  if (type === undefined) return undefined;
  if (expressModules.has(type.module)) {
    if (type.name === "RequestHandler") return { fn, framework: "express", request: 0, response: 1 };
    if (type.name === "ErrorRequestHandler") return { fn, framework: "express", error: 0, request: 1, response: 2 };
  }
  if (type.module === "next" && type.name === "NextApiHandler") {
    return { fn, framework: "next-pages", request: 0, response: 1 };
  }
  if (type.module === "http" && type.name === "RequestListener") {
    return { fn, framework: "node", request: 0, response: 1 };
  }
  if (type.module === "hono" && /^(Handler|MiddlewareHandler)$/.test(type.name)) {
    return { fn, framework: "hono", request: 0, response: 0 };
  }
  return undefined;
}

/** The type a function is declared to have, by its variable, by `satisfies`, or as what another function returns. */
function annotationOf(file: File, fn: AnyFunction): LibraryType | undefined {
  let up = fn.parent;
  if (up?.type === "TSSatisfiesExpression" || up?.type === "TSAsExpression")
    return libraryType(file, up.typeAnnotation);
  if (up?.type === "VariableDeclarator" && up.id.type === "Identifier") {
    return libraryType(file, up.id.typeAnnotation?.typeAnnotation);
  }
  if (up?.type === "ReturnStatement") up = functionsAround(up)[0];
  return isFunction(up) ? libraryType(file, up.returnType?.typeAnnotation) : undefined;
}

const requestTypes: Readonly<Record<string, { framework: Framework; request: string; response?: string }>> = {
  express: { framework: "express", request: "Request", response: "Response" },
  "express-serve-static-core": { framework: "express", request: "Request", response: "Response" },
  fastify: { framework: "fastify", request: "FastifyRequest", response: "FastifyReply" },
  hono: { framework: "hono", request: "Context", response: "Context" },
  next: { framework: "next-pages", request: "NextApiRequest", response: "NextApiResponse" },
  "next/server": { framework: "next-app", request: "NextRequest" },
  http: { framework: "node", request: "IncomingMessage", response: "ServerResponse" },
};

/** Also a helper that takes a framework's request is one: it reads what the client sent. */
function handlerByParameterTypes(file: File, fn: AnyFunction): Handler | undefined {
  const types = fn.params.map((_, index) => typeOfParameter(file, fn, index));
  for (const [index, type] of types.entries()) {
    const framework = type && requestTypes[type.module];
    if (type === undefined || framework === undefined || ![framework.request, framework.response].includes(type.name)) {
      continue;
    }
    const request = types.findIndex((one) => one?.module === type.module && one.name === framework.request);
    const response = types.findIndex((one) => one?.module === type.module && one.name === framework.response);
    const error = framework.framework === "express" && fn.params.length === 4 && index > 0 ? { error: 0 } : {};
    return {
      fn,
      framework: framework.framework,
      ...(request === -1 ? {} : { request }),
      ...(response === -1 ? {} : { response }),
      ...error,
    };
  }
  return undefined;
}

/**
 * A controller in a file of its own: exported, takes `req` and `res`, and answers by methods that Express gave to its
 * response and Node's own does not have.
 */
function handlerByUse(file: File, fn: AnyFunction): Handler | undefined {
  const [request, response] = fn.params;
  if (request?.type !== "Identifier" || response?.type !== "Identifier" || !isExported(fn)) return undefined;
  if (!/^_?(req|request)$/.test(request.name) || !/^_?(res|response)$/.test(response.name)) return undefined;
  const variable = variableOf(file, response);
  const answers = variable?.references.some(({ identifier: { parent } }) => {
    if (parent?.type !== "MemberExpression" || parent.parent?.type !== "CallExpression") return false;
    return /^(json|send|status|render|redirect|sendStatus|sendFile|jsonp)$/.test(memberName(parent) ?? "");
  });
  return answers === true ? { fn, framework: "express", request: 0, response: 1 } : undefined;
}

/** `export function`, `export const f =`, `exports.f =`, `module.exports =`, and whatever stands in it. */
function isExported(fn: AnyFunction): boolean {
  for (let up: Node | null | undefined = fn.parent; up; up = up.parent) {
    if (up.type === "ExportNamedDeclaration" || up.type === "ExportDefaultDeclaration") return true;
    if (up.type !== "AssignmentExpression") continue;
    const { left } = up;
    return left.type === "MemberExpression" && /^(module\.)?exports\b/.test(pathOf(left));
  }
  return false;
}

function pathOf(node: Node): string {
  if (node.type === "Identifier") return node.name;
  return node.type === "MemberExpression" ? `${pathOf(node.object)}.${memberName(node) ?? ""}` : "";
}

/** The name a function is exported under, "default" for the default export. */
function exportedName(fn: AnyFunction): string | undefined {
  const up = fn.parent;
  if (up?.type === "ExportDefaultDeclaration") return "default";
  if (fn.type === "FunctionDeclaration" && up?.type === "ExportNamedDeclaration") return fn.id?.name;
  const name = nameNodeOf(fn);
  if (name?.type !== "Identifier") return undefined;
  const declaration = up?.type === "VariableDeclarator" ? up.parent : undefined;
  if (declaration?.parent?.type === "ExportNamedDeclaration") return name.name;
  const program = declaration === undefined ? up : declaration.parent;
  if (program?.type !== "Program") return undefined;
  const isDefault = program.body.some(
    (one) =>
      one.type === "ExportDefaultDeclaration" &&
      one.declaration.type === "Identifier" &&
      one.declaration.name === name.name,
  );
  return isDefault ? "default" : undefined;
}

function nameNodeOf(fn: AnyFunction): Node | undefined {
  if (fn.type === "FunctionDeclaration") return fn.id ?? undefined;
  const up = fn.parent;
  return up?.type === "VariableDeclarator" && up.id.type === "Identifier" ? up.id : undefined;
}
