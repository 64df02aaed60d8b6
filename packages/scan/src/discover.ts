import { type Answer, headerOf, headersOf, isSuccess, mediaTypeOf } from "./answer.ts";
import { parseText } from "./documents.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Header, Identity } from "./identities.ts";
import { inferDescription } from "./inferred.ts";
import { isRecord, type JsonRecord, listAt, recordAt, textAt, walk } from "./json.ts";
import type { Recorded } from "./recorded.ts";
import { ScanError } from "./scan-error.ts";
import { changesByReading } from "./suspicious.ts";

/** What a target told of itself. */
export type Discovered =
  | { readonly kind: "described"; readonly url: string }
  | { readonly kind: "inferred"; readonly document: JsonRecord; readonly notes: readonly string[] };

/** Where frameworks put a description, the commonest first. */
const wellKnown = [
  "/openapi.json",
  "/swagger.json",
  "/api/openapi.json",
  "/api-docs",
  "/v3/api-docs",
  "/openapi.yaml",
  "/swagger/v1/swagger.json",
  "/docs-json",
  "/api-json",
  "/api/docs-json",
  "/documentation/json",
  "/docs/json",
  "/doc",
  "/openapi",
  "/api-docs.json",
  "/api-docs/swagger.json",
  "/swagger-json",
  "/swagger.yaml",
  "/openapi.yml",
  "/v2/api-docs",
  "/v2/swagger.json",
  "/api/swagger.json",
  "/api/v1/openapi.json",
  "/docs/openapi.json",
  "/swagger/docs/v1",
  "/.well-known/openapi.json",
] as const;

/** Pages that name the description they show. */
const pages = [
  "/docs",
  "/api/docs",
  "/swagger",
  "/swagger-ui/",
  "/swagger-ui.html",
  "/swagger/index.html",
  "/redoc",
  "/reference",
];

/** Most addresses asked for that one answer names as those of a description. */
const mostNamed = 20;

/** Most paths looked at where nothing describes the API. */
const mostPaths = 60;

/** Most links taken of one answer: no more could be looked at. */
const mostLinks = 200;

/**
 * Finds out what an API offers when nobody says it: a description at a well-known place, in an API catalogue or behind a
 * documentation page, else whatever its answers link to and its `Allow` headers name.
 *
 * @param allowUnsafe  also fetch what its name says is changed by reading
 * @throws ScanError when nothing is found
 * @see RFC 9727 (`/.well-known/api-catalog`), RFC 8631 (`service-desc`), RFC 9110 section 10.2.1 (`Allow`)
 */
export async function discover(
  fetcher: Fetcher,
  identities: readonly Identity[],
  allowUnsafe: boolean,
): Promise<Discovered> {
  const below = fetcher.url.pathname.replace(/\/+$/, "");
  const described = await findDescription(fetcher, identities, below);
  if (described !== undefined) return { kind: "described", url: described };
  const requests = await follow(fetcher, identities, below, allowUnsafe);
  if (requests.length === 0) {
    throw new ScanError(
      `nothing at ${fetcher.url.origin} says what the API offers: pass --manifest (from "portcullis manifest"), --openapi or --requests, a list of what its clients send: POST /orders {"items":2}`,
    );
  }
  const count = new Set(requests.map(({ path }) => path)).size;
  return {
    kind: "inferred",
    document: inferDescription(requests, fetcher.url.host),
    notes: [`Nothing describes the API; ${count} paths were found by following what its answers link to.`],
  };
}

/** Reads as nobody, and as somebody where nobody is refused. */
async function get(fetcher: Fetcher, identities: readonly Identity[], target: string): Promise<Answer> {
  const accept: Header = ["accept", "application/json, application/yaml;q=0.9, text/html;q=0.8, */*;q=0.5"];
  const answer = await fetcher.send({ method: "GET", target, headers: [accept], label: "discovery" });
  const [first] = identities;
  if (first === undefined || isSuccess(answer) || answer.status === 404) return answer;
  const headers = [accept, first.header, ...(first.along ?? [])];
  return await fetcher.send({ method: "GET", target, headers, as: first, label: first.name });
}

