/**
 * How far an item of the source checklists is answered: `built` works today, `partly` works in part and says what is
 * missing, `planned` does not exist yet, `otherwise` is done in another way than the item says, for a reason.
 */
export type ItemState = "built" | "partly" | "planned" | "otherwise";

/** One item of the source checklists. Which protections answer it stands in `sources` of the checklist. */
export interface CoverageItem {
  /** `list.item`, such as `0.14`. */
  readonly item: string;
  /** What it asks for, in a few words of ours. */
  readonly says: string;
  readonly state: ItemState;
  /** What answers it, or why it is done otherwise; markdown. */
  readonly answer: string;
}

/** What a promise of the checklist names that is not there yet, although its protection is. */
export const notYet: ReadonlyMap<string, string> = new Map([
  ["injection", "probes for NoSQL and shells"],
  ["rate-limit", "PostgreSQL"],
  ["transport", "the redirect option"],
  ["alerts", "id enumeration apart from probing, unusual hours"],
]);

/** The five lists, by the digit their items begin with. */
export const sourceLists: readonly { readonly list: string; readonly title: string }[] = [
  { list: "0", title: "Twelve points, webhooks and API keys" },
  { list: "1", title: "Six steps" },
  { list: "2", title: "Fundamentals" },
  { list: "3", title: "Fifteen practices" },
  { list: "4", title: "Before production" },
];

const built = (item: string, says: string, answer: string): CoverageItem => ({ item, says, state: "built", answer });
const partly = (item: string, says: string, answer: string): CoverageItem => ({ item, says, state: "partly", answer });
const planned = (item: string, says: string, answer: string): CoverageItem => ({
  item,
  says,
  state: "planned",
  answer,
});
const otherwise = (item: string, says: string, answer: string): CoverageItem => ({
  item,
  says,
  state: "otherwise",
  answer,
});

