import {
  type AnyFunction,
  calledName,
  type CallExpression,
  everyNode,
  isFunction,
  memberName,
  type Node,
  receiverOf,
  stringIn,
} from "../ast.ts";
import { isExpressApp, isNextRouteFile, isPagesRoute, nextRouteMethod } from "../handlers.ts";
import { functionOf } from "../origin.ts";
import { callsIn } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

/** Routes that nobody guards. */
export const authentication = defineRule(
  "authentication",
  {
    nextRoute: {
      problem: "Whoever knows the URL may call this: nothing here asks who is calling.",
      fix: "Ask first, and answer 401: const session = await auth(); or give the route to Portcullis: toNext(api).",
    },
    forgotten: {
      problem: "{{guard}} stands on the other routes of {{path}} and not on this one.",
      fix: "Name {{guard}} here too, or better once for all: router.use({{guard}}).",
    },
  },
  (file, report) => ({
    "Program:exit"(program) {
      if (isNextRouteFile(file)) {
        for (const node of everyNode(program)) {
          if (isFunction(node) && isOpenNextRoute(file, node)) report(node, "nextRoute");
        }
      }
      // The word stands in every file that makes a router; the others need no walk.
      if (!file.sourceCode.text.includes("express")) return;
      for (const { call, guard, path } of forgottenIn(routesOf(file))) report(call, "forgotten", { guard, path });
    },
  }),
);

const guardNames =
  /^(auth|get(Server|Current|Required|Active)?(Session|User|Viewer|Caller|Identity|Auth)|current_?[uU]ser|session|verify\w*|require\w*|ensure\w*|assert\w*|protect\w*|guard\w*|authenticat\w*|authori[sz]\w*|getToken|jwtVerify|constructEvent(Async)?|timingSafeEqual|toNext|unwrap|(check|validate|has|can)\w*(Auth|Access|Permission|Session|Token|Role|Admin|Key|Signature|Secret|User|Request|Csrf)\w*|is_?(Auth\w*|Admin|LoggedIn|SignedIn|Owner|Allowed)|with\w*(Auth|Session|User|Permission|Guard|Admin|Role)\w*|\w*[aA]uth(enticate|orize|enticated|orized)?)$/;

/** Paths that strangers are meant to call, or whose caller proves himself otherwise. */
const openPaths =
  /(^|[\\/.[\]-])(auth|nextauth|login|log-?in|logout|sign-?(in|up|out)|register|signup|forgot\w*|reset\w*|verify\w*|callback|oauth|webhooks?|health\w*|status|ping|ready|live|public|contact|newsletter|subscribe|unsubscribe|feedback|cron|sitemap|robots|rss|feed|og|manifest|opengraph\w*|revalidate|draft|preview|trpc|graphql|inngest|uploadthing|csp\w*|track\w*|analytics|vitals)([\\/.[\]-]|$)/i;

/** A route that changes or reads stored data while nothing in it, or in what it calls here, looks like a guard. */
function isOpenNextRoute(file: File, fn: AnyFunction): boolean {
  const method = nextRouteMethod(file, fn);
  if (method === undefined && !isPagesRoute(file, fn)) return false;
  if (method === "OPTIONS" || openPaths.test(file.filename.replace(/^.*[\\/](app|pages)[\\/]/, ""))) return false;
  return touchesData(file, fn) && !hasGuard(file, fn);
}

/** A call on something that is called a database: what the route would give away, or change. */
function touchesData(file: File, fn: AnyFunction, depth = 2): boolean {
  return callsIn(fn).some((call) => {
    const root = rootOf(call.callee);
    if (
      root !== undefined &&
      /^(prisma|db|database|sql|pool|knex|drizzle|supabase|mongo|collection|redis|kv)$/i.test(root)
    )
      return true;
    const callee = depth > 0 ? functionOf(file, call.callee) : undefined;
    return callee !== undefined && callee !== fn && touchesData(file, callee, depth - 1);
  });
}

