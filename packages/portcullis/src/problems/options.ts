import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { ListenOptions } from "../listen.ts";
import type { ApiConfig } from "../api-config.ts";
import type { Add } from "./add.ts";
import type { Written } from "./shapes.ts";
import { isObject, isTexts, shown } from "./shapes.ts";

/** Options of `createApi` that are not what their type says; nothing else can be looked at before they are. */
export function optionShapeProblems(config: ApiConfig): readonly Problem[] {
  const options: Written = { ...config };
  const { found, add } = collect("createApi");
  if (typeof options["name"] !== "string") add("name", "is missing", "name the service");
  if (!isTexts(options["hosts"])) {
    add("hosts", "is no list of names", 'list the names clients use: hosts: ["api.example.com"]');
  }
  const { credentials } = options;
  if (!Array.isArray(credentials)) {
    add("credentials", "is no list", "list what proves a caller: credentials: [jwt({ … })]");
  } else if (!credentials.every(isCredential)) {
    add("credentials", "holds something that proves nobody", "list what jwt, apiKeys and session return");
  }
  if (options["origins"] !== undefined && !isTexts(options["origins"])) {
    add("origins", "is no list of origins", 'write origins: ["https://app.example.com"]');
  }
  for (const name of ["limits", "body", "problem", "cursors", "audit"]) {
    if (options[name] !== undefined && !isObject(options[name])) {
      add(name, `${shown(options[name])} holds no options`, `write ${name}: { … }`);
    }
  }
  for (const path of functions) {
    const value = at(options, path);
    if (value !== undefined && typeof value !== "function")
      add(path, `${shown(value)} is no function`, "give a function");
  }
  for (const [name, values] of Object.entries(choices)) {
    const value = options[name];
    if (value !== undefined && !values.some((one) => one === value)) {
      add(name, `is ${shown(value)}`, `say ${values.map((one) => `"${one}"`).join(", ")}`);
    }
  }
  const sinks = at(options, "audit.sinks");
  if (sinks !== undefined && !Array.isArray(sinks)) {
    add("audit.sinks", "is no list", "leave it out for standard output, or list sinks");
  } else if (Array.isArray(sinks) && !sinks.every(isSink)) {
    add("audit.sinks", "holds something that writes nothing", "list what has write(batch), such as fileSink(path)");
  }
  proxyShape(options["proxies"], add);
  for (const path of ["cursors.secret", "audit.accountKey"]) {
    const value = at(options, path);
    if (value !== undefined && typeof value !== "string" && !(value instanceof Uint8Array)) {
      add(path, "is no text and no bytes", "use 32 random bytes or more");
    }
  }
  versionProblems(options["version"], add);
  return found;
}

/** Who stands in front, as far as it is written with networks; a platform's name is looked at where platforms are known. */
function proxyShape(proxies: unknown, add: Add): void {
  if (proxies === undefined || typeof proxies === "string") return;
  const fix = 'write proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" }, or the name of a platform';
  if (!isObject(proxies)) {
    add("proxies", `${shown(proxies)} names nobody`, fix);
    return;
  }
  if (!isTexts(proxies["trusted"])) add("proxies.trusted", `${shown(proxies["trusted"])} is no list of networks`, fix);
  if (typeof proxies["header"] !== "string") add("proxies.header", `${shown(proxies["header"])} is no header`, fix);
  const { forwardedHost } = proxies;
  // Read as JavaScript reads it, "no" would mean yes.
  if (forwardedHost !== undefined && typeof forwardedHost !== "boolean") {
    add("proxies.forwardedHost", `is ${shown(forwardedHost)}`, "say true or false");
  }
}

/** A version that nobody reads leaves every route reachable under every one. */
function versionProblems(version: unknown, add: Add): void {
  if (version === undefined || version === "path") return;
  const fix = 'say "path", { header: "api-version", default: "1" } or { none: "reason" }';
  if (!isObject(version)) {
    add("version", `${shown(version)} is no place of a version`, fix);
    return;
  }
  const isNone = "none" in version;
  for (const key of unknownKeys(version, isNone ? ["none"] : ["header", "default"])) {
    add(`version.${key}`, "is nothing it has", fix);
  }
  if (isNone) {
    if (isBlank(version["none"])) add("version.none", "has no reason", "say why this API has no versions");
    return;
  }
  const { header } = version;
  if (typeof header !== "string" || !/^[A-Za-z0-9-]+$/.test(header)) {
    add("version.header", `${shown(header)} is no header`, 'name it: header: "api-version"');
  }
  if (isBlank(version["default"])) {
    add("version.default", "does not say what requests without a version mean", 'write default: "1"');
  }
}

/** Options of `listen` that nobody reads, or that are not what their type says. */
export function listenProblems(listen: ListenOptions): readonly Problem[] {
  const { found, add } = collect("listen");
  if (!isObject(listen)) {
    add("options", `${shown(listen)} holds no options`, "write api.listen({ port: 8443, tls })");
    return found;
  }
  const options: Written = { ...listen };
  for (const key of unknownKeys(options, listenKeys))
    add(key, "is no option", `the options are ${listenKeys.join(", ")}`);
  if (typeof options["port"] !== "number")
    add("port", `is ${shown(options["port"])}`, "write a number, 0 for any free port");
  for (const name of ["host", "healthHost"]) {
    const value = options[name];
    if (value !== undefined && isBlank(value)) add(name, `is ${shown(value)}`, 'name an address: "127.0.0.1"');
  }
  const { tls, handleSignals } = options;
  // Whatever else a certificate carries, such as the path of its file, may stand beside the two.
  if (tls !== undefined && !(isObject(tls) && typeof tls["cert"] === "string" && typeof tls["key"] === "string")) {
    add("tls", "has no certificate and key", "give both in PEM: tls: { cert, key }");
  }
  if (handleSignals !== undefined && typeof handleSignals !== "boolean") {
    add("handleSignals", `is ${shown(handleSignals)}`, "say true or false");
  }
  return found;
}

/** Every one, or it does not compile: an option that is left out here would be refused. */
const listenKeys = Object.keys({
  port: true,
  host: true,
  tls: true,
  minTls: true,
  healthPort: true,
  healthHost: true,
  headersTimeoutMs: true,
  sendTimeoutMs: true,
  drainTimeoutMs: true,
  maxConnections: true,
  maxConnectionsPerAddress: true,
  handleSignals: true,
} satisfies Readonly<Record<keyof ListenOptions, true>>);

const choices = {
  rateLimitHeaders: ["draft", "legacy", "both", "none"],
  minTls: ["1.3", "1.2"],
} as const;

const functions = [
  "roles",
  "randomBytes",
  "fetch",
  "problem.members",
  "audit.onError",
  "audit.onEvent",
  "limits.limiter",
];

function isSink(value: unknown): boolean {
  return isObject(value) && typeof value["write"] === "function";
}

function isCredential(value: unknown): boolean {
  return isObject(value) && typeof value["build"] === "function" && typeof value["problems"] === "function";
}

/** An option by its path; one level deep. */
function at(options: Written, path: string): unknown {
  const [first = "", second] = path.split(".");
  const value = options[first];
  if (second === undefined) return value;
  return isObject(value) ? value[second] : undefined;
}

function collect(where: string): { readonly found: Problem[]; readonly add: Add } {
  const found: Problem[] = [];
  return { found, add: (field, text, fix) => found.push({ where, field, problem: text, fix }) };
}