async function findDescription(
  fetcher: Fetcher,
  identities: readonly Identity[],
  below: string,
): Promise<string | undefined> {
  const catalogue = await get(fetcher, identities, "/.well-known/api-catalog");
  const root = await get(fetcher, identities, `${below}/`);
  const hinted = [...linkedDescriptions(root), ...(isSuccess(catalogue) ? catalogued(catalogue.json) : [])];
  for (const link of hinted.slice(0, mostNamed)) {
    const found = await describedAt(fetcher, identities, link);
    if (found !== undefined) return found;
  }
  const places = below === "" ? wellKnown : [...wellKnown.map((place) => `${below}${place}`), ...wellKnown];
  for (const place of places) {
    const found = await describedAt(fetcher, identities, place);
    if (found !== undefined) return found;
  }
  for (const page of pages) {
    const answer = await get(fetcher, identities, `${below}${page}`);
    if (!isSuccess(answer)) continue;
    for (const link of namedIn(answer.text).slice(0, mostNamed)) {
      const found = await describedAt(fetcher, identities, link, `${below}${page}`);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/**
 * The address of a description, where there is one.
 *
 * @param from  path of what names it; default the root
 */
async function describedAt(
  fetcher: Fetcher,
  identities: readonly Identity[],
  link: string,
  from?: string,
): Promise<string | undefined> {
  const url = sameHost(fetcher, link, from);
  if (url === undefined) return undefined;
  const answer = await get(fetcher, identities, `${url.pathname}${url.search}`);
  if (!isSuccess(answer) || mediaTypeOf(answer) === "text/html") return undefined;
  try {
    const document = answer.json ?? parseText(answer.text, link);
    const version = textAt(document, "openapi") ?? textAt(document, "swagger");
    const isDescription = version !== undefined && recordAt(document, "paths") !== undefined;
    return isDescription ? url.href : undefined;
  } catch (error) {
    if (error instanceof ScanError) return undefined;
    throw error;
  }
}

/** `Link: </openapi.json>; rel="service-desc"` */
function linkedDescriptions(answer: Answer): readonly string[] {
  return headersOf(answer, "link").flatMap((value) =>
    matched(value, /<([^<>]{1,2000})>\s{0,9};[^,<>]{0,300}?rel="?[^",<>]{0,100}?\b(?:service-desc|describedby)\b/gi),
  );
}

/** The descriptions an API catalogue names. */
function catalogued(json: unknown): readonly string[] {
  return listAt(json, "linkset").flatMap((entry) =>
    ["service-desc", "describedby"].flatMap((rel) => listAt(entry, rel).flatMap((link) => textAt(link, "href") ?? [])),
  );
}

/** Documents a documentation page loads: `url: "/openapi.json"`, `spec-url=`, `data-url=`. */
function namedIn(page: string): readonly string[] {
  return [
    ...page.matchAll(
      /(?:["']?(?:url|configUrl)["']?\s*:|(?:spec|data)-url\s*=|(?:spec|data)Url\s*[:=])\s*["']([^"']{1,300})["']/gi,
    ),
  ].map(([, link]) => link ?? "");
}

/** Follows links of the target itself, and asks every path found which methods it allows. */
async function follow(
  fetcher: Fetcher,
  identities: readonly Identity[],
  below: string,
  allowUnsafe: boolean,
): Promise<readonly Recorded[]> {
  const found: Recorded[] = [];
  const queue = [
    `${below}/`,
    ...["/api", "/api/v1", "/v1", "/.well-known/openid-configuration"].map((one) => `${below}${one}`),
  ];
  const seen = new Set<string>();
  const random = await get(fetcher, identities, `${below}/pc-nothing-lies-here`);
  while (queue.length > 0 && seen.size < mostPaths) {
    const target = queue.shift() ?? "";
    const path = target.split("?")[0] ?? "";
    if (seen.has(target) || (!allowUnsafe && changesByReading(path))) continue;
    seen.add(target);
    const answer = await get(fetcher, identities, target);
    for (const link of linksIn(fetcher, target, answer)) if (!seen.has(link)) queue.push(link);
    // What answers like a path that cannot exist is no operation.
    const isThere = answer.status !== 404 && answer.status !== 0 && answer.text !== random.text;
    if (!isThere || mediaTypeOf(answer) === "text/html") continue;
    const query = Object.fromEntries(new URLSearchParams(target.split("?")[1] ?? ""));
    const at = { path, query, mediaType: undefined, status: answer.status, answer: answer.json };
    if (answer.status !== 405) found.push({ method: "GET", ...at, body: undefined });
    for (const method of await allowed(fetcher, path, answer)) {
      const body = method === "DELETE" ? undefined : writable(answer.json);
      found.push({
        method,
        ...at,
        query: {},
        body,
        mediaType: body === undefined ? undefined : "application/json",
        status: undefined,
      });
    }
  }
  return found;
}

/** Methods besides GET that a path says it knows. */
async function allowed(fetcher: Fetcher, path: string, answer: Answer): Promise<readonly string[]> {
  const options =
    headerOf(answer, "allow") === undefined
      ? await fetcher.send({ method: "OPTIONS", target: path, headers: [], label: "discovery" })
      : answer;
  const named = headerOf(options, "allow") ?? headerOf(options, "access-control-allow-methods") ?? "";
  const methods = new Set(named.toUpperCase().split(/[\s,]+/));
  return ["POST", "PUT", "PATCH", "DELETE"].filter((method) => methods.has(method));
}

/** What could be written, judged by what is read: the members of an object, or of a list's first, without what a server sets. */
function writable(json: unknown): JsonRecord | undefined {
  const levels = [json, ...(isRecord(json) ? Object.values(json) : [])];
  const list = levels.find((level) => Array.isArray(level) && isRecord(level[0]));
  const example: unknown = Array.isArray(list) ? list[0] : json;
  if (!isRecord(example)) return undefined;
  const members = Object.entries(example).filter(
    ([name, value]) =>
      value !== null &&
      !/^(?:_?id|uuid|_links|links|href|self|url|owner\w*|user_?id|\w*(?:created|updated|modified)\w*)$/i.test(name),
  );
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Addresses of the same host in an answer: members of JSON, links of a page, `Link` and `Location`. */
function linksIn(fetcher: Fetcher, from: string, answer: Answer): readonly string[] {
  const links: string[] = [];
  walk(answer.json, (_path, name, value) => {
    if (typeof value !== "string" || value.length > 300) return;
    if (/^(?:\/(?!\/)|https?:\/\/)[^\s<>"{}]+$/.test(value)) links.push(value);
    else if (/^(?:href|link|url|next|self)$/i.test(name) && /^[\w./?=&-]+$/.test(value)) links.push(value);
  });
  const inPage = mediaTypeOf(answer) === "text/html" ? matched(answer.text, pageLink) : [];
  const inHeaders = headersOf(answer, "link").flatMap((value) => matched(value, /<([^<>]+)>/g));
  const targets = new Set<string>();
  for (const link of [...links, ...inPage, ...inHeaders, ...headersOf(answer, "location")]) {
    const url = sameHost(fetcher, link, from);
    if (url === undefined || /\.(?:css|js|png|jpe?g|svg|ico|woff2?|map)$/i.test(url.pathname)) continue;
    targets.add(`${url.pathname}${url.search}`);
    if (targets.size >= mostLinks) break;
  }
  return [...targets];
}

const pageLink = /(?:href|action|fetch\()\s{0,9}=?\s{0,9}["']([^"'#\s]{1,300})["']/gi;

function matched(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([, link]) => link ?? "");
}

function sameHost(fetcher: Fetcher, link: string, from = "/"): URL | undefined {
  // Put behind the origin: by itself, a path of two slashes names a host.
  const base = `${fetcher.url.origin}${from}`;
  if (!URL.canParse(link, base)) return undefined;
  const url = new URL(link, base);
  return url.host === fetcher.url.host ? url : undefined;
}