/** Every item of the five source checklists, in their order. */
export const coverageItems: readonly CoverageItem[] = [
  built("0.1", "a proved caller on every route with user data", "`access` has no default: without it nothing starts"),
  built("0.2", "401 for strangers", "`no-credential` with `WWW-Authenticate`"),
  built(
    "0.3",
    "Supabase's cookie session as caller",
    "`supabaseCookie()` proves the token in the cookie; `session({ cookies, resolve })` asks `getUser`",
  ),
  built(
    "0.4",
    "one line covers all of `/api` in Express",
    "`app.use(toExpress(api))`; `adopt` refuses to start on a route of Express that nobody guards",
  ),
  built("0.5", "deny by default, opt out with a reason", '`publicAccess("reason")`, kept in the manifest'),
  built(
    "0.6",
    "authorization is another question than authentication",
    "`access: { scopes, roles }` and `objects`, two gates of their own",
  ),
  built("0.7", "ownership on every id", '`by("id", resource)`; an id without a rule does not start'),
  built("0.8", "list queries carry the owner", "`list(Schema, resource)` checks every object of the answer"),
  built(
    "0.9",
    "row level security as second layer",
    "`asCaller` runs PostgreSQL queries as the caller; the page says what it does not replace",
  ),
  built("0.10", "signature, expiry, issuer, pinned algorithm, no `none`", "`jwt()` demands all of them"),
  built("0.11", "tokens at most an hour old", "`maxAgeSeconds`, default 3600, by `iat`"),
  built("0.12", "never decode without verifying", "claims reach a handler only after `jwt()` proved them"),
  built("0.13", "HS256 with a secret from the environment", "`secret(value)`; fewer than 32 bytes do not start"),
  built(
    "0.14",
    "key with a prefix, 32 random bytes, 12 characters for display",
    "`issueApiKey`: `prefix_env_id_secret` and a checksum; `displayPrefix`",
  ),
  built("0.15", "SHA-256 of the key is stored", "the same; `pepper` as an option"),
  built("0.16", "a key is shown once", "`issueApiKey` returns it, the store never has it"),
  built(
    "0.17",
    "revocation is looked at on every request",
    "the store's generation is asked at every use of a cached key",
  ),
  built("0.18", "narrow scopes on keys", "`scopes` of the key against `access: { scopes }`"),
  built("0.19", "keys rotate easily", "`rotateApiKey` with an overlap, one successor"),
  built("0.20", "key in `Authorization: Bearer`", "the default of `apiKeys()`"),
  built("0.21", "keys and tokens side by side", "`credentials: [jwt(…), apiKeys(…), session(…)]`"),
  built("0.22", "body, query and path by schema", "`input`"),
  built("0.23", "400 with the fields", "`invalid-input`: JSON Pointers with reasons from a fixed list"),
  built("0.24", "UUIDs, lists of values, type confusion", "closed and bounded schemas, demanded at the start"),
  built("0.25", "allowlisted output", "`output` has no default; only declared fields are written"),
  otherwise(
    "0.26",
    "HTML escaped in answers",
    "not in JSON: content type, nosniff and CSP carry the promise, and the probe looks for them",
  ),
  built("0.27", "a limit on every endpoint", "`read` or `write` where a policy names none"),
  built("0.28", "sliding window in memory", "never more than the limit in any window; fixed memory"),
  built("0.29", "Redis for several servers", "`redisLimiter`: one script call per decision, exact over all processes"),
  planned("0.30", "or a database", "PostgreSQL; today Redis"),
  built(
    "0.31",
    "sign-in and sign-up 5 a minute",
    "`signIn` and `signUp`: 5 a minute per address, failures per account and address and per account",
  ),
  built("0.32", "60 reads, 10 writes a minute", "`read` and `write`"),
  built("0.33", "429 with Retry-After", "exact: the first instant at which the same call fits"),
  otherwise(
    "0.34",
    "`X-RateLimit-*` headers",
    "RateLimit and RateLimit-Policy of the IETF; `rateLimitHeaders` brings the old ones",
  ),
  built("0.35", "count by user where known", "after proof the address no longer bounds a caller"),
  built("0.36", "413 for large bodies", "`body-too-large` above 100 KiB or `bodyMaxBytes`"),
  built("0.37", "the same cap for form bodies", "the cap comes before the media type, of `form(schema)` as of JSON"),
  built("0.38", "refused before it is in memory", "bytes are counted as they arrive"),
  built("0.39", "HTTPS everywhere", "plain http is 421 except on loopback"),
  otherwise(
    "0.40",
    "HSTS with preload",
    "a year with subdomains; `preload` is a promise about a whole domain that its owner makes",
  ),
  built("0.41", "security headers on every response", "by the last gate on every way out, refusals too"),
  built("0.42", "exact CORS origins, never reflected", "`origins`"),
  built(
    "0.43",
    "CORS methods, headers and maximum age",
    "from the route table; 7200 s, as long as Chromium keeps it at most",
  ),
  otherwise(
    "0.44",
    "CSRF by Origin on writes",
    "Sec-Fetch-Site first, then Origin; a missing Origin is refused only where a cookie proved the caller",
  ),
  otherwise(
    "0.45",
    "localhost allowed in development",
    "no environment switch: loopback peer and loopback host together pass",
  ),
  otherwise(
    "0.46",
    "incoming webhooks verified on the raw body, 400",
    "`webhook(stripe({ secrets }))` on the bytes as they came; 401, because it is the sender that was not proved",
  ),
  built("0.47", "HMAC-SHA-256 in constant time, 5 minutes", "each way, inside the signed text; every secret in turn"),
  built("0.48", "processed event ids are skipped", "200 without effect; claimed first, then done"),
  planned("0.49", "outgoing webhooks signed", "`signWebhook` signs in both styles; delivery is planned"),
  built("0.50", "never MD5 or SHA-1", "SHA-256 for keys, SHA-2 and EdDSA for tokens, nothing older anywhere"),
  built(
    "0.51",
    "generic 500, full detail in the log",
    "`internal`; what was thrown is an `error-thrown` event with stack, route and request id, and goes to `audit.onError`",
  ),
  built("0.52", "validation errors hide the schema", "seven fixed reasons; the validator's words are written nowhere"),
  built(
    "0.53",
    "one answer for unknown user and wrong password",
    '`refuse("sign-in-failed", …)`; from our own [accounts](identity.md#accounts-and-their-pages) in the same time, too',
  ),
  built("0.54", "sign-ins, refusals and limit hits logged", "one typed event each"),
  built("0.55", "JSON lines with the usual fields", "`CallRecord` and `SecurityEvent`"),
  built("0.56", "log tools can read and alert", "NDJSON on standard output, or `sinkTo`"),
  built("0.57", "alerts on patterns of abuse", "`alerts`: on unless it says `none`; an event each, and `deliver`"),
  built("0.58", "automated in CI", "`portcullis scan` exits 0 held, 1 broken, 2 undecided, 3 error"),
  built(
    "0.59",
    "regressions caught: scheduled scans, change alerts",
    "`--every 24h --notify`, `--diff`, and `--export-tests`, which keeps closed what was closed",
  ),
  built("0.60", "priorities, and ticks before launch", "`priority` of each row, below; `./start` prints the ticks"),
  built("0.61", "CORS, headers and debug endpoints on the whole application", "three probes over every class of route"),
  built(
    "0.62",
    "scores, dismissals, diffs, badges, reports",
    "`--report`; a baseline whose entries need an owner, a reason and a last day",
  ),

  built("1.1", "Next.js routes with `auth()`", "`toNext(api)`, and `authJs()` opens Auth.js' own cookie"),
  built("1.2", "Express middleware, 401 for a bad token", "`toExpress(api)` on Express 4 and 5; `bad-token`"),
  otherwise(
    "1.3",
    "404 for missing, 403 for foreign",
    "what one may not see is 404 like what is missing; 403 is for what one may see and not change",
  ),
  built("1.4", "lengths of texts and lists", "not optional: an unbounded one does not start"),
  built("1.5", "the handler gets the trimmed value", "the schema's output is what handlers are given"),
  planned("1.6", "sliding window on Upstash", "a limiter over HTTP, after Redis"),
  built(
    "1.7",
    "generic 500, cause in the log",
    "`internal`; the cause is in the `error-thrown` event and goes to `audit.onError`",
  ),
  built("1.8", "public is the exception", "`publicAccess` with its reason"),
  built("1.9", "validate on the server", "`input` runs before every handler"),
  built(
    "1.10",
    "injection and XSS need more than HTTPS",
    "parameters for queries; content type, nosniff and CSP for browsers",
  ),
  built("1.11", "scan what is deployed", "`portcullis scan <url>`, also without a manifest"),

  built("2.1", "thousands of automated requests a second", "two-stage limits; strangers hold at most half of `global`"),
  built("2.2", "random keys, hashed, scoped", "looked up by public id, hash compared in constant time"),
  built("2.3", "never in URLs", "`credential-in-url` on every route"),
  built("2.4", "rotate keys", "`rotateApiKey`; several signing keys at once in `jwt()`"),
  built(
    "2.5",
    "limit before any route, by address",
    "`address`, before authentication, by an address nobody can write himself",
  ),
  otherwise("2.6", "`X-RateLimit-*` and Retry-After", "as 0.34"),
  built("2.7", "request id in the error and in the log", "`requestId`, the same in both"),
  otherwise("2.8", "Stripe and GitHub webhooks, 400", "`stripe()`, `github()` and four more; 401, as 0.46"),
  built("2.9", "201 with chosen fields", "`output: { 201: view(…) }`"),
  built("2.10", "parameterised queries", "no gate, a page and a probe; the example uses Kysely"),
  built(
    "2.11",
    "auth, limit, validation, logic, safe answer",
    "the order stands in `packages/portcullis/src/pipeline.ts` alone",
  ),

  built("3.1", "HTTPS server", "`listen({ tls })`; `developmentCertificate` for local work"),
  otherwise("3.2", "HTTP redirected to HTTPS", "refused for APIs: the credential has travelled already"),
  built(
    "3.3",
    "mint tokens",
    "the [identity server](identity.md): `at+jwt`, for 15 minutes, with keys that rotate by themselves",
  ),
  built("3.4", "Bearer read and verified", "exactly one blank and one token, else 401"),
  built("3.5", "key in `x-api-key`", "`header` of `apiKeys()`"),
  otherwise("3.6", "403 for an unknown key", "401: nobody was proved"),
  built("3.7", "roles", "`access: { roles }`, asked for on every request"),
  otherwise("3.8", "owner or admin may edit, others read", "`objectRole` and `everyOwner`; 404 and 403 as in 1.3"),
  built("3.9", "100 per 15 minutes and address", '`limits: { address: "100/15min" }`'),
  built("3.10", "5 failed sign-ins an hour, successes free", '`counts: "failures"`, in `signIn`'),
  built("3.11", "standard limit headers on, legacy off", "the default of `rateLimitHeaders`"),
  built("3.12", "e-mail addresses and ranges", "your schema, bounded"),
  built(
    "3.13",
    "normalised e-mail addresses",
    "a transform in the schema; limits by account fold case and form anyway",
  ),
  otherwise(
    "3.14",
    "password rules",
    "[accounts](identity.md#accounts-and-their-pages): 12 to 128 characters and none of the 49,000 commonest, instead of a digit",
  ),
  built("3.15", "parameterised SQL or ORM", "as 2.10"),
  built("3.16", "right status codes", "one catalogue, `packages/portcullis/src/refusal.ts`"),
  built(
    "3.17",
    "no hashes or internal ids in answers",
    "declared fields only; the probe looks for the shapes of secrets",
  ),
  built("3.18", "mass assignment", "closed bodies and `serverSet`"),
  built("3.19", "CORS list with credentials; no Origin passes", "`origins`; credentials only where cookies are taken"),
  otherwise("3.20", "nosniff, DENY, HSTS, `X-XSS-Protection`", "all but the last, which browsers dropped"),
  built("3.21", "helmet", "the same headers, without the dependency, for an API"),
  built("3.22", "JSON log in a file", '`fileSink("security.log")`'),
  built(
    "3.23",
    "address and user agent of failed sign-ins",
    "address in the event, user agent in the record of the same request id",
  ),
  otherwise("3.24", "e-mail address in the log", "a keyed hash of the account, so that spikes still show"),
  built("3.25", "versions in the path", "demanded at the start"),
  otherwise("3.26", "or in a header", "in the path by default; `version: { header, default }` does it"),
  built("3.27", "20 by default, 100 at most", "`cursorPages()` and `pages()`"),
  otherwise("3.28", "page, total and pages", "a sealed cursor by default; `pages()` does it, with a bounded depth"),
  built("3.29", "alert on failures", "`failedSignIns`: 10 in 5 minutes, by address and by account"),
  built("3.30", "alert on spikes", "`spikeFactor` times the usual minute"),
  built("3.31", "alert on error rates", "`serverErrorShare` and `clientErrorShare`, by the minute"),
  built("3.32", "alert on slow routes", "`slowCalls` of a route over `slowMs`, default one second"),
  built(
    "3.33",
    "alert on injection patterns",
    "`injectionPatterns`: refused input that looks like it; an alert and no filter",
  ),
  built("3.34", "error reporter", "`audit.onError` is where Sentry goes"),
  built("3.35", "a list to tick", "this page; `./start` prints it with what was proved"),
  built(
    "3.36",
    "audit report",
    "`--report html`: scores, ledger, findings with exchanges, what was not proved and why",
  ),
  partly("3.37", "audit of the source", "`portcullis check <folder>`: lint rules, not yet one for every protection"),

  built(
    "4.1",
    "OAuth 2.0 with PKCE",
    "the [identity server](identity.md#other-applications-oauth-clients): S256 for every client",
  ),
  built(
    "4.2",
    "15-minute tokens, refresh rotation",
    "the [identity server](identity.md#options): one successor each, and reuse ends the family",
  ),
  otherwise(
    "4.3",
    "refresh token in a cookie",
    "[it never reaches the browser](identity.md#how-a-browser-is-signed-in); the cookie names a session",
  ),
  built("4.4", "never in `localStorage`", "`session()` needs none, and the rule finds it in source"),
  built("4.5", "signature, expiry, issuer, audience on every request", "`jwt()`, also for cached tokens"),
  built(
    "4.6",
    "revocation",
    "`revocations` of `jwt()`, `revokeApiKey`, `resolve` of `session()`; by the [identity server](identity.md#postgresql-and-several-instances) on every instance within a second",
  ),
  built("4.7", "limits everywhere, per user, address and globally", "five dimensions in one decision"),
  built("4.8", "Redis across instances", "as 0.29"),
  built("4.9", "Zod, Joi, class-validator", "any Standard Schema with a JSON Schema; others through `described`"),
  built("4.10", "unexpected fields rejected", "reason `unknown`"),
  built("4.11", "maximum length on every string", "demanded at the start"),
  built("4.12", "content types checked", "`media-type`, 415 with Accept-Post"),
  built("4.13", "client-supplied ids are authorized", "wherever they stand: path, query, header, body, nested"),
  built("4.14", "TLS 1.3 only", 'the default; `minTls: "1.2"` shows in the manifest'),
  built("4.15", "long HSTS", "a year"),
  otherwise(
    "4.16",
    "certificate pinning",
    "lives in the mobile app: the page says how; a command that prints pins is planned",
  ),
  built("4.17", "outgoing certificates checked", "`jwksUrl` is https only and leaves the platform's checks on"),
  built("4.18", "CORS exact, never `*`", "`origins`; wildcards do not start"),
  built("4.19", "only the methods in use", "405 with Allow, and in preflights"),
  built("4.20", "no sensitive Expose-Headers", "request id, Retry-After and RateLimit alone"),
  built("4.21", "one error schema, no enumeration", "RFC 9457 everywhere; foreign looks missing, unknown looks wrong"),
  built("4.22", "headers on all responses", "as 0.41"),
  built("4.23", "every call logged", "`CallRecord`"),
  built("4.24", "no bodies with personal data or secrets", "records have no place for them"),
  built("4.25", "shipped to a SIEM", "`sinkTo` with any function"),
  partly("4.26", "alerts on rates, hours, exports", "rates, and exports by `reads`; unusual hours are planned"),
];

