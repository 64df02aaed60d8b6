import { defaults } from "../defaults.ts";
import type { Exchange, Outcome } from "../exchange.ts";
import type { RouteGate, Step } from "../gate.ts";
import { isBasic, readBasic } from "../lib/basic-credentials.ts";
import { chain } from "../lib/chain.ts";
import { explain } from "../lib/explain.ts";
import type { BasicFields } from "../lib/form.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import { readMediaType } from "../lib/media-type.ts";
import { pageReader } from "../lib/paging.ts";
import { readCookies } from "../lib/cookies.ts";
import { readQuery } from "../lib/query.ts";
import { readJson } from "../lib/read-json.ts";
import { Unreadable } from "../lib/unreadable.ts";
import { withinTime } from "../lib/within-time.ts";
import type { ApiPlan, InputPart, RoutePlan } from "../plan.ts";
import type { InputError } from "../refusal.ts";
import { Refusal } from "../refusal.ts";

/**
 * Matches path, query, headers, cookies and body against the route's closed schemas; the handler gets what the schemas
 * made of them. Unknown fields are refused (so nothing can be mass-assigned), text places take canonical numbers and
 * booleans only, a body is JSON or a form by its content type and by one strict reading of its bytes, and pages stay inside
 * their bounds.
 *
 * @returns step; refuses with `invalid-input` (400, at most 20 places), `bad-body`, `bad-header`, `bad-cursor`,
 *   `several-credentials` (400), `bad-credential` (401), `media-type` (415), `handler-timeout` (503)
 * @see OWASP API3:2023, OWASP ASVS 5.0 2.2 and 15.3.3, RFC 8259, RFC 9110 section 15.5.16 (415 with Accept-Post)
 */
