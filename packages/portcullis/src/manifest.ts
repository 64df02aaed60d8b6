import { defaults } from "./defaults.ts";
import { isByRole } from "./lib/choose-output.ts";
import { leavesOf, shapeReader } from "./lib/schema-shape.ts";
import { outputJsonSchema } from "./lib/standard-schema.ts";
import type { AdapterFacts } from "./listen.ts";
import type { ByRoleOutput, OutputRule } from "./output.ts";
import type { DeclaredRoute, PlannedOutput, RoutePlan } from "./plan.ts";
import { planRates, planRoute } from "./plan.ts";
import { isPlatform, platforms, type PlatformName } from "./lib/platforms.ts";
import type { Passing } from "./passing.ts";
import type { ApiConfig, ProxyOptions } from "./api-config.ts";
import type { RedirectAllowlist } from "./redirect.ts";
import type { AnyResource } from "./resource.ts";
import type { PlannedWebhook } from "./webhooks/plan-webhook.ts";

/** OpenAPI 3.1 with `x-portcullis`; docs/manifest.md says what each member means. */
export type Manifest = Readonly<Record<string, unknown>>;

/**
 * The sum of all policies, for people, for OpenAPI tools and above all for the prover, whose oracle it is. Holds no
 * secret and no key.
 *
 * @see OpenAPI 3.1
 */
export function writeManifest(
  config: ApiConfig,
  resources: readonly AnyResource[],
  declared: readonly DeclaredRoute[],
  facts: AdapterFacts | undefined,
): Manifest {
  const routes = declared.map((route, index) => planRoute(config, route, index));
  const rates = planRates(config);
  return {
    openapi: "3.1.0",
    info: { title: config.name, version: "1" },
    "x-portcullis": {
      format: 1,
      name: config.name,
      hosts: config.hosts,
      origins: config.origins ?? [],
      ...(versionHeader(config) === undefined ? {} : { version: versionHeader(config) }),
      transport: {
        tls: config.minTls ?? "1.3",
        plainHttp: config.proxies === undefined ? "loopback" : "proxy",
        hsts: defaults.hsts,
      },
      ...(config.proxies === undefined ? {} : { proxies: describeProxies(config.proxies) }),
      credentials: config.credentials.map((credential) => ({
        kind: credential.protection,
        name: credential.name,
        ...carrierOf(credential.carrier),
        ...credential.describe(),
      })),
      limits: {
        global: rates.global,
        address: rates.address,
        wideAddress: rates.wideAddress,
        caller: rates.caller,
        ...(rates.tenant === undefined ? {} : { tenant: rates.tenant }),
        failures: rates.failures,
        headers: config.rateLimitHeaders ?? "draft",
      },
      body: { maxBytes: config.body?.maxBytes ?? defaults.bodyMaxBytes },
      headers: { maxBytes: defaults.headersMaxBytes, targetMaxBytes: defaults.targetMaxBytes },
      json: { maxDepth: defaults.jsonMaxDepth, maxKeys: defaults.jsonMaxKeys },
      resources: Object.fromEntries(resources.map((resource) => [resource.name, describeResource(resource)])),
      dangerously: [
        ...topologyDangers(config),
        ...config.credentials.flatMap((credential) => dangerously(credential.name, credential.describe())),
        ...routes.flatMap(({ name, webhook }) => dangerously(name, webhook?.scheme.describe() ?? {})),
      ],
      unknown: facts?.unknown ?? [],
      ...describePassing(facts?.passing),
    },
    components: {
      securitySchemes: Object.fromEntries(config.credentials.map((one) => [one.name, securityScheme(one.carrier)])),
    },
    paths: describePaths(config, routes),
  };
}

/**
 * One operation per path and method, as OpenAPI has it. Where versions travel in a header there may be more: the one that
 * answers without the header comes first, the others stand in its `x-portcullis.versions`.
 */
