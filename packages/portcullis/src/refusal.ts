import type { ProtectionId } from "./checklist.ts";

/**
 * Every way Portcullis says no, in one list. A code is forever; its title is what a stranger may read and says nothing
 * about why. The private reason of each single refusal goes to the audit record only.
 *
 * @see RFC 9457 (problem details), RFC 9110 section 15 (status codes), RFC 6750 section 3.1 (bearer errors)
 */
export const refusals = {
  "bad-target": { status: 400, title: "Bad request", protection: "canonical-request" },
  "bad-header": { status: 400, title: "Bad request", protection: "canonical-request" },
  "bad-query": { status: 400, title: "Bad request", protection: "canonical-request" },
  "bad-body": { status: 400, title: "Bad request", protection: "canonical-request" },
  "bad-message": { status: 400, title: "Bad request", protection: "canonical-request" },
  "target-too-long": { status: 414, title: "URI too long", protection: "canonical-request" },
  "headers-too-large": { status: 431, title: "Request header fields too large", protection: "canonical-request" },
  "upgrade-refused": { status: 400, title: "Bad request", protection: "canonical-request" },
  "expectation-failed": { status: 417, title: "Expectation failed", protection: "canonical-request" },
  "method-refused": { status: 501, title: "Not implemented", protection: "canonical-request" },
  "credential-in-url": { status: 400, title: "Credentials do not belong in URLs", protection: "exposure" },
  "plain-http": { status: 421, title: "Misdirected request", protection: "transport" },
  "unknown-scheme": { status: 421, title: "Misdirected request", protection: "transport" },
  "unknown-host": { status: 421, title: "Misdirected request", protection: "host" },
  "unknown-address": { status: 400, title: "Bad request", protection: "host" },
  "rate-limited": { status: 429, title: "Too many requests", protection: "rate-limit" },
  "failure-budget-spent": { status: 429, title: "Too many requests", protection: "rate-limit" },
  "limiter-unavailable": { status: 503, title: "Service unavailable", protection: "rate-limit" },
  "route-not-found": { status: 404, title: "Not found", protection: "versioning" },
  "method-not-allowed": { status: 405, title: "Method not allowed", protection: "versioning" },
  "route-gone": { status: 410, title: "Gone", protection: "versioning" },
  "preflight-refused": { status: 403, title: "Forbidden", protection: "cors" },
  "no-credential": { status: 401, title: "Authentication required", protection: "authentication" },
  "several-credentials": { status: 400, title: "Bad request", protection: "authentication" },
  "bad-credential": { status: 401, title: "Authentication required", protection: "authentication" },
  "bad-token": { status: 401, title: "Authentication required", protection: "jwt" },
  "bad-api-key": { status: 401, title: "Authentication required", protection: "api-keys" },
  "bad-webhook-signature": { status: 401, title: "Signature required", protection: "webhook-receive" },
  "webhook-in-progress": { status: 409, title: "Conflict", protection: "webhook-receive" },
  "webhook-unavailable": { status: 503, title: "Service unavailable", protection: "webhook-receive" },
  "verifier-unavailable": { status: 503, title: "Service unavailable", protection: "authentication" },
  "cross-site": { status: 403, title: "Forbidden", protection: "csrf" },
  "scope-missing": { status: 403, title: "Forbidden", protection: "function-access" },
  "role-missing": { status: 403, title: "Forbidden", protection: "function-access" },
  "body-too-large": { status: 413, title: "Content too large", protection: "body-size" },
  "body-timeout": { status: 408, title: "Request timeout", protection: "body-size" },
  "headers-timeout": { status: 408, title: "Request timeout", protection: "canonical-request" },
  "body-aborted": { status: 400, title: "Bad request", protection: "body-size" },
  "body-unexpected": { status: 400, title: "Bad request", protection: "input" },
  "media-type": { status: 415, title: "Unsupported media type", protection: "input" },
  "content-encoding": { status: 415, title: "Unsupported media type", protection: "body-size" },
  "invalid-input": { status: 400, title: "Invalid request", protection: "input" },
  "bad-cursor": { status: 400, title: "Invalid request", protection: "pagination" },
  "object-not-found": { status: 404, title: "Not found", protection: "object-access" },
  "object-role-missing": { status: 403, title: "Forbidden", protection: "object-access" },
  "object-unavailable": { status: 503, title: "Service unavailable", protection: "object-access" },
  "bad-request": { status: 400, title: "Bad request", protection: "errors" },
  "sign-in-failed": { status: 401, title: "Wrong user or password", protection: "sessions" },
  forbidden: { status: 403, title: "Forbidden", protection: "function-access" },
  "not-found": { status: 404, title: "Not found", protection: "object-access" },
  conflict: { status: 409, title: "Conflict", protection: "errors" },
  gone: { status: 410, title: "Gone", protection: "errors" },
  "precondition-failed": { status: 412, title: "Precondition failed", protection: "errors" },
  unprocessable: { status: 422, title: "Unprocessable content", protection: "errors" },
  "foreign-object": { status: 500, title: "Internal error", protection: "object-access" },
  "undeclared-output": { status: 500, title: "Internal error", protection: "output" },
  "unbounded-list": { status: 500, title: "Internal error", protection: "pagination" },
  internal: { status: 500, title: "Internal error", protection: "errors" },
  "handler-timeout": { status: 503, title: "Service unavailable", protection: "errors" },
  overloaded: { status: 503, title: "Service unavailable", protection: "errors" },
  stopping: { status: 503, title: "Service unavailable", protection: "errors" },
} as const satisfies Record<string, { status: number; title: string; protection: ProtectionId }>;

