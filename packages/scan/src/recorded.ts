import { readFile } from "node:fs/promises";
import { isRecord, type JsonRecord, listAt, numberAt, parseJson, recordAt, textAt } from "./json.ts";
import { ScanError } from "./scan-error.ts";

/** A request somebody or something sent, from which operations are inferred. Credentials are not kept. */
export interface Recorded {
  /** Upper case. */
  readonly method: string;
  /** Path without the query; parameters may stand in braces. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Body as JSON, or the fields of a form; undefined where there was none or none that can be read. */
  readonly body: unknown;
  readonly mediaType: string | undefined;
  /** The browser origin it came from, where one was recorded. */
  readonly origin?: string | undefined;
  /** What was answered, where that is known. */
  readonly status: number | undefined;
  readonly answer: unknown;
}

/** What a file of requests holds. */
export interface Recording {
  readonly requests: readonly Recorded[];
  /** What was left out, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads recorded requests: a HAR, as browsers and proxies save it, or a plain list with one `METHOD path [json]` a line.
 *
 * @param path  of the file
 * @param url   the target; of a HAR that shows several hosts, only its requests count
 * @throws ScanError when it cannot be read, is neither, or shows no request to the API
 */
export async function readRecording(path: string, url: URL): Promise<Recording> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const json = parseJson(text.replace(/^\uFEFF/, ""));
  const recording = json === undefined ? readList(text, path) : readHar(json, path, url);
  if (recording.requests.length === 0) throw new ScanError(`${path} shows no request to an API`);
  return recording;
}

/** One request as a line writes it: a method, a path or an address, and for some a JSON body. */
function readList(text: string, source: string): Recording {
  const requests = text.split(/\r?\n/).flatMap((line, index) => {
    const plain = line.trim();
    if (plain === "" || plain.startsWith("#")) return [];
    const [, method, target, rest = ""] = /^([A-Za-z]+)\s+(\S+)(?:\s+(.*))?$/.exec(plain) ?? [];
    const at = target === undefined ? undefined : targetOf(target);
    if (method === undefined || at === undefined || !/^(?:GET|HEAD|POST|PUT|PATCH|DELETE)$/i.test(method)) {
      throw new ScanError(`line ${index + 1} of ${source} is no request: write METHOD /path, and a JSON body after it`);
    }
    const body = rest === "" ? undefined : parseJson(rest);
    if (rest !== "" && body === undefined)
      throw new ScanError(`line ${index + 1} of ${source}: what stands after the path is not JSON`);
    const mediaType = rest === "" ? undefined : "application/json";
    return [{ method: method.toUpperCase(), ...at, body, mediaType, status: undefined, answer: undefined }];
  });
  return { requests, notes: [] };
}

function readHar(json: unknown, source: string, url: URL): Recording {
  const entries = listAt(recordAt(json, "log"), "entries").filter(isRecord);
  if (entries.length === 0)
    throw new ScanError(`${source} is JSON and no HAR with log.entries; a plain list has METHOD /path on each line`);
  const api = entries.filter(isApiCall);
  const hosts = new Map<string, JsonRecord[]>();
  for (const entry of api) {
    const host = hostOf(entry);
    if (host !== undefined) hosts.set(host, [...(hosts.get(host) ?? []), entry]);
  }
  const busiest = [...hosts].sort((left, right) => right[1].length - left[1].length)[0]?.[0];
  const host = hosts.has(url.host) ? url.host : busiest;
  const others = [...hosts.keys()].filter((other) => other !== host);
  return {
    requests: (host === undefined ? [] : (hosts.get(host) ?? [])).flatMap((entry) => readEntry(entry)),
    notes: [
      ...(host === undefined || host === url.host
        ? []
        : [`The recording shows requests to ${host}; they are sent to ${url.host}, and nothing is sent to ${host}.`]),
      ...(others.length === 0 ? [] : [`Recorded requests to ${others.join(", ")} were left out.`]),
    ],
  };
}