/** A guard's call, a look at the Authorization header or a cookie, or a function of this file that has one of these. */
function hasGuard(file: File, fn: AnyFunction, depth = 3): boolean {
  return everyNode(fn).some((node) => {
    if (
      stringIn(node) !== undefined &&
      /^(authorization|cookie|x-api-key|x-[a-z-]*(secret|token|signature|key))$/i.test(stringIn(node) ?? "")
    ) {
      return true;
    }
    if (node.type === "MemberExpression" && /^(authorization|cookies|session|auth|user)$/.test(memberName(node) ?? ""))
      return true;
    if (node.type === "Identifier" && node.name === "cookies") return true;
    if (node.type !== "CallExpression") return false;
    if (guardNames.test(calledName(node) ?? "")) return true;
    const callee = depth > 0 ? functionOf(file, node.callee) : undefined;
    return callee !== undefined && callee !== fn && hasGuard(file, callee, depth - 1);
  });
}

function rootOf(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return rootOf(node.object);
  return node.type === "CallExpression" ? rootOf(node.callee) : undefined;
}

interface Route {
  readonly call: CallExpression;
  readonly router: string;
  readonly method: string;
  readonly path: string;
  /** The first middleware whose name is a guard's. */
  readonly guard: string | undefined;
  readonly middlewares: number;
}

const routeMethods = new Set(["get", "post", "put", "patch", "delete", "all"]);

/** The routes of Express in one file, with the guard each names; a router guarded as a whole has none here. */
function routesOf(file: File): readonly Route[] {
  const calls = callsIn(file.sourceCode.ast);
  const guarded = new Set(
    calls
      .filter((call) => calledName(call) === "use" && call.arguments.some((one) => guardIn(one) !== undefined))
      .map((call) => routerName(call)),
  );
  return calls.flatMap((call) => {
    const receiver = receiverOf(call);
    const path = stringIn(call.arguments[0]);
    const method = calledName(call) ?? "";
    const router = routerName(call);
    if (receiver === undefined || path === undefined || router === undefined || !routeMethods.has(method)) return [];
    if (guarded.has(router) || call.arguments.length < 2 || !isExpressApp(file, receiver)) return [];
    const middlewares = call.arguments.slice(1, -1);
    const guard = middlewares.map(guardIn).find((one) => one !== undefined);
    return [{ call, router, method, path, guard, middlewares: middlewares.length }];
  });
}

/** Routes without any middleware, below an id, while others below the same id name a guard. */
function forgottenIn(routes: readonly Route[]): readonly { call: CallExpression; guard: string; path: string }[] {
  return routes.flatMap((route) => {
    const shared = /^.*?:\w*id\b/i.exec(route.path)?.[0];
    if (shared === undefined || route.middlewares > 0) return [];
    const siblings = routes.filter(
      (one) => one.router === route.router && one.path.startsWith(shared) && one.guard !== undefined,
    );
    // What changes something may be guarded where reading is free, and not the other way round.
    const isRead = route.method === "get";
    const isUsual = !isRead || siblings.some(({ method }) => method === "get" || method === "all");
    const guard = siblings[0]?.guard;
    if (guard === undefined || siblings.length < 2 || !isUsual) return [];
    return [{ call: route.call, guard, path: shared }];
  });
}

function guardIn(node: Node): string | undefined {
  const named = node.type === "CallExpression" ? node.callee : node;
  const name =
    named.type === "Identifier" ? named.name : named.type === "MemberExpression" ? memberName(named) : undefined;
  return name !== undefined && /auth|logged_?in|signed_?in|require_?user|session|protect|guard|jwt|passport/i.test(name)
    ? name
    : undefined;
}

function routerName(call: CallExpression): string | undefined {
  const receiver = receiverOf(call);
  return receiver?.type === "Identifier" ? receiver.name : undefined;
}