/** A stable code for one way of saying no; the key of {@link refusals}. */
export type RefusalCode = keyof typeof refusals;

/** Why a part of the input was refused; a fixed list, so that no validator's own words reach a stranger. */
export type InputReason = "missing" | "unknown" | "type" | "length" | "range" | "format" | "not-allowed";

/** One entry of a 400: a JSON Pointer (RFC 6901) below `/params`, `/query`, `/headers`, `/cookies` or `/body`, and a reason. */
export interface InputError {
  readonly pointer: string;
  readonly reason: InputReason;
}

/** What a refusal may carry besides its code. */
export interface RefusalDetails {
  /** Header names and values in turn, added to the answer, such as Allow or WWW-Authenticate. */
  readonly headers?: readonly string[];
  /** At most 20 places in the input that were refused; public. */
  readonly errors?: readonly InputError[];
  /** The answer's JSON where another specification fixes its shape, in place of the problem document. */
  readonly body?: string;
  /** What was thrown; for the log only. */
  readonly cause?: unknown;
}

/**
 * One "no", as data. Gates return it, handlers return or throw it; nothing else ends a request early.
 * `reason` is private: it is written to the audit record and never to the answer.
 */
export class Refusal {
  readonly code: RefusalCode;
  readonly status: number;
  readonly title: string;
  readonly protection: ProtectionId;
  readonly reason: string;
  readonly headers: readonly string[] | undefined;
  readonly errors: readonly InputError[] | undefined;
  readonly body: string | undefined;
  readonly cause: unknown;

  constructor(code: RefusalCode, reason: string, details: RefusalDetails = {}) {
    const entry = refusals[code];
    this.code = code;
    this.status = entry.status;
    this.title = entry.title;
    this.protection = entry.protection;
    this.reason = reason;
    this.headers = details.headers;
    this.errors = details.errors;
    this.body = details.body;
    this.cause = details.cause;
  }
}

/**
 * Says no from a handler, returned or thrown: `return refuse("conflict", "name is taken")`. The answer is a problem
 * document with the code's status and title.
 *
 * @param code    a code of the catalogue; its status and public title are fixed
 * @param reason  private; written to the audit record only
 * @throws TypeError for a code that is not in the catalogue, which only untyped code can say
 * @see RFC 9457
 */
export function refuse(code: RefusalCode, reason: string): Refusal {
  return new Refusal(code, reason);
}
