import type { Credential, CredentialVerifier } from "./credential.ts";
import type { Environment } from "./environment.ts";
import type { Accounts } from "./events/accounts.ts";
import type { Crowd } from "./events/crowd.ts";
import type { Recorder } from "./events/recorder.ts";
import { defaults } from "./defaults.ts";
import { compileCoercion } from "./lib/coerce.ts";
import { type BasicFields, basicFields, isForm } from "./lib/form.ts";
import type { Cursors } from "./lib/cursor.ts";
import type { Deadlines } from "./lib/deadlines.ts";
import type { JsonSchema } from "./lib/json-schema.ts";
import { fieldNames, placePointers } from "./lib/schema-problems.ts";
import { inputJsonSchema } from "./lib/standard-schema.ts";
import type { AnySchema } from "./lib/standard-schema.ts";
import type { ProvedBefore } from "./lib/proved-before.ts";
import type { Topology } from "./lib/forwarded.ts";
import type { Dimension, Limiter } from "./limits/limiter.ts";
import type { ApiRates, PlannedLimit, Tariffs } from "./limits/tariffs.ts";
import { parseRate } from "./limits/rate.ts";
import { deliveries, read, signIn, write } from "./limits/presets.ts";
import type { ByRoleOutput, OutputRule } from "./output.ts";
import type { ApiConfig } from "./api-config.ts";
import type { AccessPolicy, InputPolicy, Method, PagePolicy, PublicAccess, RouteLimit, RoutePolicy } from "./policy.ts";
import type { Passing } from "./passing.ts";
import type { AnyResource } from "./resource.ts";
import { accountOf, begunByOf } from "./starts-session.ts";
import { isWebhook, type PlannedWebhook, planWebhook } from "./webhooks/plan-webhook.ts";

/** An API's configuration made exact, once, before the first request. */
export interface ApiPlan {
  readonly config: ApiConfig;
  readonly environment: Environment;
  readonly recorder: Recorder;
  readonly accounts: Accounts;
  readonly crowd: Crowd;
  /** What the limiter counts. */
  readonly dimensions: readonly Dimension[];
  readonly limiter: Limiter;
  readonly tariffs: Tariffs;
  readonly topology: Topology;
  readonly provedBefore: ProvedBefore;
  readonly verifiers: readonly PlannedVerifier[];
  readonly routes: readonly RoutePlan[];
  readonly resources: readonly AnyResource[];
  readonly rates: ApiRates;
  readonly cursors: Cursors;
  readonly deadlines: Deadlines;
  readonly bodyTimeoutMs: number;
  /** Which requests go on to a framework behind; undefined: none. */
  readonly passing: Passing | undefined;
  /** Our own request id; the runtime's generator. */
  newId(): string;
}

/** A configured credential with its built verifier. */
export interface PlannedVerifier {
  readonly credential: Credential;
  readonly verifier: CredentialVerifier;
}

/** One route's policy made exact. */
export interface RoutePlan {
  /** `GET /v1/projects/:id`: the route as its author wrote it. */
  readonly name: string;
  /** Place among the API's routes, from 0. */
  readonly index: number;
  readonly method: Method;
  readonly path: string;
  readonly segments: readonly PathSegment[];
  readonly policy: RoutePolicy;
  readonly access: AccessPlan;
  /** The sender's signature stands in place of authentication; undefined on any other route. */
  readonly webhook: PlannedWebhook | undefined;
  readonly params: InputPart | undefined;
  readonly query: InputPart | undefined;
  readonly headers: InputPart | undefined;
  readonly cookies: InputPart | undefined;
  readonly body: InputPart | undefined;
  readonly objects: readonly PlannedObject[];
  readonly notObjects: readonly { readonly field: string; readonly reason: string }[];
  /** By status, in ascending order; the first is what a bare value is answered with. */
  readonly outputs: readonly PlannedOutput[];
  readonly limits: readonly PlannedLimit[];
  readonly page: PagePolicy | undefined;
  readonly bodyMaxBytes: number;
  readonly startsSession: boolean;
  /** Cookies without one of which it starts none; undefined where it needs none. */
  readonly begunBy: readonly string[] | undefined;
  /** Body field that names the account of a sign-in. */
  readonly accountField: string | undefined;
  readonly sinceMs: number | undefined;
  readonly sunsetMs: number | undefined;
  /** Undefined where it has none, or the path says it. */
  readonly version: string | undefined;
  readonly isUnversioned: boolean;
  readonly timeoutMs: number;
  /** The application's own code; the pipeline gives it what the policy's types promised. */
  readonly handler: (given: Readonly<Record<string, unknown>>) => unknown;
}

/** A literal segment of a path, or the name of a value. */
export type PathSegment = { readonly text: string } | { readonly param: string };

