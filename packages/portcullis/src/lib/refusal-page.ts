import type { Exchange } from "../exchange.ts";
import type { HtmlOutput } from "../html.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import type { Refusal } from "../refusal.ts";
import { prefersPage } from "./accept.ts";
import { isByRole } from "./choose-output.ts";
import { type Markup, markup } from "./markup.ts";
import { pagePolicy, renderPage } from "./render-page.ts";

/** Writes a refusal as a page and says so in the exchange. @returns undefined where it is no page's matter */
export type WriteRefusalPage = (x: Exchange, refusal: Refusal) => string | undefined;

/**
 * Makes the pages that stand in place of a problem document where a person looks at the answer: at routes that answer
 * with a page or send browsers on, and at addresses without a route where the API has such routes. In the look of the
 * route's own pages; words and links are ours, and nothing that was sent is in them.
 *
 * @returns undefined where the API has no pages
 */
export function refusalPages(api: ApiPlan): WriteRefusalPage | undefined {
  const looks = new Map<number, HtmlOutput>();
  const rules = api.routes.map(({ index, outputs }) => ({ index, rules: outputs.flatMap(({ rule }) => flat(rule)) }));
  const first = rules.flatMap((one) => one.rules).find(isHtml);
  if (first === undefined) return undefined;
  for (const { index, rules: own } of rules) {
    if (own.some((rule) => isHtml(rule) || isRedirect(rule))) looks.set(index, own.find(isHtml) ?? first);
  }

  const wayOn = waysOn(api.routes);

  return function writeRefusalPage(x, refusal) {
    const { status, title } = refusal;
    const look = x.route === undefined ? first : looks.get(x.route.index);
    if (look === undefined || !prefersPage(x.headers["accept"])) return undefined;
    const wait = retrySeconds(x, refusal.headers);
    const code = status === 500 ? "internal" : refusal.code;
    const nonce = api.newId();
    x.pagePolicy = pagePolicy(look, nonce);
    const body = markup`<main><h1>${title}</h1><p>${says[status] ?? (status < 500 ? says[400] : says[500])}${
      wait === undefined ? "" : ` Try again in ${inWords(wait)}.`
    }</p>${wayOn(x, status)}<p class="hint">${status} ${code}<br>Request ${x.id}</p></main>`;
    return renderPage(look, { title, body }, nonce);
  };
}

const says: Readonly<Record<number, string>> = {
  400: "What was sent is not what this address takes. Go back and try it once more.",
  401: "This is for people who are signed in.",
  403: "This was not asked from a page of this site, or is not yours to do. Go back, load the page again and try it once more.",
  404: "There is nothing at this address.",
  405: "This address cannot be opened like this.",
  408: "What was sent took too long to arrive.",
  410: "What was at this address is gone.",
  413: "What was sent is too large.",
  414: "This address is too long.",
  421: "Nothing is served under this address. Look whether its name is right, and whether it has to begin with https.",
  429: "This was tried too often.",
  431: "The browser sent too much along. Delete the cookies of this site and try it again.",
  500: "Something went wrong here. It has been recorded; try it again later.",
  503: "This cannot be answered at the moment.",
};

/**
 * Where whoever is refused may go on: the same address, which an empty one is, or the nearest page above it. Never an
 * address of whoever made the link, nor a page that would start a session.
 */
function waysOn(routes: readonly RoutePlan[]): (x: Exchange, status: number) => Markup | undefined {
  const pages = new Set(
    routes
      .filter(({ method, startsSession, outputs: [usual] }) => {
        return method === "GET" && !startsSession && usual !== undefined && flat(usual.rule).every(isHtml);
      })
      .map(({ path }) => path),
  );

  return function wayOn({ path, method, route }, status) {
    // On another host, or over http, our addresses are somebody else's.
    if (path === "" || status === 421) return undefined;
    const isRead = method === "GET";
    if (isRead && mayPass.has(status)) return link("", "Try again");
    if (!isRead && route !== undefined && pages.has(route.path)) return link("", "Back to the page");
    // What was not to be read is not read without its query either, unless that was wrong.
    let above = isRead && status !== 400 ? parentOf(path) : path;
    while (above !== "" && !pages.has(above)) above = parentOf(above);
    return above === "" ? undefined : link(above, `Go to ${above}`);
  };
}

/** What may be over by the next time. */
const mayPass: ReadonlySet<number> = new Set([408, 429, 500, 503]);

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function link(address: string, says: string): Markup {
  return markup`<p><a href="${address}">${says}</a></p>`;
}

function flat(rule: OutputRule | ByRoleOutput): readonly OutputRule[] {
  return isByRole(rule) ? Object.values(rule.roles) : [rule];
}

function isHtml(rule: OutputRule): rule is HtmlOutput {
  return "kind" in rule && rule.kind === "html";
}

function isRedirect(rule: OutputRule): boolean {
  return "kind" in rule && rule.kind === "redirect";
}

/** What Retry-After will say: the limiter's, or the refusal's own. */
function retrySeconds({ decision }: Exchange, headers: readonly string[] = []): number | undefined {
  if (decision !== undefined && !decision.admitted) return Math.max(1, Math.ceil(decision.retryAfterMs / 1000));
  const own = headers.findIndex((name, i) => i % 2 === 0 && name === "retry-after");
  const seconds = Number(headers[own + 1]);
  return own >= 0 && Number.isInteger(seconds) ? seconds : undefined;
}

/** Rounded up, so that nobody comes too early. */
function inWords(seconds: number): string {
  if (seconds < 90) return amount(seconds, "second");
  return seconds < 90 * 60 ? amount(Math.ceil(seconds / 60), "minute") : amount(Math.ceil(seconds / 3600), "hour");
}

function amount(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