export const input: RouteGate = (api, route) => {
  // Senders that were proved may send more: a large event of GitHub's has a thousand keys.
  const maxKeys = route.webhook === undefined ? defaults.jsonMaxKeys : defaults.webhookMaxKeys;
  const limits = { maxDepth: defaults.jsonMaxDepth, maxKeys };
  const names = route.segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  const readPage = pageReader(api, route);
  const match = matcher(api, route);
  const headerNames = route.headers?.names ?? [];
  const cookieNames = route.cookies?.names ?? [];
  const mediaType = route.body?.form === true ? "application/x-www-form-urlencoded" : "application/json";
  const accept = [route.method === "PATCH" ? "accept-patch" : "accept-post", mediaType];

  // A route looks only at the places its schemas have; a query it does not take must be empty.
  const places: Step[] = [matchQuery];
  if (names.length > 0) places.unshift(matchParams);
  if (route.headers !== undefined) places.push(matchHeaders);
  if (route.cookies !== undefined) places.push(matchCookies);
  if (route.body !== undefined) places.push(matchBody);

  return function matchInput(x) {
    return matchFrom(x, 0);
  };

  function matchFrom(x: Exchange, first: number): Outcome | Promise<Outcome> {
    for (let next = first; next < places.length; next++) {
      const outcome = places[next]?.(x);
      if (outcome instanceof Promise) return outcome.then((late) => late ?? matchFrom(x, next + 1));
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  function matchParams(x: Exchange): Outcome | Promise<Outcome> {
    const values: Record<string, string> = {};
    for (let i = 0; i < names.length; i++) values[names[i] ?? ""] = x.pathValues[i] ?? "";
    if (route.params === undefined) {
      x.params = values;
      return undefined;
    }
    return match(route.params, values, "/params", (value) => {
      x.params = value;
    });
  }

  function matchQuery(x: Exchange): Outcome | Promise<Outcome> {
    if (readPage === undefined) return matchOwnQuery(x, x.query);
    return chain(readPage(x), (rest) => (rest instanceof Refusal ? rest : matchOwnQuery(x, rest)));
  }

  function matchOwnQuery(x: Exchange, values: Readonly<Record<string, string>>): Outcome | Promise<Outcome> {
    if (route.query === undefined) {
      for (const name in values) return unknownParameter(name);
      return undefined;
    }
    return match(route.query, values, "/query", (value) => {
      x.queryInput = value;
    });
  }

  function matchHeaders(x: Exchange): Outcome | Promise<Outcome> {
    if (route.headers === undefined) return undefined;
    const values: Record<string, string> = {};
    for (const name of headerNames) {
      const value = x.headers[name];
      if (value !== undefined) values[name] = value;
    }
    return match(route.headers, values, "/headers", (value) => {
      x.headerInput = value;
    });
  }

  function matchCookies(x: Exchange): Outcome | Promise<Outcome> {
    if (route.cookies === undefined) return undefined;
    const values = readCookies(x.headers["cookie"], cookieNames);
    if (values instanceof Unreadable) return new Refusal("bad-header", `${values.reason} ${values.where}`);
    return match(route.cookies, values, "/cookies", (value) => {
      x.cookieInput = value;
    });
  }

  function matchBody(x: Exchange): Outcome | Promise<Outcome> {
    if (route.body === undefined) return undefined;
    const type = readMediaType(x.headers["content-type"] ?? "");
    if (type instanceof Unreadable || type.type !== mediaType) {
      return new Refusal("media-type", `the body is not declared as ${mediaType}`, { headers: accept });
    }
    const bytes = x.body ?? noBytes;
    let value: unknown = route.body.form ? readForm(bytes) : readJson(bytes, limits);
    if (value instanceof Unreadable) return new Refusal("bad-body", `${value.reason} ${value.where}`);
    if (route.body.basic !== undefined) value = withBasic(x.headers["authorization"], value, route.body.basic);
    if (value instanceof Refusal) return value;
    x.bodySent = value;
    return match(route.body, value, "/body", (matched) => {
      x.bodyInput = matched;
    });
  }
};

const noBytes = new Uint8Array(0);

/** A form is ASCII: what is not was escaped, and a byte that was not becomes a letter the reader refuses. */
function readForm(bytes: Uint8Array): ReturnType<typeof readQuery> {
  return readQuery(latin1.decode(bytes), { lineBreaks: true });
}

/** The form with what came in the header; never both, or one is proved and the other believed. */
function withBasic(authorization: string | undefined, sent: unknown, { user, password }: BasicFields): unknown {
  if (authorization === undefined || !isBasic(authorization) || !isTextRecord(sent)) return sent;
  const read = readBasic(authorization);
  if (read instanceof Unreadable) return new Refusal("bad-credential", `${read.reason} ${read.where}`);
  if (sent[password] !== undefined || (sent[user] ?? read.user) !== read.user) {
    return new Refusal("several-credentials", `Authorization and ${password} or another ${user} in the form`);
  }
  return { ...sent, [user]: read.user, [password]: read.password };
}

const latin1 = new TextDecoder("latin1");

type Match = (part: InputPart, raw: unknown, at: string, keep: (value: unknown) => void) => Outcome | Promise<Outcome>;

/** Makes the function that asks a schema. A schema that has to wait has the route's time. */
function matcher(api: ApiPlan, route: RoutePlan): Match {
  return function match(part, raw, at, keep) {
    const value = part.coerce === undefined || !isTextRecord(raw) ? raw : part.coerce(raw);
    const result = part.schema["~standard"].validate(value);
    // A validator may answer with a promise of its own making; read as a result it would have no issues.
    if (!isPromise(result)) return decide(result);
    const late = (): "late" => "late";
    return withinTime<ValidationResult | "late">(api.deadlines, route.timeoutMs, result, late).then((answer) =>
      answer === "late" ? new Refusal("handler-timeout", `the schema of ${at} does not answer`) : decide(answer),
    );

    function decide(answer: ValidationResult): Outcome {
      if (answer.issues === undefined) {
        if (!("value" in answer)) return new Refusal("internal", `the schema of ${at} gave neither a value nor issues`);
        keep(answer.value);
        return undefined;
      }
      const errors = explain(part.json, value, answer.issues)
        .slice(0, defaults.validationErrorsMax)
        .map((entry) => ({ pointer: at + entry.pointer, reason: entry.reason }));
      return new Refusal("invalid-input", reasonOf(part, at, errors), { errors });
    }
  };
}

/**
 * For the record: declared places and our own words. The library's messages may quote what was sent, a password among it,
 * and a name that nobody declared is the client's text as well.
 */
function reasonOf(part: InputPart, at: string, errors: readonly InputError[]): string {
  const words = errors.map(({ pointer, reason }) => {
    const place = pointer.slice(at.length).replaceAll(/\/\d+(?=\/|$)/g, "/*");
    return `${reason} ${part.places.has(place) ? at + place : `in ${at}`}`;
  });
  return words.join("; ").slice(0, 500);
}

type ValidationResult = Awaited<ReturnType<InputPart["schema"]["~standard"]["validate"]>>;

function isTextRecord(raw: unknown): raw is Readonly<Record<string, string>> {
  return typeof raw === "object" && raw !== null;
}

function unknownParameter(name: string): Refusal {
  const errors = [{ pointer: `/query/${pointerPart(name)}`, reason: "unknown" } as const];
  return new Refusal("invalid-input", "unknown in /query", { errors });
}

/** A name as part of a JSON Pointer, cut to 64 characters. @see RFC 6901 section 3 */
function pointerPart(name: string): string {
  return name.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1");
}
