import type { ExpressLayer } from "./express-shape.ts";
import { handleOf } from "./express-shape.ts";

/** What a middleware would do in front of the gates, and what to do about it. */
export interface KnownMiddleware {
  readonly problem: string;
  readonly fix: string;
  /** True where listing it with a reason does not help. */
  readonly isForbidden: boolean;
}

/** What stands in front of the gates and would come before them; undefined for Express's own and for error handlers. */
export function inFrontOfGates(layer: ExpressLayer): KnownMiddleware | undefined {
  if (isHarmless(layer)) return undefined;
  const { name } = layer;
  if (bodyParsers.has(name)) {
    return {
      problem: `${called(name)} reads bodies before they are counted, and the gates find nothing left`,
      fix: "mount toExpress(api) in front of it; input schemas take its place",
      isForbidden: true,
    };
  }
  const known = knownInFront[name];
  if (known !== undefined) return { ...known, problem: `${called(name)} ${known.problem}`, isForbidden: false };
  return {
    problem: `${called(name)} sees every request before the gates and may answer it`,
    fix: `mount toExpress(api) in front of it, or say why it may: inFront: [{ name: ${JSON.stringify(name)}, reason }]`,
    isForbidden: false,
  };
}

/** Whether a middleware behind the gates needs no word: it prepares requests for others and loses nothing there. */
export function isOrdinaryBehind(layer: ExpressLayer): boolean {
  return isHarmless(layer) || bodyParsers.has(layer.name) || preparing.has(layer.name);
}

/** What a middleware is called in messages. */
export function called(name: string): string {
  return name === "<anonymous>" ? "a function without a name" : name;
}

/** Express 4's own two, and what only runs after an error. */
function isHarmless(layer: ExpressLayer): boolean {
  const handle = handleOf(layer);
  return (
    layer.name === "query" || layer.name === "expressInit" || (typeof handle === "function" && handle.length === 4)
  );
}

/** Names of the functions that `express.json()` and its like return. */
const bodyParsers: ReadonlySet<string> = new Set(["jsonParser", "urlencodedParser", "rawParser", "textParser"]);

/** helmet, cors, express-session, cookie-session, cookie-parser, compression, morgan. */
const preparing: ReadonlySet<string> = new Set([
  "helmetMiddleware",
  "corsMiddleware",
  "session",
  "_cookieSession",
  "cookieParser",
  "compression",
  "logger",
]);

const knownInFront: Readonly<Record<string, { readonly problem: string; readonly fix: string }>> = {
  helmetMiddleware: {
    problem: "(helmet) sets headers that no answer of the API keeps",
    fix: "take it out, or mount toExpress(api) in front of it: security-headers sets them on every answer",
  },
  corsMiddleware: {
    problem: "(cors) answers preflights by a list of origins of its own",
    fix: "take it out and list origins in createApi, or mount toExpress(api) in front of it",
  },
  session: {
    problem: "(express-session) begins sessions before anybody is proved, and sets their cookies on our answers",
    fix: "mount toExpress(api) in front of it, and hand its lookup to session({ cookies, resolve })",
  },
  serveStatic: {
    problem: "(express.static) answers from files before any gate",
    fix: "mount toExpress(api) in front of it, or mount the API below a path of its own",
  },
};
