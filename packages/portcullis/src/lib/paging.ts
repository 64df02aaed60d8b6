import type { Exchange } from "../exchange.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import { canonicalNumber } from "./canonical-value.ts";
import { chain } from "./chain.ts";
import { Unreadable } from "./unreadable.ts";

/** Query parameters a paged route reads itself. */
export const pageParameters = Object.freeze({ cursor: ["limit", "cursor"], pages: ["limit", "page"] } as const);

type Rest = Readonly<Record<string, string>>;

/**
 * Makes the reader of a route's page parameters; undefined where the route is not paged. It puts the page asked for on
 * the exchange and gives back the query without it. More than the maximum is refused, never everything.
 */
export function pageReader(
  api: ApiPlan,
  route: RoutePlan,
): ((x: Exchange) => Rest | Refusal | Promise<Rest | Refusal>) | undefined {
  const { page } = route;
  if (page === undefined) return undefined;

  return function readPage(x) {
    const limit = whole(x.query["limit"], page.size, page.max);
    if (limit === undefined) return outOfRange("/query/limit");
    const rest = without(x.query, pageParameters[page.kind]);

    if (page.kind === "pages") {
      const number = whole(x.query["page"], 1, page.maxPage);
      if (number === undefined) return outOfRange("/query/page");
      x.page = { limit, page: number, offset: (number - 1) * limit };
      return rest;
    }
    const sealed = x.query["cursor"];
    if (sealed === undefined) {
      x.page = { limit, after: undefined };
      return rest;
    }
    return chain(api.cursors.open(sealed, cursorBinding(route, x)), (after) => {
      if (after instanceof Unreadable) {
        return new Refusal("bad-cursor", after.reason, {
          errors: [{ pointer: "/query/cursor", reason: "not-allowed" }],
        });
      }
      x.page = { limit, after: after.value };
      return rest;
    });
  };
}

/** A cursor is good for one list, which is a route with the values of its path, and for one caller. */
export function cursorBinding(route: RoutePlan, x: Exchange): string {
  const { subject = null, tenant = null } = x.caller ?? {};
  return JSON.stringify([route.name, route.version ?? null, x.pathValues, subject, tenant]);
}

function whole(text: string | undefined, preset: number, max: number): number | undefined {
  if (text === undefined) return preset;
  const value = canonicalNumber(text);
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= max ? value : undefined;
}

function without(query: Rest, names: readonly string[]): Rest {
  const rest: Record<string, string> = Object.create(null);
  for (const name in query) if (!names.includes(name)) rest[name] = query[name] ?? "";
  return rest;
}

function outOfRange(pointer: string): Refusal {
  return new Refusal("invalid-input", `${pointer} outside its bounds`, { errors: [{ pointer, reason: "range" }] });
}
