import type { Exchange, Outcome } from "../exchange.ts";
import type { RouteGate } from "../gate.ts";
import { chain } from "../lib/chain.ts";
import { chooseOutput, isByRole } from "../lib/choose-output.ts";
import { answerHeaders } from "../lib/answer-headers.ts";
import { cursorBinding } from "../lib/paging.ts";
import { compileSerializer } from "../lib/serializer.ts";
import { outputJsonSchema } from "../lib/standard-schema.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { ApiPlan, RoutePlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";

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
  for (const { rule } of route.outputs) compileRule(rule, serializers);
  const headersFor = answerHeaders(api, route);

  return function writeAnswer(x) {
    const rule = chooseOutput(route, x);
    if (rule === undefined) return new Refusal("undeclared-output", `status ${x.status} has no declared output`);
    const headers = headersFor(x);
    if (headers instanceof Refusal) return headers;
    x.answerHeaders = headers;
    if ("kind" in rule && rule.kind === "nothing") return undefined;
    const serialize = serializers.get(rule);
    if (serialize === undefined) return new Refusal("undeclared-output", "the output has no serializer");
    try {
      if ("kind" in rule && rule.kind === "list") return writeList(api, route, x, serialize);
      x.bodyText = serialize(x.result);
      return undefined;
    } catch (error) {
      return new Refusal("undeclared-output", "the answer does not match its schema", { cause: error });
    }
  };
};

function compileRule(rule: OutputRule | ByRoleOutput, serializers: Map<OutputRule, Serializer>): void {
  if (isByRole(rule)) {
    for (const one of Object.values(rule.roles)) compileRule(one, serializers);
    return;
  }
  if ("kind" in rule) {
    if (rule.kind !== "nothing") serializers.set(rule, compileSerializer(outputJsonSchema(rule.schema)));
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