/** Where we do something else than a checklist says. */
export interface Departure {
  readonly items: readonly string[];
  readonly topic: string;
  readonly ours: string;
  /** How the literal way is had, or that it is not. */
  readonly literal: string;
}

/** Every departure, with what stays possible. */
export const departures: readonly Departure[] = [
  {
    items: ["1.3", "3.8"],
    topic: "a foreign object",
    ours: "may not be seen: 404, the same as missing; may be seen and not changed: 403",
    literal: "no option: a difference tells which ids exist",
  },
  {
    items: ["0.45"],
    topic: "localhost in development",
    ours: "no environment switch; plain http and listed `http://localhost` origins pass when the socket's peer and the host are both loopback",
    literal: "a reasoned option where a framework hides the socket: planned with the adapters",
  },
  {
    items: ["3.2"],
    topic: "http redirected to https",
    ours: "421: the credential has leaked already",
    literal: "`redirectFrom` on a second port, to a configured host only: planned",
  },
  {
    items: ["0.40"],
    topic: "HSTS preload",
    ours: "a year with subdomains, no `preload`",
    literal: "at the owner of the domain: its web server, and the list",
  },
  {
    items: ["0.34", "2.6"],
    topic: "`X-RateLimit-*`",
    ours: "RateLimit and RateLimit-Policy of the IETF draft",
    literal: '`rateLimitHeaders: "legacy"` or `"both"`',
  },
  {
    items: ["0.15", "2.2"],
    topic: "SHA-256 of the key",
    ours: "the same: 256 bits of entropy need no slow hash; looked up by a public id",
    literal: "`pepper`; keys given out before are taken over with `parse`",
  },
  {
    items: ["0.20", "3.5"],
    topic: "where a key travels",
    ours: "`Authorization: Bearer`, or one configured header; never both, never the URL",
    literal: "`header`",
  },
  { items: ["3.6"], topic: "an unknown key", ours: "401", literal: "no option: 403 would say who somebody is" },
  {
    items: ["4.3"],
    topic: "refresh token in a cookie",
    ours: "it never reaches the browser; the cookie names a session on the server",
    literal: "no option",
  },
  {
    items: ["0.44"],
    topic: "a missing Origin",
    ours: "refused only where a cookie proved the caller",
    literal: "no option: other clients send none",
  },
  {
    items: ["3.28"],
    topic: "page, limit, total, pages",
    ours: "a sealed cursor by default",
    literal: "`pages()`, with a bounded depth",
  },
  {
    items: ["3.26"],
    topic: "version in a header",
    ours: "in the path by default",
    literal: "`version: { header, default }`",
  },
  {
    items: ["3.20"],
    topic: "`X-XSS-Protection`",
    ours: "not sent: the filter it switched on was a hole of its own, and is gone",
    literal: "no option",
  },
  {
    items: ["0.26"],
    topic: "HTML escaped on output",
    ours: "not in JSON, where it corrupts data; content type, nosniff and CSP carry the promise",
    literal: "in the page that shows the text",
  },
  {
    items: ["3.14"],
    topic: "a digit in the password",
    ours: "length and a breached list",
    literal: "no option",
  },
  {
    items: ["3.24"],
    topic: "the e-mail address in the log",
    ours: "a keyed hash of the account",
    literal: "no option; `accountKey` lets you compare",
  },
  {
    items: ["0.46", "2.8"],
    topic: "400 for a delivery that is not signed right",
    ours: "401: its sender was not proved; senders try again alike",
    literal: "no option",
  },
  {
    items: ["0.48"],
    topic: "webhook marked after success",
    ours: "claimed first, then done: two deliveries at once run once",
    literal: "no option",
  },
  {
    items: ["4.16"],
    topic: "certificate pinning",
    ours: "in the mobile app; the page on transport says how",
    literal: "no gate",
  },
  { items: ["4.14"], topic: "TLS 1.3 only", ours: "the default", literal: '`minTls: "1.2"`, shown in the manifest' },
  {
    items: ["3.10", "0.31"],
    topic: "5 an hour against 5 a minute",
    ours: "a rate and a failure budget are two things: both, in `signIn`",
    literal: "`limit` of the route",
  },
  {
    items: [],
    topic: 'answers like `{ "error": "…" }`',
    ours: "RFC 9457 problems",
    literal: "`problem: { members: (r) => ({ error: r.title }) }`",
  },
];
