import type { RouteGate } from "../gate.ts";
import { sentByOtherSite } from "../lib/other-site.ts";
import type { RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";

/**
 * Refuses a write that another site made a browser send. It applies where a cookie proved the caller, on every route
 * that starts a session (or a stranger signs his victim in as himself), on every route whose input has a cookie (its
 * page of a consent may be a sibling host's), whatever the content type, and on every form whose failures are counted by
 * a field (or visitors of his page use up, from all their networks, what somebody may get wrong). A credential in a
 * header needs none, because no site can make a browser add it.
 *
 * Sec-Fetch-Site decides where it is sent: `same-origin` and `none` pass, anything else only from a configured origin.
 * Otherwise Origin decides: our own or a configured one. A form that starts a session or comes with a cookie of its input
 * passes from our own pages alone. Both missing is no browser: it passes where no cookie proved the caller.
 *
 * @returns step; refuses with `cross-site` (403)
 * @see Fetch Metadata, OWASP Cross-Site Request Forgery Prevention Cheat Sheet, OWASP ASVS 5.0 3.5.1
 */
export const csrf: RouteGate = (api, route) => {
  const takesCookies = api.verifiers.some(({ credential }) => credential.carrier.in === "cookie");
  const isAsked = route.startsSession || route.cookies !== undefined;
  const always = isAsked || countsGuesses(route);
  if (route.method === "GET" || (!takesCookies && !always)) return undefined;

  // A form with a cookie belongs to a page of ours, such as one that asks a person whether an application may: pages of
  // configured origins call the API by script, and must not be able to answer in the person's place.
  const originsCount = !(isAsked && route.body?.form === true);

  return function refuseCrossSite(x) {
    const ambient = x.caller?.proof.ambient === true;
    if (!ambient && !always) return undefined;
    const otherSite = sentByOtherSite(x, originsCount);
    if (otherSite !== undefined) return new Refusal("cross-site", otherSite);
    const saysNothing = x.headers["sec-fetch-site"] === undefined && x.headers["origin"] === undefined;
    return ambient && saysNothing ? new Refusal("cross-site", "neither Sec-Fetch-Site nor Origin") : undefined;
  };
};

/** JSON is sent by no other site without being asked for it first; a form is. */
function countsGuesses({ body, limits }: RoutePlan): boolean {
  return body?.form === true && limits.some(({ by, counts }) => by === "field" && counts === "failures");
}
