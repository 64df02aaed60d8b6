import type { Exchange, Outcome } from "../exchange.ts";
import type { RouteGate } from "../gate.ts";
import { chooseOutput, isByRole } from "../lib/choose-output.ts";
import { answerHeaders } from "../lib/answer-headers.ts";
import { chain } from "../lib/chain.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import { cursorBinding } from "../lib/paging.ts";
import { isPage, pagePolicy, renderPage } from "../lib/render-page.ts";
import { type TargetCheck, targetCheck } from "../lib/redirect-target.ts";
import type { HtmlOutput } from "../html.ts";
import type { RedirectAllowlist, RedirectOutput } from "../redirect.ts";
import { compileSerializer } from "../lib/serializer.ts";
import { outputJsonSchema } from "../lib/standard-schema.ts";
import { withinTime } from "../lib/within-time.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal, type RefusalCode } from "../refusal.ts";

type Serializer = (value: unknown) => string;

/**
 * Lets only declared fields leave. Each output schema is compiled at start into a serializer that picks what is
 * declared, so a raw row may be returned and a new column never leaks. What has the wrong type, or a status nobody
 * declared, is 500: it is the server's mistake.
 *
 * @returns step; refuses with `undeclared-output`, `unbounded-list` (500)
 * @see OWASP API3:2023, OWASP ASVS 5.0 15.3.1
 */
export const output: RouteGate = (api, route) => {
  const serializers = new Map<OutputRule, Serializer>();
  const checks = new Map<RedirectAllowlist, TargetCheck>();
  for (const { rule } of route.outputs) {
    compileRule(rule, serializers);
    compileLists(rule, checks);
  }
  const headersFor = answerHeaders(api, route);

  return function writeAnswer(x) {
    const rule = chooseOutput(route, x);
    if (rule === undefined) return new Refusal("undeclared-output", `status ${x.status} has no declared output`);
    const headers = headersFor(x);
    if (headers instanceof Refusal) return headers;
    x.answerHeaders = headers;
    if ("kind" in rule && rule.kind === "nothing") return undefined;
    if ("kind" in rule && rule.kind === "html") return writePage(rule, x);
    if ("kind" in rule && rule.kind === "redirect") return sendOn(rule, x);
    const serialize = serializers.get(rule);
    if (serialize === undefined) return new Refusal("undeclared-output", "the output has no serializer");
    try {
      if ("kind" in rule && rule.kind === "list") return writeList(api, route, x, serialize);
      const text = serialize(x.result);
      if ("kind" in rule && rule.kind === "protocol-error") {
        return declaredRefusal(x, route, text);
      }
      x.bodyText = text;
      return undefined;
    } catch (error) {
      return new Refusal("undeclared-output", "the answer does not match its schema", { cause: error });
    }
  };

  /** The page, with a nonce of its own for its style sheet; where it goes on by itself, that address is on the list. */
  function writePage(rule: HtmlOutput, x: Exchange): Outcome | Promise<Outcome> {
    const page = x.result;
    if (!isPage(page))
      return new Refusal("undeclared-output", "the handler returned no page: { title, body: markup`…` }");
    const write = (): Outcome => {
      const nonce = api.newId();
      const text = renderPage(rule, page, nonce);
      x.pagePolicy = pagePolicy(rule, nonce);
      if (x.status >= 400) return declaredRefusal(x, route, text);
      x.bodyText = text;
      return undefined;
    };
    if (page.navigateTo === undefined) return write();
    return whenAllowed(rule.navigatesTo, page.navigateTo, write);
  }

  function sendOn(rule: RedirectOutput, x: Exchange): Outcome | Promise<Outcome> {
    const target = x.result;
    if (typeof target !== "string") return new Refusal("undeclared-output", "the handler returned no address");
    // Browsers follow one of two, and only this one was looked at.
    if (x.answerHeaders.some((part, i) => i % 2 === 0 && part === "location")) {
      return new Refusal("undeclared-output", "the handler set a location beside the address it returned");
    }
    return whenAllowed(rule.allowlist, target, () => {
      x.answerHeaders = [...x.answerHeaders, "location", target];
      return undefined;
    });
  }

  function whenAllowed(list: RedirectAllowlist, target: string, then: () => Outcome): Outcome | Promise<Outcome> {
    const decide = (allowed: boolean): Outcome =>
      allowed ? then() : new Refusal("undeclared-output", "the address to go on to is not on the route's list");
    const allowed = checks.get(list)?.(target) ?? false;
    if (!isPromise(allowed)) return decide(allowed);
    const late = (): Refusal =>
      new Refusal("handler-timeout", "the look-up of the address to go on to does not answer");
    return withinTime<boolean, Outcome>(api.deadlines, route.timeoutMs, allowed, late, decide);
  }
};

