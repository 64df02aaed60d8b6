/**
 * The checklist: what Portcullis promises, one row per protection. An id names the gate (`gates/<id>.ts`), the probe
 * (`probes/<id>.ts`), the lint rule (`rules/<id>.ts`) and the page (`docs/protections/<id>.md`); a test holds them
 * together. This file imports nothing and everybody may read it.
 */
const rows = [
  {
    id: "authentication",
    title: "Authentication",
    promise:
      'Every route needs an identified caller unless its policy says `publicAccess("reason")`; a route without a policy does not start',
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API2"],
    asvs: ["8.3.1"],
    priority: "critical",
    sources: ["0.1", "0.2", "0.4", "0.5", "0.21", "1.2", "1.8", "1.11", "2.11"],
  },
  {
    id: "jwt",
    title: "JWT",
    promise:
      "Signature, algorithm pinned by key, exp, nbf, iat, iss, aud (or authorized parties), typ, sub all checked; at most 1 h old by iat; several keys at once for rotation; keys never from the token; JWKS cached and outage-proof",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API2"],
    asvs: ["9.1", "9.2"],
    priority: "critical",
    sources: ["0.10", "0.11", "0.12", "0.13", "0.21", "0.50", "1.2", "2.4", "3.4", "4.5", "4.6"],
  },
  {
    id: "api-keys",
    title: "API keys",
    promise:
      "256-bit, prefix + checksum, only a SHA-256 (pepper optional) stored, shown once, scoped, expiring, revocable, rotatable; `Authorization: Bearer` or one configured header, never both, never the URL",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API2"],
    asvs: ["6.5"],
    priority: "high",
    sources: [
      "0.14",
      "0.15",
      "0.16",
      "0.17",
      "0.18",
      "0.19",
      "0.20",
      "0.21",
      "0.50",
      "2.2",
      "2.3",
      "2.4",
      "3.5",
      "3.6",
      "4.6",
    ],
  },
  {
    id: "oauth",
    title: "OAuth",
    promise:
      "Authorization code + PKCE (S256) for every client, redirect addresses compared whole, codes and refresh tokens used once and ended with their family when they come again, access tokens of an hour at most, revocation, sign-out, no implicit or password grant",
    gate: { none: "The authorization server is a server of its own, not a gate on somebody else's route." },
    probe: "built",
    rule: { none: "A protocol flow is proved from outside, not read in source." },
    owasp: ["API2"],
    asvs: ["10.x"],
    priority: "high",
    sources: ["3.3", "4.1", "4.2", "4.3"],
  },
  {
    id: "sessions",
    title: "Sessions",
    promise:
      "`__Host-` cookies, HttpOnly, Secure, SameSite=Strict; idle and absolute lifetime; logout everywhere; one answer for unknown user and wrong password, equal in time",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API2"],
    asvs: ["3.3", "6.3.8", "7.x"],
    priority: "high",
    sources: ["0.3", "0.53", "1.1", "3.14", "4.3", "4.4", "4.6", "4.21"],
  },
  {
    id: "function-access",
    title: "Function access",
    promise: "Scopes and roles decide who may call a function (BFLA)",
    gate: "built",
    probe: "built",
    rule: "planned",
    owasp: ["API5"],
    asvs: ["8.2.1"],
    priority: "critical",
    sources: ["0.6", "0.18", "3.7", "3.8"],
  },
  {
    id: "object-access",
    title: "Object access",
    promise:
      "A caller reaches only objects it owns or was granted (BOLA), wherever the id stands: path, query, body, header, nested. What it may not see looks missing (404); what it may see and not change is 403. Lists declare their owner too; the answer is checked as well",
    gate: "built",
    probe: "built",
    rule: "planned",
    owasp: ["API1"],
    asvs: ["8.2.2"],
    priority: "critical",
    sources: ["0.6", "0.7", "0.8", "0.9", "1.3", "3.8", "4.13", "4.21"],
  },
  {
    id: "input",
    title: "Input",
    promise:
      "Params, query, headers and body match a schema; unknown fields refused; every string bounded; wrong content type is 415",
    gate: "built",
    probe: "built",
    rule: "planned",
    owasp: ["API3"],
    asvs: ["2.2"],
    priority: "critical",
    sources: ["0.22", "0.23", "0.24", "1.4", "1.5", "1.9", "2.11", "3.12", "3.13", "4.9", "4.10", "4.11", "4.12"],
  },
  {
    id: "mass-assignment",
    title: "Mass assignment",
    promise: "Only declared fields are written; server-set fields never come from the client",
    gate: { in: "input" },
    probe: "built",
    rule: "built",
    owasp: ["API3"],
    asvs: ["15.3.3"],
    priority: "high",
    sources: ["3.18", "4.10"],
  },
  {
    id: "output",
    title: "Output",
    promise: "Only declared fields leave; per-role views; a route without an output schema does not start",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API3"],
    asvs: ["15.3.1"],
    priority: "high",
    sources: ["0.25", "2.9", "2.11", "3.17"],
  },
  {
    id: "injection",
    title: "Injection",
    promise: "Values reach SQL, NoSQL and shells only as parameters",
    gate: { none: "A pattern filter is false comfort; values travel as parameters." },
    probe: "built",
    rule: "built",
    owasp: [],
    asvs: ["1.2.4"],
    priority: "critical",
    sources: ["1.10", "2.10", "3.15"],
  },
  {
    id: "rate-limit",
    title: "Rate limit",
    promise:
      "Global, per address, per caller and per route; never more than the limit in any window; nobody's refused call costs another; memory, Redis, PostgreSQL; exact Retry-After",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API4"],
    asvs: ["2.4.1", "6.3.1"],
    priority: "high",
    sources: [
      "0.27",
      "0.28",
      "0.29",
      "0.30",
      "0.31",
      "0.32",
      "0.33",
      "0.34",
      "0.35",
      "1.6",
      "2.1",
      "2.5",
      "2.6",
      "2.11",
      "3.9",
      "3.10",
      "3.11",
      "3.13",
      "4.7",
      "4.8",
    ],
  },
  {
    id: "body-size",
    title: "Body size",
    promise: "Bytes counted as they arrive, chunked and decompressed too; depth, keys and duplicate keys bounded",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API4"],
    asvs: [],
    priority: "medium",
    sources: ["0.36", "0.37", "0.38"],
  },
  {
    id: "pagination",
    title: "Pagination",
    promise:
      "Lists are bounded: 20 by default, 100 at most; sealed cursor, or page numbers with bounded depth; a request for more gets the maximum or 400, never everything",
    gate: { in: "input" },
    probe: "built",
    rule: "built",
    owasp: ["API4"],
    asvs: [],
    priority: "medium",
    sources: ["3.27", "3.28"],
  },
  {
    id: "transport",
    title: "Transport",
    promise:
      "HTTPS only; plain HTTP to an API is refused (redirect is an option, to a configured host only); TLS 1.3 by default; HSTS `max-age=31536000; includeSubDomains` on HTTPS only; outgoing certificates always checked",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API8"],
    asvs: ["3.4.1", "4.1.2", "12.x"],
    priority: "critical",
    sources: ["0.39", "0.40", "0.45", "3.1", "3.2", "4.14", "4.15", "4.16", "4.17"],
  },
  {
    id: "host",
    title: "Host",
    promise: "Only configured host names are served; forwarded headers count only from configured proxies",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: [],
    asvs: ["4.1.3", "15.3.4"],
    priority: "medium",
    sources: ["2.5", "3.9"],
  },
  {
    id: "cors",
    title: "CORS",
    promise:
      "Exact origins, no reflection, no `null`, no wildcard with credentials, `Vary: Origin` always; only the methods the route has; no Expose-Headers but those named; preflight kept 7200 s",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API8"],
    asvs: ["3.4.2"],
    priority: "high",
    sources: ["0.42", "0.43", "0.45", "0.61", "3.19", "4.18", "4.19", "4.20"],
  },
  {
    id: "csrf",
    title: "CSRF",
    promise:
      "Wherever a cookie identified the caller: Sec-Fetch-Site, then Origin, whatever the content type; header credentials need none",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: [],
    asvs: ["3.5.1"],
    priority: "high",
    sources: ["0.44"],
  },
  {
    id: "security-headers",
    title: "Security headers",
    promise:
      "nosniff, X-Frame-Options DENY, CSP `default-src 'none'; frame-ancestors 'none'`, Referrer-Policy, CORP, no-store on authenticated answers, no version banners; on every status, refusals too",
    gate: "built",
    probe: "built",
    rule: "planned",
    owasp: ["API8"],
    asvs: ["3.4"],
    priority: "medium",
    sources: ["0.26", "0.40", "0.41", "0.61", "1.10", "1.11", "3.20", "3.21", "4.15", "4.22"],
  },
  {
    id: "canonical-request",
    title: "Canonical request",
    promise: "One strict reading of target, headers, media type, query and JSON; anything ambiguous is 400 or 415",
    gate: "built",
    probe: "built",
    rule: { none: "A parser difference is not a pattern in one file." },
    owasp: [],
    asvs: ["1.1.1", "1.5.3", "4.2.1"],
    priority: "high",
    sources: ["0.24", "4.12"],
  },
  {
    id: "errors",
    title: "Errors",
    promise:
      "Generic RFC 9457 problems with a request id; full detail only in the log; the same shape everywhere; right status codes",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API8"],
    asvs: ["16.5"],
    priority: "medium",
    sources: ["0.23", "0.51", "0.52", "1.7", "2.7", "3.16", "3.34", "4.21"],
  },
  {
    id: "webhook-receive",
    title: "Webhook receive",
    promise:
      "Raw-body signature, constant-time compare, age at most 5 minutes, replay refused by id, claimed then done",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: [],
    asvs: ["4.1.5"],
    priority: "high",
    sources: ["0.46", "0.47", "0.48", "0.50", "2.8"],
  },
  {
    id: "webhook-send",
    title: "Webhook send",
    promise:
      "Signed (timestamp inside the signed text), retried, idempotent, rotated secrets, SSRF-safe dialling, dead letters",
    gate: { none: "It is a sender, not a gate." },
    probe: "planned",
    rule: "planned",
    owasp: ["API7"],
    asvs: [],
    priority: "medium",
    sources: ["0.47", "0.49", "0.50"],
  },
  {
    id: "audit",
    title: "Audit",
    promise:
      "One structured record per call, one typed event per refusal and per sign-in: time, service, request id, caller, address, user agent (cut to 256), route, method, status, duration; accounts as keyed hashes; no bodies, no secrets, no e-mail addresses. Past the failure budget, one event per second per address and code with an exact count",
    gate: "built",
    probe: { none: "A record is not visible from outside." },
    rule: "built",
    owasp: [],
    asvs: ["16.2", "16.3"],
    priority: "high",
    sources: ["0.51", "0.54", "0.55", "0.56", "1.7", "2.7", "3.22", "3.23", "3.24", "3.34", "4.23", "4.24", "4.25"],
  },
  {
    id: "alerts",
    title: "Alerts",
    promise:
      "10 failed sign-ins in 5 minutes, privilege probing, distributed limit hits, request spikes, 4xx and 5xx rates, routes over 1 s, id enumeration, export spikes, unusual hours, injection patterns: detected with a stated delay",
    gate: { in: "audit" },
    probe: { none: "An alert is not visible from outside." },
    rule: { none: "A watcher is configuration, not a pattern in source." },
    owasp: [],
    asvs: ["16.3.3"],
    priority: "medium",
    sources: ["0.57", "3.29", "3.30", "3.31", "3.32", "3.33", "4.26"],
  },
  {
    id: "versioning",
    title: "Versioning",
    promise:
      "Versions in the route; Deprecation and Sunset emitted; 410 after sunset; undeclared routes and methods refused and recorded",
    gate: "built",
    probe: "built",
    rule: { none: "The route table itself is checked at start." },
    owasp: ["API9"],
    asvs: [],
    priority: "medium",
    sources: ["3.25", "3.26", "4.19"],
  },
  {
    id: "exposure",
    title: "Exposure",
    promise: "No debug endpoints, source maps, dot files, metrics or docs reachable by strangers; no secrets in URLs",
    gate: "built",
    probe: "built",
    rule: "built",
    owasp: ["API9"],
    asvs: ["13.4", "14.2.1"],
    priority: "high",
    sources: ["0.61", "2.3"],
  },
  {
    id: "idempotency",
    title: "Idempotency",
    promise:
      "`Idempotency-Key` as a route option: bound to the caller, payload fingerprint, 400/409/422 as in the draft",
    gate: "planned",
    probe: "built",
    rule: { none: "The route option is checked at start." },
    owasp: [],
    asvs: ["15.4.2"],
    priority: "low",
    sources: [],
  },
  {
    id: "ssrf",
    title: "SSRF",
    promise: "Every URL a caller supplies is vetted at connect time: all answers checked, socket pinned, no redirects",
    gate: "planned",
    probe: "built",
    rule: "planned",
    owasp: ["API7"],
    asvs: [],
    priority: "high",
    sources: [],
  },
] as const satisfies readonly Row[];