/** What a caller needs; `undefined` caller demands mean a public route. */
export interface AccessPlan {
  readonly public: boolean;
  readonly reason: string | undefined;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Demanded roles by object name. */
  readonly objectRole: ReadonlyMap<string, readonly string[]>;
}

/** One of the places of input. */
export interface InputPart {
  readonly schema: AnySchema;
  readonly json: JsonSchema;
  /** Its members, those of every alternative: what is looked at of headers and cookies. */
  readonly names: readonly string[];
  /** Pointers of its declared places: what a record may say of an input. */
  readonly places: ReadonlySet<string>;
  /** The body comes as a form in place of JSON. */
  readonly form: boolean;
  /** Fields that may come in `Authorization: Basic` in place of the body. */
  readonly basic: BasicFields | undefined;
  /** Turns canonical numbers and booleans of a text-only place into values; undefined for JSON. */
  readonly coerce: ((values: Readonly<Record<string, string>>) => Record<string, unknown>) | undefined;
}

/** One object of a route. */
export interface PlannedObject {
  readonly name: string;
  readonly each: boolean;
  readonly place: "path" | "query" | "body" | "header";
  readonly field: string;
  readonly resource: AnyResource;
  readonly within: string | undefined;
}

/** One status a route may answer with. */
export interface PlannedOutput {
  readonly status: number;
  readonly rule: OutputRule | ByRoleOutput;
}

/** What a route was declared with, before it is planned. */
export interface DeclaredRoute {
  readonly policy: RoutePolicy;
  /** False where a program without types gave none; such a route does not start. */
  readonly hasHandler: boolean;
  readonly handler: (given: Readonly<Record<string, unknown>>) => unknown;
}

/**
 * Makes one route's policy exact.
 *
 * @throws OptionsError where a rate, date or schema cannot be read; start-up problems name the rest
 */
export function planRoute(config: ApiConfig, declared: DeclaredRoute, index: number): RoutePlan {
  const { policy } = declared;
  const { method, path } = splitRoute(policy.path);
  const segments = path
    .split("/")
    .filter((text) => text !== "")
    .map((text): PathSegment => (text.startsWith(":") ? { param: text.slice(1) } : { text }));
  const input: InputPolicy = policy.input ?? {};
  const objects = planObjects(policy);
  const timeoutMs = policy.timeoutMs ?? config.handlerTimeoutMs ?? defaults.handlerTimeoutMs;
  return {
    name: policy.path,
    index,
    method,
    path,
    segments,
    policy,
    access: planAccess(policy.access, objects),
    webhook: planWebhook(policy, timeoutMs),
    params: planPart(input.params, true),
    query: planPart(input.query, true),
    headers: planPart(input.headers, true),
    cookies: planPart(input.cookies, true),
    body: planPart(input.body, false),
    objects,
    notObjects: Object.entries(policy.objects ?? {}).flatMap(([field, rule]) =>
      rule.kind === "not-an-object" ? [{ field, reason: rule.reason }] : [],
    ),
    outputs: planOutputs(policy),
    limits: planLimits(policy, method),
    page: policy.page,
    bodyMaxBytes: policy.bodyMaxBytes ?? config.body?.maxBytes ?? defaults.bodyMaxBytes,
    startsSession: policy.startsSession !== undefined,
    begunBy: begunByOf(policy.startsSession),
    accountField: accountOf(policy.startsSession)?.slice("body.".length),
    sinceMs: timeOf(policy.deprecated?.since),
    sunsetMs: timeOf(policy.deprecated?.sunset),
    version: typeof policy.version === "string" ? policy.version : undefined,
    isUnversioned: typeof policy.version === "object",
    timeoutMs,
    handler: declared.handler,
  };
}

/** `GET /v1/projects` into its two halves. */
export function splitRoute(route: string): { method: Method; path: string } {
  const blank = route.indexOf(" ");
  const method = route.slice(0, blank);
  const path = route.slice(blank + 1);
  return { method: isMethod(method) ? method : "GET", path };
}

/** Whether a route may have this method. */
export function isMethod(text: string): text is Method {
  return text === "GET" || text === "POST" || text === "PUT" || text === "PATCH" || text === "DELETE";
}

