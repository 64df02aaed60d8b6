import { readFile } from "node:fs/promises";
import SwaggerParser from "@apidevtools/swagger-parser";
import { load } from "js-yaml";
import { markBranches } from "./discriminator.ts";
import { isRecord, type JsonRecord, parseJson, recordAt, textAt } from "./json.ts";
import { referenceFiles } from "./reference-files.ts";
import { ScanError } from "./scan-error.ts";
import { toOpenapi3 } from "./swagger.ts";

/** A description of an API: the path of a JSON or YAML file, its address on the target, or the document itself. */
export type Description = string | JsonRecord;

/** Fetches a document from an address the scan may contact; rejects with `ScanError` for any other. */
export type Fetch = (url: URL) => Promise<string>;

/** A description that was read. */
export interface ReadDocument {
  /** OpenAPI 3.x with all references resolved; what refers to itself is a circle. */
  readonly document: JsonRecord;
  /** What to call it in a message. */
  readonly source: string;
  /** What was left out, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads OpenAPI 3.x or Swagger 2.0, in JSON or YAML, and follows its references: inside the document, and to JSON and YAML
 * files beside a file. Swagger 2.0 comes out as OpenAPI 3.
 *
 * @param description  file path, http(s) address or parsed document
 * @param fetch        how to get what lies at an address; without it no address is read
 * @throws ScanError that says in one sentence what is wrong with it
 */
export async function readDocument(description: Description, fetch?: Fetch): Promise<ReadDocument> {
  const source = typeof description === "string" ? description : "the document";
  // The parser resolves in place, so it gets a copy of its own.
  const document = typeof description === "string" ? await parsed(description, fetch) : structuredClone(description);
  if (!isRecord(document)) throw new ScanError(`${source} is not a JSON or YAML object`);
  if (!isApiDocument(document)) throw new ScanError(`${source} ${whyNot(document)}`);
  markBranches(document);
  const notes: string[] = [];
  try {
    const base = typeof description === "string" ? description : undefined;
    const options = optionsFor(base, fetch, notes);
    const resolved: unknown =
      base === undefined
        ? await SwaggerParser.dereference(document, options)
        : await SwaggerParser.dereference(base, document, options);
    return { document: isRecord(resolved) ? toOpenapi3(resolved) : {}, source, notes };
  } catch (cause) {
    if (cause instanceof ScanError) throw cause;
    throw new ScanError(`${source} could not be resolved: ${reasonOf(cause)}`, { cause });
  }
}

/**
 * What a text says as JSON or YAML.
 *
 * @param source  what to call it in a message
 * @throws ScanError where it is neither
 */
export function parseText(text: string, source: string): unknown {
  const plain = text.replace(/^\uFEFF/, "");
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(plain)) {
    throw new ScanError(
      `${source} is a page, not a description: pass the address of the document itself, such as /openapi.json`,
    );
  }
  const json = parseJson(plain);
  if (json !== undefined) return json;
  try {
    // A description needs few aliases; a document made of them would fill the memory when it is walked.
    const value: unknown = load(plain, { maxAliases: 100, maxDepth: 200 });
    return value;
  } catch (cause) {
    throw new ScanError(`${source} is neither JSON nor YAML: ${reasonOf(cause)}`, { cause });
  }
}

/** True for a text that is an address rather than the path of a file. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** An OpenAPI document as the parser types it. */
type ApiDocument = Awaited<ReturnType<typeof SwaggerParser.dereference>>;

function isApiDocument(document: unknown): document is ApiDocument {
  const version = textAt(document, "openapi") ?? textAt(document, "swagger");
  return (
    (version?.startsWith("3.") === true || version === "2.0") &&
    recordAt(document, "info") !== undefined &&
    recordAt(document, "paths") !== undefined
  );
}

function whyNot(document: JsonRecord): string {
  const version = textAt(document, "openapi") ?? textAt(document, "swagger") ?? textAt(document, "swaggerVersion");
  const found = version === undefined ? "it names no version" : `it says ${version}`;
  const missing = ["info", "paths"].filter((name) => recordAt(document, name) === undefined);
  const lacks = missing.length === 0 ? "" : `, and has no ${missing.join(" and no ")}`;
  return `is not an OpenAPI 3.x document with info and paths, nor Swagger 2.0 (${found}${lacks})`;
}

async function parsed(description: string, fetch: Fetch | undefined): Promise<unknown> {
  if (!isAddress(description)) return parseText(await fileText(description), description);
  if (fetch === undefined) throw new ScanError(`${description} is an address, and here only a file can be read`);
  if (!URL.canParse(description)) throw new ScanError(`${description} is no address`);
  return parseText(await fetch(new URL(description)), description);
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/**
 * Where references may lead: files of the same project, addresses an address may name. A document that was handed over stands
 * nowhere and leads nowhere.
 */
function optionsFor(base: string | undefined, fetch: Fetch | undefined, notes: string[]) {
  const remote = base !== undefined && isAddress(base);
  const mayRead = base === undefined || remote ? () => false : referenceFiles(base);
  return {
    resolve: {
      external: base !== undefined,
      http: false,
      file: base === undefined || remote ? false : { canRead: ({ url }: { url: string }) => mayRead(url) },
      address: {
        order: 1,
        canRead: (file: { url: string }) => isAddress(file.url),
        async read(file: { url: string }): Promise<string> {
          if (remote && fetch !== undefined && new URL(file.url).origin === new URL(base).origin) {
            return await fetch(new URL(file.url));
          }
          notes.push(`What the description refers to at ${file.url} was left out: the scan contacts nobody else.`);
          return "{}";
        },
      },
      outside: {
        order: 2,
        canRead: (file: { url: string }) => !isAddress(file.url) && !mayRead(file.url),
        read(file: { url: string }): string {
          notes.push(
            `What the description refers to at ${file.url} was left out: it is no JSON or YAML file beside it.`,
          );
          return "{}";
        },
      },
    },
    parse: { text: false, binary: false },
    // What refers to itself becomes a circle, which whoever walks a schema counts his steps in.
    dereference: { circular: true as const },
  };
}

function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split("\n")[0] ?? text;
}
