import { type Description, type Fetch, readDocument } from "./documents.ts";
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt, textsAt } from "./json.ts";
import { readOperations } from "./operations.ts";
import { ScanError } from "./scan-error.ts";
import { readSchemes } from "./schemes.ts";
import type { CredentialKind, Limit, Policy, ResourcePolicy, Target } from "./target.ts";
import { readUnguarded, unguardedNotes } from "./unguarded.ts";

/** How a description is read. */
export interface Reading {
  /** How to get what lies at an address; without it only files and documents are read. */
  readonly fetch?: Fetch;
  /** Path that all operations of a plain description lie below, in place of what its first server says. */
  readonly prefix?: string;
}

/**
 * Reads what the prover attacks by: our manifest (OpenAPI 3.1 with `x-portcullis`), or a plain OpenAPI 3.x or Swagger 2.0
 * document. References inside the document and to files beside it are followed; references to other hosts are not.
 *
 * @param description  file path, address on the target, or parsed document
 * @param wants        `manifest` demands `x-portcullis`; `openapi` reads the document without it
 * @throws ScanError when it cannot be read, is no description, or is a manifest of a format we do not know
 * @see docs/manifest.md
 */
export async function readTarget(
  description: Description,
  wants: "manifest" | "openapi",
  reading: Reading = {},
): Promise<Target> {
  const { document, source, notes } = await readDocument(description, reading.fetch);
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
  const target = targetOf(document, wants, reading.prefix);
  if (target.operations.length + target.webhooks.length === 0) throw new ScanError(`${source} describes no operation`);
  return { ...target, assumptions: [...target.assumptions, ...notes] };
}

/**
 * What the prover works with, from a document whose references are resolved.
 *
 * @param source  where the document comes from; `manifest` also reads its `x-portcullis`
 * @param prefix  as in {@link Reading}
 */
export function targetOf(document: JsonRecord, source: Target["source"], prefix?: string): Target {
  const own = source === "manifest" ? recordAt(document, "x-portcullis") : undefined;
  const { operations, assumptions } = readOperations(document, source, prefix);
  const title = textAt(recordAt(document, "info"), "title") ?? "API";
  return {
    name: textAt(own, "name") ?? title,
    source,
    operations: operations.filter(({ access }) => access.kind !== "webhook"),
    webhooks: operations.filter(({ access }) => access.kind === "webhook"),
    policy: readPolicy(own),
    schemes: readSchemes(document),
    unguarded: readUnguarded(own),
    untouched: [],
    seenOrigins: serverOrigins(document),
    assumptions: [...(source === "manifest" ? unguardedNotes(own) : assumed[source]), ...assumptions],
  };
}

/** Where its servers are said to be; parts in braces are nobody's. */
function serverOrigins(document: JsonRecord): readonly string[] {
  const urls = listAt(document, "servers").flatMap((server) => textAt(server, "url") ?? []);
  return [
    ...new Set(
      urls.flatMap((url) => (/^https?:\/\/[^{}]+$/i.test(url) && URL.canParse(url) ? [new URL(url).origin] : [])),
    ),
  ];
}

const inAnyCase: readonly string[] = [
  "An object belongs to the identity that created it, and to nobody else: nothing names owners here.",
  "Nothing names limits: 100 requests a second are sent as one caller, 250 to this machine, and fewer where it says 429.",
];

const assumed: Readonly<Record<Exclude<Target["source"], "manifest">, readonly string[]>> = {
  openapi: [
    ...inAnyCase,
    "An operation with `security` needs a caller; one with `security: []` or an empty requirement is public.",
    "Only an object schema with `additionalProperties: false` is taken as closed; an open one allows every field.",
  ],
  requests: [
    ...inAnyCase,
    "Operations, parameters and bodies are inferred from recorded requests: what was not recorded is not attacked.",
  ],
  discovered: [
    ...inAnyCase,
    "Nothing describes the API: operations are what its own answers link to and allow, and there may be others.",
  ],
};

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