function describePaths(config: ApiConfig, routes: readonly RoutePlan[]): Readonly<Record<string, unknown>> {
  const usual = versionHeader(config)?.default;
  const paths: Record<string, Record<string, RoutePlan[]>> = {};
  for (const route of routes) {
    const path = `/${route.segments.map((segment) => ("param" in segment ? `{${segment.param}}` : segment.text)).join("/")}`;
    const versions = ((paths[path] ??= {})[route.method.toLowerCase()] ??= []);
    if (usual !== undefined && route.version === usual) versions.unshift(route);
    else versions.push(route);
  }
  return mapValues(paths, (methods) =>
    mapValues(methods, ([first, ...others]) => (first === undefined ? {} : operation(config, first, others))),
  );
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, to: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}

function versionHeader(config: ApiConfig): { readonly header: string; readonly default: string } | undefined {
  const { version } = config;
  return typeof version === "object" && "header" in version ? version : undefined;
}

function describeProxies(proxies: ProxyOptions | PlatformName): Readonly<Record<string, unknown>> {
  if (!isPlatform(proxies)) return { ...proxies };
  return { platform: proxies, trusted: [], header: platforms[proxies].header };
}

function topologyDangers(config: ApiConfig): readonly Readonly<Record<string, unknown>>[] {
  const { proxies, dangerouslyAllowLoopback } = config;
  const assumed = typeof proxies === "object" ? proxies.dangerouslyAssumeProxy : undefined;
  return [
    ...dangerously("createApi", dangerouslyAllowLoopback === undefined ? {} : { dangerouslyAllowLoopback }),
    ...dangerously("proxies", assumed === undefined ? {} : { dangerouslyAssumeProxy: assumed }),
  ];
}

function operation(
  config: ApiConfig,
  route: RoutePlan,
  otherVersions: readonly RoutePlan[],
): Readonly<Record<string, unknown>> {
  const { access } = route;
  const values = [...parameters(route), ...selectors(config, route)];
  return {
    operationId: route.name,
    security:
      access.public || route.webhook !== undefined
        ? []
        : config.credentials.map((credential) => ({ [credential.name]: [] })),
    ...(values.length === 0 ? {} : { parameters: values }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              [route.body.form ? "application/x-www-form-urlencoded" : "application/json"]: { schema: route.body.json },
            },
          },
        }),
    responses: {
      ...Object.fromEntries(route.outputs.map((output) => [String(output.status), response(route, output)])),
      default: {
        description: "A problem (RFC 9457)",
        content: { "application/problem+json": { schema: { type: "object" } } },
      },
    },
    ...(route.sinceMs === undefined ? {} : { deprecated: true }),
    "x-portcullis": {
      access: access.public
        ? { kind: "public", reason: access.reason }
        : route.webhook !== undefined
          ? describeWebhook(route.webhook)
          : {
              kind: "caller",
              scopes: access.scopes,
              roles: access.roles,
              ...(access.objectRole.size === 0 ? {} : { objectRole: Object.fromEntries(access.objectRole) }),
            },
      objects: route.objects.map((one) => ({
        name: one.name,
        resource: one.resource.name,
        in: one.place,
        field: one.field,
        ...(one.each ? { each: true } : {}),
        ...(one.within === undefined ? {} : { within: one.within }),
      })),
      notObjects: route.notObjects,
      output: route.outputs.flatMap(describeOutput),
      limits: route.limits.map((limit) => ({
        name: "route",
        limit: limit.rate.limit,
        windowMs: limit.rate.windowMs,
        by: limit.by === "field" ? `body.${limit.field ?? ""}` : limit.by,
        ...(limit.isPerAddress ? { and: "address" } : {}),
        ...(limit.sharedAs === undefined ? {} : { sharedAs: limit.sharedAs }),
        counts: limit.counts,
      })),
      ...(route.page === undefined ? {} : { page: route.page }),
      bodyMaxBytes: route.bodyMaxBytes,
      ...(route.body?.basic === undefined ? {} : { basic: route.body.basic }),
      ...(route.startsSession ? { startsSession: route.begunBy === undefined || { begunBy: route.begunBy } } : {}),
      ...(otherVersions.length === 0 ? {} : { versions: otherVersions.map((other) => operation(config, other, [])) }),
      ...(route.sinceMs === undefined
        ? {}
        : {
            deprecated: {
              since: new Date(route.sinceMs).toISOString(),
              ...(route.sunsetMs === undefined ? {} : { sunset: new Date(route.sunsetMs).toISOString() }),
            },
          }),
    },
  };
}