/** A handler's own no, in a shape it declared; for limits and records a refusal like any other. */
function declaredRefusal(x: Exchange, route: RoutePlan, body: string): Refusal {
  const code = x.status === 401 && route.startsSession ? "sign-in-failed" : codes[x.status];
  if (code === undefined) return new Refusal("undeclared-output", `${x.status} is no refusal of a handler`);
  // What the handler set goes along: a no often takes a cookie back.
  return new Refusal(code, "the handler's own, as its output declares", { body, headers: x.answerHeaders });
}

const codes: Readonly<Record<number, RefusalCode>> = {
  400: "bad-request",
  401: "bad-credential",
  403: "forbidden",
  404: "not-found",
};

/** The checks of every list an output holds, made at the start. */
function compileLists(rule: OutputRule | ByRoleOutput, checks: Map<RedirectAllowlist, TargetCheck>): void {
  if (isByRole(rule)) for (const one of Object.values(rule.roles)) compileLists(one, checks);
  else if ("kind" in rule && rule.kind === "html") checks.set(rule.navigatesTo, targetCheck(rule.navigatesTo));
  else if ("kind" in rule && rule.kind === "redirect") checks.set(rule.allowlist, targetCheck(rule.allowlist));
}

function compileRule(rule: OutputRule | ByRoleOutput, serializers: Map<OutputRule, Serializer>): void {
  if (isByRole(rule)) {
    for (const one of Object.values(rule.roles)) compileRule(one, serializers);
    return;
  }
  if ("kind" in rule) {
    const hasSchema = rule.kind !== "nothing" && rule.kind !== "html" && rule.kind !== "redirect";
    if (hasSchema) serializers.set(rule, compileSerializer(outputJsonSchema(rule.schema)));
    return;
  }
  serializers.set(rule, compileSerializer(outputJsonSchema(rule)));
}

/** `{ items, next }` with the next position sealed, or `{ items, page, limit, total, pages }`. */
function writeList(api: ApiPlan, route: RoutePlan, x: Exchange, serialize: Serializer): Outcome | Promise<Outcome> {
  const { page } = x;
  const items = field(x.result, "items");
  if (!Array.isArray(items) || !isAskedPage(page)) {
    return new Refusal(
      "undeclared-output",
      "the handler returned no list of items ({ items: […] }), or the route has no page",
    );
  }
  if (items.length > page.limit) {
    return new Refusal("unbounded-list", `${items.length} items where ${page.limit} were asked for`);
  }
  let text = '{"items":[';
  for (let i = 0; i < items.length; i++) text += i === 0 ? serialize(items[i]) : `,${serialize(items[i])}`;
  text += "]";

  if (page.page !== undefined) {
    const total = field(x.result, "total");
    if (typeof total !== "number" || !Number.isSafeInteger(total) || total < 0) {
      return new Refusal("undeclared-output", "page numbers need the handler's total");
    }
    const pages = Math.ceil(total / page.limit);
    x.bodyText = `${text},"page":${page.page},"limit":${page.limit},"total":${total},"pages":${pages}}`;
    return undefined;
  }
  const next = field(x.result, "next");
  if (next === undefined || next === null) {
    x.bodyText = `${text},"next":null}`;
    return undefined;
  }
  return chain(api.cursors.seal(next, cursorBinding(route, x)), (sealed) => {
    x.bodyText = `${text},"next":"${sealed}"}`;
    return undefined;
  });
}

function isAskedPage(page: unknown): page is { readonly limit: number; readonly page?: number } {
  return typeof page === "object" && page !== null && "limit" in page;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
