import { type Answer, headerOf, headersOf } from "./answer.ts";
import type { Login, TokenPlace } from "./auth-file.ts";
import { isRecord, walk } from "./json.ts";
import type { Scheme } from "./schemes.ts";

/**
 * Credentials an answer to a sign-in may carry, as {@link identityOf} reads them, the likeliest first: what the recipe
 * names, else cookies and tokens wherever they are, sent the ways the description knows and then the usual ones.
 */
export function obtained(answer: Answer, login: Login, schemes: readonly Scheme[]): readonly string[] {
  if (login.token !== undefined) {
    const token = tokenAt(answer, login.token);
    return token === undefined ? [] : [asSent(token, login.token)];
  }
  const cookies = cookiesOf(answer);
  const cookie = cookies.length === 0 ? [] : [`cookie:${cookies.join("; ")}`];
  if (login.cookies) return cookie;
  return [...tokensIn(answer).flatMap((token) => waysToSend(token, schemes)), ...cookie];
}

function tokenAt(answer: Answer, place: TokenPlace): string | undefined {
  if (place.from === "header") return headerOf(answer, place.selector.toLowerCase());
  if (place.from === "cookie") {
    const pair = cookiesOf(answer).find((one) => one.startsWith(`${place.selector}=`));
    return pair?.slice(place.selector.length + 1);
  }
  let part = answer.json;
  for (const name of place.selector.split("/").slice(1)) {
    const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
    part = Array.isArray(part) ? part[Number(key)] : isRecord(part) ? part[key] : undefined;
  }
  return typeof part === "string" || typeof part === "number" ? String(part) : undefined;
}

function asSent(token: string, place: TokenPlace): string {
  const value = place.template.replace("{token}", () => token);
  return place.sendIn === "cookie" ? `cookie:${place.sendName}=${value}` : `${place.sendName}: ${value}`;
}

/** `name=value` of every cookie that is set and not cleared. */
function cookiesOf(answer: Answer): readonly string[] {
  return headersOf(answer, "set-cookie").flatMap((line) => {
    const pair = (line.split(";")[0] ?? "").trim();
    return /^[^=\s]+=.+$/.test(pair) && !/;\s*max-age=0\b/i.test(line) ? [pair] : [];
  });
}

/** Names of members that are tokens, the best first. */
const names = [
  /^access_?token$/i,
  /^(?:auth|session|api|bearer|jwt)_?token$/i,
  /^token$/i,
  /^jwt$/i,
  /^(?:api_?key|session_?id|sid|key)$/i,
  /^id_?token$/i,
];

/** What may be a token: members with such a name at any depth, anything shaped like a JWT, and headers named so. */
function tokensIn(answer: Answer): readonly string[] {
  const found: { rank: number; token: string }[] = [];
  walk(answer.json, (_path, name, value) => {
    if (typeof value !== "string" || value.length < 6 || /\s/.test(value.replace(/^Bearer /i, ""))) return;
    if (/refresh|csrf|xsrf|expires/i.test(name)) return;
    const rank = names.findIndex((pattern) => pattern.test(name));
    const isJwt = /^(?:Bearer )?eyJ[\w-]+\.[\w-]+\.[\w-]*$/i.test(value);
    if (rank >= 0 || isJwt) found.push({ rank: rank < 0 ? names.length : rank, token: value });
  });
  for (const [name, value] of answer.headers) {
    if (
      /^(?:authorization|x-.*(?:token|session|auth).*|.*-?access-?token|token)$/i.test(name) &&
      !/csrf|xsrf/i.test(name)
    )
      found.push({ rank: names.length + 1, token: value });
  }
  const ranked = found.sort((left, right) => left.rank - right.rank).map(({ token }) => token.replace(/^Bearer /i, ""));
  return [...new Set(ranked)].slice(0, 4);
}

function waysToSend(token: string, schemes: readonly Scheme[]): readonly string[] {
  const described = schemes.flatMap(({ in: place, field, prefix }) => {
    if (place === "query" || prefix === "Basic") return [];
    return place === "cookie"
      ? [`cookie:${field}=${token}`]
      : [`${field}: ${prefix === "" ? "" : `${prefix} `}${token}`];
  });
  const usual = [
    `Authorization: Bearer ${token}`,
    `Authorization: Token ${token}`,
    `Authorization: ${token}`,
    `X-Auth-Token: ${token}`,
    `X-Access-Token: ${token}`,
    `X-Api-Key: ${token}`,
  ];
  return [...new Set([...described, ...usual])];
}