/** The header that selects this version; requests for the usual one may leave it out. */
function selectors(config: ApiConfig, route: RoutePlan): readonly Readonly<Record<string, unknown>>[] {
  const version = versionHeader(config);
  if (version === undefined || route.version === undefined) return [];
  return [
    {
      name: version.header.toLowerCase(),
      in: "header",
      required: route.version !== version.default,
      schema: { const: route.version },
    },
  ];
}

/** How its sender proves itself; no secret. */
function describeWebhook({ scheme, claims, leaseMs, times }: PlannedWebhook): Readonly<Record<string, unknown>> {
  return {
    kind: "webhook",
    scheme: scheme.name,
    algorithm: scheme.algorithm,
    headers: scheme.headers,
    signsTime: scheme.signsTime,
    ...(scheme.signsTime ? { toleranceSeconds: scheme.toleranceSeconds } : {}),
    claims: { kind: claims.kind, reach: claims.reach, leaseMs, keepMs: times.keepMs },
    ...scheme.describe(),
  };
}

function parameters(route: RoutePlan): readonly Readonly<Record<string, unknown>>[] {
  const of = (place: "path" | "query" | "header" | "cookie", part: RoutePlan["params"]) => {
    if (part === undefined) return [];
    const reader = shapeReader(part.json);
    const alternatives = leavesOf(reader, reader(part.json));
    return part.names.map((name) => {
      const fields = alternatives.map((one) => one.fields.get(name));
      const schemas = [...new Set(fields.flatMap((field) => field?.schema ?? []))];
      return {
        name,
        in: place,
        required: place === "path" || fields.every((field) => field?.required === true),
        schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas },
      };
    });
  };
  const paging =
    route.page === undefined
      ? []
      : [
          {
            name: "limit",
            in: "query",
            required: false,
            schema: { type: "integer", minimum: 1, maximum: route.page.max },
          },
          route.page.kind === "cursor"
            ? { name: "cursor", in: "query", required: false, schema: { type: "string", maxLength: 4096 } }
            : {
                name: "page",
                in: "query",
                required: false,
                schema: { type: "integer", minimum: 1, maximum: route.page.maxPage },
              },
        ];
  return [
    ...of("path", route.params),
    ...of("query", route.query),
    ...of("header", route.headers),
    ...of("cookie", route.cookies),
    ...paging,
  ];
}

function response(route: RoutePlan, output: PlannedOutput): Readonly<Record<string, unknown>> {
  const { rule } = output;
  if ("kind" in rule && rule.kind === "html") {
    return { description: "A page", content: { "text/html": { schema: { type: "string" } } } };
  }
  if ("kind" in rule && rule.kind === "redirect") {
    return {
      description: "Elsewhere",
      headers: { location: { required: true, schema: { type: "string", format: "uri-reference" } } },
    };
  }
  const schema = schemaOf(rule, route);
  return schema === undefined
    ? { description: "No content" }
    : { description: "OK", content: { "application/json": { schema } } };
}

function schemaOf(rule: OutputRule | ByRoleOutput, route: RoutePlan): unknown {
  if (isByRole(rule)) return { anyOf: Object.values(rule.roles).map((one) => schemaOf(one, route)) };
  if (!("kind" in rule)) return outputJsonSchema(rule);
  if (rule.kind === "nothing" || rule.kind === "html" || rule.kind === "redirect") return undefined;
  const item = outputJsonSchema(rule.schema);
  if (rule.kind !== "list") return item;
  const items = { type: "array", items: item, maxItems: route.page?.max ?? defaults.pageMax };
  const whole = { type: "integer", minimum: 0 };
  return route.page?.kind === "pages"
    ? closed({ items, page: whole, limit: whole, total: whole, pages: whole })
    : closed({ items, next: { type: ["string", "null"] } });
}