/**
 * Where one kind of proof stands: `built` exists under the protection's id, `planned` does not exist yet and counts for
 * nothing, `in` is enforced inside another protection's gate, `none` says why there is nothing to build.
 */
export type Cell = "built" | "planned" | { readonly in: string } | { readonly none: string };

/** How soon a hole here is somebody's bad day. */
export type Priority = "critical" | "high" | "medium" | "low";

interface Row {
  readonly id: string;
  readonly title: string;
  readonly promise: string;
  readonly gate: Cell;
  readonly probe: Cell;
  readonly rule: Cell;
  /** OWASP API Security Top 10 (2023) entries. */
  readonly owasp: readonly string[];
  /** OWASP ASVS 5.0 requirement numbers. */
  readonly asvs: readonly string[];
  readonly priority: Priority;
  /** Items of the five source checklists that this row answers; see docs/coverage.md. */
  readonly sources: readonly string[];
}

/** The kebab-case name of a protection, used everywhere. */
export type ProtectionId = (typeof rows)[number]["id"];

/** One row of the checklist. */
export interface Protection extends Row {
  readonly id: ProtectionId;
}

/** All protections, in the order of the table. */
export const checklist: readonly Protection[] = rows;

/** The row of one protection. */
export function protection(id: ProtectionId): Protection {
  const row = checklist.find((entry) => entry.id === id);
  if (row === undefined) throw new Error(`no protection is called ${id}`);
  return row;
}
