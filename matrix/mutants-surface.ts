import { type Mutant, mutant } from "./mutant.ts";

/** Mistakes about what comes in and goes out, whoever calls. */
export const surfaceMutants = {
  "unknown-fields": mutant("input", "EFH", "the schema is not strict"),
  "long-strings": mutant("input", "EH", "z.string() without max"),
  "any-content-type": mutant("input", "EF", "whatever arrives is parsed as JSON", {
    "canonical-request": "a media type that cannot be read is one more that is taken",
  }),
  "coerced-types": mutant("input", "FH", "coercion makes a string of a number"),
  "duplicate-keys": mutant(
    ["body-size", "canonical-request", "input"],
    "EH",
    "JSON.parse: the last of two members wins",
  ),
  "prototype-keys": mutant(["input", "mass-assignment", "canonical-request"], "E", "__proto__ is merged with the rest"),

  "sql-search": mutant("injection", "PEFH", "the search text is pasted into LIKE"),
  "operator-password": mutant(
    ["injection", "input"],
    "EF",
    'a password of {"$ne": ""} is a filter that always matches',
    {
      sessions: "whoever signs in without the password has a session",
      authentication: "whoever signs in without the password has a token",
      errors: "objects are made texts of, and one that has no text ends in an internal error",
    },
  ),
  "html-echo": mutant(["injection", "security-headers"], "EH", "the search answers text/html with the words in it", {
    errors: "it is not the shape that was declared",
    output: "it is not the shape that was declared",
  }),

  "no-limit": mutant("rate-limit", "PEFH", "nobody counts the caller's requests"),
  "limit-by-forwarded-for": mutant(["rate-limit", "host"], "EFH", "the sign-in counts by X-Forwarded-For"),
  "limit-by-spelling": mutant("rate-limit", "F", "the counter's key holds the URL with its query"),
  "head-not-counted": mutant("rate-limit", "H", "HEAD runs the handler and is not counted"),
  "sign-in-unlimited": mutant("rate-limit", "PEH", "passwords may be guessed as fast as the machine allows"),
  "fixed-window": mutant("rate-limit", "EF", "a counter that is set to zero every five seconds"),
  "no-retry-after": mutant("rate-limit", "H", "429 without Retry-After"),

  "no-body-limit": mutant("body-size", "PEF", "limit: '50mb', for an upload that is gone"),
  "length-believed": mutant("body-size", "EH", "Content-Length is compared, chunks are not counted"),
  "endless-drained": mutant(
    "body-size",
    "E",
    "express.json as it comes: 413 only after the last byte, if there is one",
  ),
  "deep-json": mutant(
    "body-size",
    "FH",
    "nested values are trimmed by a function that calls itself, as deep as the body goes",
  ),
  "inflated-body": mutant("body-size", "E", "the bound is on the compressed bytes", {
    input: "an encoding nobody declared is taken",
    "canonical-request": "an encoding nobody declared is taken",
  }),

  "limit-unbounded": mutant("pagination", "EFH", "?limit=1000000 is what it says"),
  "limit-negative": mutant("pagination", "EF", "slice(0, -1): everything but the last"),
  "limit-ignored": mutant("pagination", "H", "the limit is read and everything is sent"),

  "no-hsts": mutant("transport", "EFH", "HSTS is left to the proxy that was never put in front", {
    "security-headers": "HSTS is one of the headers",
  }),
  "short-hsts": mutant("transport", "E", "max-age=300 from the first day", {
    "security-headers": "it is one of the headers",
  }),
  "plain-http": mutant("transport", "FH", "the port answers plain http as well"),
  "old-tls": mutant("transport", "P", "TLS 1.2 is switched on again and the policy says 1.3"),

  "any-host": mutant("host", "PEFH", "the Host header is not looked at"),
  "forwarded-host": mutant("host", "EH", "Location is made of X-Forwarded-Host"),

  "cors-reflects": mutant("cors", "PEFH", "origin: true with credentials: true"),
  "cors-null": mutant("cors", "PEH", "'null' is on the list, for a local file once"),
  "cors-suffix": mutant("cors", "FH", "origin.endsWith('app.projects.example')"),
  "cors-prefix": mutant("cors", "E", "origin.startsWith('https://app.projects.example')"),
  "cors-no-vary": mutant("cors", "EF", "Allow-Origin changes with the Origin and Vary does not say so"),
  "cors-star": mutant("cors", "H", "Access-Control-Allow-Origin: * with credentials"),
  "cors-methods": mutant("cors", "F", "a preflight allows every method there is"),

  "no-csrf": mutant("csrf", "EFH", "a cookie is enough to write"),
  "csrf-forms-only": mutant("csrf", "H", "the origin is asked for only where the content type is a form's"),
  "csrf-prefix": mutant("csrf", "F", "origin.startsWith(own origin)"),

  "no-nosniff": mutant("security-headers", "PE", "nosniff is missing"),
  "no-csp": mutant("security-headers", "F", "Content-Security-Policy is missing"),
  "no-frame-options": mutant("security-headers", "H", "X-Frame-Options is missing"),
  cacheable: mutant("security-headers", "PEF", "answers to callers may be cached"),
  "headers-on-success-only": mutant("security-headers", "FH", "the headers are set by the handler, refusals have none"),
  banner: mutant("security-headers", "PE", "the product and its version in a header", {
    exposure: "a version is told",
  }),

  "two-credentials": mutant(
    ["canonical-request", "authentication", "api-keys"],
    "E",
    "the first of two credentials counts",
  ),
  "repeated-query": mutant(["canonical-request", "input"], "H", "the last of two ?limit= wins"),

  "stack-in-answer": mutant("errors", "EFH", "the framework's error page, with the stack, for JSON that is none"),
  "driver-text": mutant("errors", "FH", "an id is not checked and the database's message is sent", {
    input: "an id that is none is not refused",
    injection: "the message is what a probe for injections looks for",
    "canonical-request": "an id with matrix parameters is one more that is not refused",
  }),
  "validator-text": mutant("errors", "E", "the validator's own issues are sent, with its patterns"),

  "webhook-unsigned": mutant("webhook-receive", "PEFH", "without a signature the check is left out"),
  "webhook-stale": mutant("webhook-receive", "EH", "the time in the signature is not read"),
  "webhook-replay": mutant("webhook-receive", "F", "an event's id is not remembered"),
  "webhook-reserialised": mutant("webhook-receive", "E", "the signature is made over JSON.stringify(body)"),
  "webhook-no-secret": mutant("webhook-receive", "F", "the second secret, for rotation, is process.env.NOT_SET ?? ''"),
  "webhook-short": mutant("webhook-receive", "H", "the signature is compared over the length of what was sent"),

  "old-version": mutant("versioning", "PEFH", "v0 answers a year after its sunset"),
  "undeclared-method": mutant("versioning", "EH", "PUT does what PATCH does and stands in no document"),
  "method-override": mutant(["versioning", "canonical-request"], "F", "X-HTTP-Method-Override: DELETE is obeyed"),
  trace: mutant("versioning", "E", "TRACE echoes the request, with its credential", {
    exposure: "the credential is in the answer",
  }),

  "debug-page": mutant("exposure", "E", "/debug shows the environment"),
  "env-file": mutant("exposure", "F", "the folder is served, with its .env"),
  "metrics-open": mutant("exposure", "H", "/metrics is there for strangers"),
  "source-map": mutant("exposure", "E", "/main.js.map with the sources"),
  "git-folder": mutant("exposure", "H", "/.git/config is served"),
  "api-document": mutant("exposure", "F", "/openapi.json and its page are there for strangers"),

  "ssrf-any": mutant("ssrf", "PEH", "the URL is fetched as it comes"),
  "ssrf-spelling": mutant("ssrf", "F", "'localhost' and '127.0.0.1' are refused, [::1] and 127.1 are not"),

  "idempotency-shared": mutant(
    "idempotency",
    "EF",
    "the key is kept without the caller: another gets the first one's answer",
    {
      "object-access": "the answer is another caller's",
    },
  ),
  "idempotency-payload": mutant("idempotency", "H", "the same key with another body gets the first answer"),
} as const satisfies Record<string, Mutant>;