function closed(properties: Readonly<Record<string, unknown>>): unknown {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

function describeOutput(output: PlannedOutput): readonly Readonly<Record<string, unknown>>[] {
  const one = (rule: OutputRule, role?: string): Readonly<Record<string, unknown>> => {
    const base = { status: output.status, ...(role === undefined ? {} : { role }) };
    if (!("kind" in rule)) return { ...base, kind: "schema" };
    if (rule.kind === "nothing") return { ...base, kind: "nothing" };
    if (rule.kind === "html") return { ...base, kind: "html", navigatesTo: describeAllowlist(rule.navigatesTo) };
    if (rule.kind === "redirect") return { ...base, kind: "redirect", allowlist: describeAllowlist(rule.allowlist) };
    if (rule.kind === "protocol-error") return { ...base, kind: "protocol-error", reason: rule.reason };
    if (rule.kind === "unowned") return { ...base, kind: "unowned", reason: rule.reason };
    const { optOut } = rule;
    return {
      ...base,
      kind: rule.kind,
      resource: rule.resource.name,
      ...(optOut?.kind === "shared" ? { shared: optOut.reason } : {}),
      ...(optOut?.kind === "every-owner" ? { everyOwner: { roles: optOut.roles, reason: optOut.reason } } : {}),
    };
  };
  const { rule } = output;
  return isByRole(rule)
    ? Object.entries(rule.roles).flatMap(([role, of]) => (isByRole(of) ? [] : [one(of, role)]))
    : [one(rule)];
}

function describeAllowlist(allowlist: RedirectAllowlist): readonly unknown[] {
  return allowlist.map((entry) => (typeof entry === "string" ? entry : { registered: entry.reason }));
}

function describeResource(resource: AnyResource): Readonly<Record<string, unknown>> {
  const { rule } = resource;
  return {
    owner: rule.owner !== undefined,
    tenant: rule.tenant !== undefined,
    grant: rule.grant !== undefined,
    serverSet: rule.serverSet ?? [],
    ...(rule.parent === undefined ? {} : { parent: rule.parent.resource.name }),
    ...(rule.shared === undefined ? {} : { shared: rule.shared }),
  };
}

function carrierOf(carrier: ApiConfig["credentials"][number]["carrier"]): Readonly<Record<string, unknown>> {
  if (carrier.in === "authorization") return { in: "authorization", scheme: "Bearer" };
  return carrier.in === "header"
    ? { in: "header", header: carrier.header }
    : { in: "cookie", cookies: carrier.cookies };
}

function securityScheme(carrier: ApiConfig["credentials"][number]["carrier"]): Readonly<Record<string, unknown>> {
  if (carrier.in === "authorization") return { type: "http", scheme: "bearer" };
  return carrier.in === "header"
    ? { type: "apiKey", in: "header", name: carrier.header }
    : { type: "apiKey", in: "cookie", name: carrier.cookies[0] ?? "" };
}

/** What the API stands in front of and does not guard yet. */
function describePassing(passing: Passing | undefined): Readonly<Record<string, unknown>> {
  if (passing === undefined) return {};
  if (passing.kind === "shadow") return { shadow: { until: passing.until, reason: passing.reason } };
  return { notYet: passing.routes.map(({ route, reason, until }) => ({ route, reason, until })) };
}

function dangerously(
  where: string,
  described: Readonly<Record<string, unknown>>,
): readonly Readonly<Record<string, unknown>>[] {
  return Object.entries(described)
    .filter(([option]) => option.startsWith("dangerously"))
    .map(([option, reason]) => ({ where, option, reason }));
}
