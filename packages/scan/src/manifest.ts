import { readFile } from "node:fs/promises";
import SwaggerParser from "@apidevtools/swagger-parser";
import { isRecord, type JsonRecord, listAt, numberAt, parseJson, recordAt, textAt, textsAt } from "./json.ts";
import { readOperations } from "./operations.ts";
import { ScanError } from "./scan-error.ts";
import type { CredentialKind, Limit, Policy, ResourcePolicy, Target } from "./target.ts";
import { readUnguarded, unguardedNotes } from "./unguarded.ts";

/** A description of an API: the path of a JSON or YAML file, or the document itself. */
export type Description = string | JsonRecord;

/**
 * Reads what the prover attacks by: our manifest (OpenAPI 3.1 with `x-portcullis`) or a plain OpenAPI 3.x document.
 * References inside the document are followed; references to other hosts are not.
 *
 * @param description  file path or parsed document
 * @param wants        `manifest` demands `x-portcullis`; `openapi` reads the document without it
 * @throws ScanError when the file cannot be read, is no OpenAPI 3.x, or is a manifest of a format we do not know
 * @see docs/manifest.md
 */
export async function readTarget(description: Description, wants: Target["source"]): Promise<Target> {
  const source = typeof description === "string" ? description : "the document";
  const document = await dereferenced(description, source);
  const extension = recordAt(document, "x-portcullis");
  if (wants === "manifest") {
    if (extension === undefined) {
      throw new ScanError(
        `${source} has no x-portcullis: write it with "portcullis manifest", or pass it as --openapi`,
      );
    }
    const format = numberAt(extension, "format");
    if (format !== 1)
      throw new ScanError(`${source} is a manifest of format ${String(format)}; this prover reads format 1`);
  }
  const own = wants === "manifest" ? extension : undefined;
  const policy = readPolicy(own);
  const { operations, assumptions } = readOperations(document, wants);
  if (operations.length === 0) throw new ScanError(`${source} describes no operation`);
  const title = textAt(recordAt(document, "info"), "title") ?? "API";
  return {
    name: textAt(extension, "name") ?? title,
    source: wants,
    operations: operations.filter(({ access }) => access.kind !== "webhook"),
    webhooks: operations.filter(({ access }) => access.kind === "webhook"),
    policy,
    unguarded: readUnguarded(own),
    assumptions:
      wants === "manifest" ? [...unguardedNotes(own), ...assumptions] : [...openapiAssumptions, ...assumptions],
  };
}

const openapiAssumptions: readonly string[] = [
  "An OpenAPI document names no owners: an object belongs to the identity that created it, and to nobody else.",
  "It names no limits: requests are sent at 100 a second at most, and a missing limit is not called broken.",
  "An operation with `security` needs a caller; one with `security: []` or an empty requirement is public.",
  "Only an object schema with `additionalProperties: false` is taken as closed; an open one allows every field.",
];

/** An OpenAPI document as the parser types it. */
type ApiDocument = Awaited<ReturnType<typeof SwaggerParser.dereference>>;

async function dereferenced(description: Description, source: string): Promise<JsonRecord> {
  // The parser resolves in place, so it gets a copy of its own.
  const document = typeof description === "string" ? await readDocument(description) : structuredClone(description);
  if (!isRecord(document)) throw new ScanError(`${source} is not a JSON or YAML object`);
  if (!isApiDocument(document)) {
    const found = textAt(document, "swagger");
    const hint = found === undefined ? "" : ` (it says swagger ${found}; convert it to OpenAPI 3 first)`;
    throw new ScanError(`${source} is not an OpenAPI 3.x document with info and paths${hint}`);
  }
  try {
    const options = { resolve: { external: false }, dereference: { circular: "ignore" as const } };
    const resolved: unknown = await SwaggerParser.dereference(document, options);
    return isRecord(resolved) ? resolved : {};
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ScanError(`${source} could not be resolved: ${message}`, { cause });
  }
}

function isApiDocument(document: unknown): document is ApiDocument {
  const version = textAt(document, "openapi");
  return (
    version?.startsWith("3.") === true &&
    recordAt(document, "info") !== undefined &&
    recordAt(document, "paths") !== undefined
  );
}

