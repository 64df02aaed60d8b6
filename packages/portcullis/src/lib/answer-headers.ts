import type { Exchange } from "../exchange.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import { serializeCookie } from "./set-cookie.ts";

/** Headers a handler may set itself; everything else belongs to a gate. */
export const answerHeaderNames: ReadonlySet<string> = new Set([
  "content-language",
  "etag",
  "last-modified",
  "link",
  "location",
]);

/**
 * Makes the headers of a route's own answers: Deprecation and Sunset from its policy, and what `answer()` asked for.
 *
 * @see RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 8288 (Link)
 */
export function answerHeaders(api: ApiPlan, route: RoutePlan): (x: Exchange) => readonly string[] | Refusal {
  const sessionCookies = new Set(
    api.verifiers.flatMap(({ credential: { carrier } }) => (carrier.in === "cookie" ? carrier.cookies : [])),
  );
  const always: string[] = [];
  if (route.sinceMs !== undefined) always.push("deprecation", `@${Math.floor(route.sinceMs / 1000)}`);
  if (route.sunsetMs !== undefined) always.push("sunset", new Date(route.sunsetMs).toUTCString());
  const link = route.policy.deprecated?.link;
  if (link !== undefined) always.push("link", `<${link}>; rel="deprecation"`);

  return function headersFor(x) {
    const options = x.answerOptions;
    if (options === undefined || (options.headers === undefined && options.cookies === undefined)) return always;
    const headers = [...always];
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      const lower = name.toLowerCase();
      if (!answerHeaderNames.has(lower)) return new Refusal("undeclared-output", `a handler may not set ${lower}`);
      // Only visible ASCII: a line break would start a header of the attacker's.
      if (!/^[\x20-\x7e]*$/.test(value)) return new Refusal("undeclared-output", `${lower} holds a control character`);
      headers.push(lower, value);
    }
    for (const cookie of options.cookies ?? []) {
      // Without startsSession no csrf gate stood before: a stranger could sign his victim in as himself.
      const isSession = cookie.value !== "" && sessionCookies.has(cookie.name);
      if (isSession && !route.startsSession && x.caller?.proof.ambient !== true) {
        return new Refusal("undeclared-output", `${cookie.name} begins a session; the route has to say startsSession`);
      }
      if (isSession && route.begunBy !== undefined && !route.begunBy.some((one) => wasSent(x.cookieInput, one))) {
        return new Refusal("undeclared-output", `${cookie.name} begins a session that was not begun in this browser`);
      }
      const text = serializeCookie(cookie.name, cookie.value, {
        sameSite: cookie.sameSite ?? "Strict",
        ...(cookie.maxAgeSeconds === undefined ? {} : { maxAgeSeconds: cookie.maxAgeSeconds }),
      });
      headers.push("set-cookie", text);
    }
    return headers;
  };
}

function wasSent(cookies: unknown, name: string): boolean {
  return typeof cookies === "object" && cookies !== null && Boolean(Reflect.get(cookies, name));
}