/** Pages, pictures and scripts are no operations; nor are a browser's questions before a request. */
function isApiCall(entry: JsonRecord): boolean {
  const method = textAt(recordAt(entry, "request"), "method")?.toUpperCase();
  const type = textAt(recordAt(recordAt(entry, "response"), "content"), "mimeType") ?? "";
  if (method === undefined || !/^(?:GET|HEAD|POST|PUT|PATCH|DELETE)$/.test(method)) return false;
  return (
    method !== "GET" ||
    !/^(?:text\/(?:html|css|javascript)|image|font|video|audio|application\/(?:javascript|wasm|font))/i.test(type)
  );
}

function hostOf(entry: JsonRecord): string | undefined {
  const url = textAt(recordAt(entry, "request"), "url") ?? "";
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function readEntry(entry: JsonRecord): readonly Recorded[] {
  const request = recordAt(entry, "request");
  const at = targetOf(textAt(request, "url") ?? "");
  const method = textAt(request, "method")?.toUpperCase();
  if (at === undefined || method === undefined) return [];
  const posted = recordAt(request, "postData");
  const mediaType = textAt(posted, "mimeType")?.split(";")[0]?.trim().toLowerCase();
  const response = recordAt(entry, "response");
  const status = numberAt(response, "status");
  const content = recordAt(response, "content");
  const text = textAt(content, "text") ?? "";
  const plain = textAt(content, "encoding") === "base64" ? Buffer.from(text, "base64").toString("utf8") : text;
  return [
    {
      method,
      path: at.path,
      query: Object.fromEntries(Object.entries(at.query).filter(([name]) => !secretName.test(name))),
      body: withoutSecrets(bodyOf(posted, mediaType)),
      mediaType: posted === undefined ? undefined : mediaType,
      origin: originOf(request),
      status: status === 0 ? undefined : status,
      answer: parseJson(plain),
    },
  ];
}

/** Parameters and members that hold the credential of whoever was recorded. */
const secretName =
  /^(?:[\w-]*(?:token|secret|password|passwd|passphrase|api_?key|signature)|authorization|jwt|pass|sid|session_?id)$/i;

/** A body with something made up where it held a secret, so that what was recorded of somebody is not sent or shown. */
function withoutSecrets(body: unknown, depth = 0): unknown {
  if (depth > 24) return body;
  if (Array.isArray(body)) return body.map((entry) => withoutSecrets(entry, depth + 1));
  if (!isRecord(body)) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      typeof value === "string" && value !== "" && secretName.test(name)
        ? "Pc-recorded-9aZ!"
        : withoutSecrets(value, depth + 1),
    ]),
  );
}

/** What a browser said of where the request came from; `null` names nobody. */
function originOf(request: JsonRecord | undefined): string | undefined {
  const header = listAt(request, "headers").find((entry) => textAt(entry, "name")?.toLowerCase() === "origin");
  const value = textAt(header, "value") ?? "";
  return /^https?:\/\//i.test(value) && URL.canParse(value) ? new URL(value).origin : undefined;
}

function bodyOf(posted: JsonRecord | undefined, mediaType: string | undefined): unknown {
  const text = textAt(posted, "text") ?? "";
  if (mediaType !== "application/x-www-form-urlencoded") return parseJson(text);
  const fields = listAt(posted, "params").flatMap((field) => {
    const name = textAt(field, "name");
    return name === undefined ? [] : [[name, textAt(field, "value") ?? ""] as const];
  });
  return Object.fromEntries(fields.length > 0 ? fields : new URLSearchParams(text));
}

function targetOf(text: string): Pick<Recorded, "path" | "query"> | undefined {
  const base = "http://localhost";
  const isWhole = /^https?:\/\//i.test(text);
  if (!(isWhole ? URL.canParse(text) : text.startsWith("/") && URL.canParse(text, base))) return undefined;
  const url = isWhole ? new URL(text) : new URL(text, base);
  // The URL parser encodes braces, which here name parameters.
  const path = url.pathname.replaceAll("%7B", "{").replaceAll("%7D", "}");
  return { path, query: Object.fromEntries(url.searchParams) };
}