async function readDocument(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const json = parseJson(text);
  if (json !== undefined) return json;
  try {
    const parsed: unknown = await SwaggerParser.parse(path, { resolve: { external: false } });
    return parsed;
  } catch (cause) {
    throw new ScanError(`${path} is neither JSON nor YAML: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function readPolicy(extension: JsonRecord | undefined): Policy {
  const limits = recordAt(extension, "limits");
  const transport = recordAt(extension, "transport");
  const json = recordAt(extension, "json");
  const maxDepth = numberAt(json, "maxDepth");
  const maxKeys = numberAt(json, "maxKeys");
  const proxies = recordAt(extension, "proxies");
  const credentials = extension?.["credentials"];
  const version = recordAt(extension, "version");
  const versionHeader = textAt(version, "header")?.toLowerCase();
  return {
    hosts: textsAt(extension, "hosts"),
    // A manifest without `origins` says: no origin at all. A plain description says nothing.
    origins: extension === undefined ? undefined : textsAt(extension, "origins"),
    transport: textMembers(transport, ["tls", "plainHttp", "hsts"]),
    proxies: { trusted: textsAt(proxies, "trusted"), header: textAt(proxies, "header") },
    credentials: Array.isArray(credentials) ? credentials.flatMap((entry) => readCredential(entry)) : [],
    version:
      versionHeader === undefined ? undefined : { header: versionHeader, default: textAt(version, "default") ?? "" },
    limits: limitMembers(limits, ["global", "address", "wideAddress", "caller", "tenant", "failures"]),
    bodyMaxBytes: numberAt(recordAt(extension, "body"), "maxBytes"),
    json: {
      ...(maxDepth === undefined ? {} : { maxDepth }),
      ...(maxKeys === undefined ? {} : { maxKeys }),
    },
    resources: readResources(recordAt(extension, "resources")),
    unknown: textsAt(extension, "unknown"),
  };
}

function textMembers<Key extends string>(source: JsonRecord | undefined, keys: readonly Key[]) {
  const out: Partial<Record<Key, string>> = {};
  for (const key of keys) {
    const value = textAt(source, key);
    if (value !== undefined) out[key] = value;
  }
  return out;
}

function limitMembers<Key extends string>(source: JsonRecord | undefined, keys: readonly Key[]) {
  const out: Partial<Record<Key, Limit>> = {};
  for (const key of keys) {
    const entry = recordAt(source, key);
    const limit = numberAt(entry, "limit");
    const windowMs = numberAt(entry, "windowMs");
    if (limit !== undefined && windowMs !== undefined && limit > 0 && windowMs > 0) out[key] = { limit, windowMs };
  }
  return out;
}

function readCredential(entry: unknown): readonly CredentialKind[] {
  const kind = textAt(entry, "kind");
  if (kind !== "jwt" && kind !== "api-keys" && kind !== "sessions") return [];
  return [
    {
      kind,
      name: textAt(entry, "name") ?? kind,
      scheme: textAt(entry, "scheme"),
      header: textAt(entry, "in") === "header" ? textAt(entry, "header") : undefined,
      cookies: textsAt(entry, "cookies"),
      prefix: textAt(entry, "prefix"),
      issuer: textAt(entry, "issuer"),
      audience: textsAt(entry, "audience"),
      algorithms: listAt(entry, "keys").flatMap((key) => textAt(key, "algorithm") ?? []),
      types: textsAt(entry, "typ"),
      maxAgeSeconds: numberAt(entry, "maxAgeSeconds"),
      revocationSeconds: numberAt(entry, "revocationSeconds"),
    },
  ];
}

function readResources(source: JsonRecord | undefined): Readonly<Record<string, ResourcePolicy>> {
  const out: Record<string, ResourcePolicy> = {};
  for (const [name, entry] of Object.entries(source ?? {})) {
    if (!isRecord(entry)) continue;
    out[name] = {
      owner: entry["owner"] === true,
      tenant: entry["tenant"] === true,
      grant: entry["grant"] === true,
      serverSet: textsAt(entry, "serverSet"),
      parent: textAt(entry, "parent"),
      shared: textAt(entry, "shared"),
    };
  }
  return out;
}