/** The limits of the whole API over all instances together, defaults filled in. */
export function planRates(config: ApiConfig): ApiRates {
  const limits = config.limits ?? {};
  const global = parseRate(limits.global ?? defaults.limits.global);
  const address = parseRate(limits.address ?? defaults.limits.address);
  const unprovedShare = limits.unprovedShare ?? defaults.limits.unprovedShare;
  return {
    global,
    unproved: { limit: Math.max(1, Math.floor(global.limit * unprovedShare)), windowMs: global.windowMs },
    address,
    wideAddress:
      limits.wideAddress === undefined
        ? { limit: address.limit * 4, windowMs: address.windowMs }
        : parseRate(limits.wideAddress),
    caller: parseRate(limits.caller ?? defaults.limits.caller),
    tenant: limits.tenant === undefined ? undefined : parseRate(limits.tenant),
    failures: parseRate(limits.failures ?? defaults.limits.failures),
    credentials: config.credentials.flatMap(({ rates = [] }) => rates.map((rate) => parseRate(rate))),
  };
}

function planAccess(access: AccessPolicy, objects: readonly PlannedObject[]): AccessPlan {
  if (isPublic(access)) {
    return { public: true, reason: access.reason, scopes: [], roles: [], objectRole: new Map() };
  }
  if (isWebhook(access)) return { public: false, reason: undefined, scopes: [], roles: [], objectRole: new Map() };
  const demanded = access.objectRole;
  const innermost = objects.at(-1)?.name ?? "";
  const objectRole =
    demanded === undefined
      ? new Map<string, readonly string[]>()
      : typeof demanded === "string"
        ? new Map([[innermost, [demanded]]])
        : isList(demanded)
          ? new Map([[innermost, demanded]])
          : new Map(Object.entries(demanded));
  return { public: false, reason: undefined, scopes: access.scopes ?? [], roles: access.roles ?? [], objectRole };
}

/** Nothing else is: an access of another kind demands nothing and stops the start. */
function isPublic(access: AccessPolicy): access is PublicAccess {
  return "kind" in access && access.kind === "public";
}

function isList(value: readonly string[] | Readonly<Record<string, readonly string[]>>): value is readonly string[] {
  return Array.isArray(value);
}

function planPart(schema: AnySchema | undefined, textOnly: boolean): InputPart | undefined {
  if (schema === undefined) return undefined;
  const json = inputJsonSchema(schema);
  const form = isForm(schema);
  const coerce = textOnly || form ? compileCoercion(json) : undefined;
  return {
    schema,
    json,
    names: fieldNames(json),
    places: placePointers(json),
    form,
    basic: basicFields(schema),
    coerce,
  };
}

function planObjects(policy: RoutePolicy): readonly PlannedObject[] {
  return Object.entries(policy.objects ?? {}).flatMap(([name, rule]): PlannedObject[] => {
    if (rule.kind === "not-an-object") return [];
    const dot = rule.field.indexOf(".");
    const place = dot === -1 ? "path" : rule.field.slice(0, dot);
    return [
      {
        name,
        each: rule.kind === "by-each",
        place: place === "query" || place === "body" || place === "header" ? place : "path",
        field: dot === -1 ? rule.field : rule.field.slice(dot + 1),
        resource: rule.resource,
        within: rule.kind === "by" ? rule.within : undefined,
      },
    ];
  });
}

function planOutputs(policy: RoutePolicy): readonly PlannedOutput[] {
  const output = policy.output;
  if (isRule(output)) {
    return [{ status: usualStatus(output), rule: output }];
  }
  return Object.entries(output)
    .map(([status, rule]): PlannedOutput => ({ status: Number(status), rule }))
    .sort((a, b) => a.status - b.status);
}

/** What a bare value is answered with. */
function usualStatus(output: OutputRule | ByRoleOutput): number {
  if ("kind" in output && output.kind === "nothing") return 204;
  return "kind" in output && output.kind === "redirect" ? 303 : 200;
}

function isRule(output: RoutePolicy["output"]): output is OutputRule | ByRoleOutput {
  return "kind" in output || "~standard" in output;
}

function planLimits({ limit, startsSession, access }: RoutePolicy, method: Method): readonly PlannedLimit[] {
  const account = accountOf(startsSession);
  const preset = isWebhook(access)
    ? deliveries
    : account !== undefined
      ? signIn(account)
      : method === "GET"
        ? read
        : write;
  const declared = limit ?? preset;
  const list: readonly RouteLimit[] =
    typeof declared === "string" || "windowMs" in declared
      ? [{ rate: declared }]
      : "rate" in declared
        ? [declared]
        : declared;
  return list.map((rule) => {
    const by = rule.by ?? "caller";
    const isField = by.startsWith("body.");
    return {
      rate: parseRate(rule.rate),
      by: by === "caller" || by === "address" || by === "tenant" ? by : "field",
      field: isField ? by.slice("body.".length) : undefined,
      isPerAddress: rule.and === "address",
      counts: rule.counts ?? "requests",
      sharedAs: rule.sharedAs,
    };
  });
}

function timeOf(date: string | Date | undefined): number | undefined {
  return date === undefined ? undefined : new Date(date).getTime();
}
