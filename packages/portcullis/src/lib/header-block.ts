import { inheritNothing } from "./inherit-nothing.ts";
import { isToken } from "./token.ts";
import { Unreadable } from "./unreadable.ts";

/**
 * Header values by lower-case name. It inherits nothing, so a look-up finds what was sent and nothing else. Values may
 * hold bytes beyond ASCII as Latin-1 characters (RFC 9110 section 5.5 calls them opaque), never control characters.
 */
export type HeaderBlock = Readonly<Record<string, string>>;

export interface HeaderOptions {
  /** Largest accepted block, 1 .. 2^31-1 bytes, counted as HTTP/1.1 would write it; default 16_384 (16 KiB). */
  readonly maxBytes?: number;
  /** Most header lines, 1 .. 10_000; default 100. */
  readonly maxHeaders?: number;
  /**
   * Further names that must not be sent twice or under an alias: every header the application reads a credential,
   * a signature or a client address from. Any letter case.
   */
  readonly single?: readonly string[];
}

/** Why a header block has no single reading. The first three are a 431, the rest a 400. */
export type HeaderProblem =
  | "header-block-too-large"
  | "header-too-many"
  | "header-name-too-long"
  | "header-unpaired"
  | "header-name-malformed"
  | "header-name-alias"
  | "header-duplicate"
  | "header-control-character"
  | "header-not-latin1"
  | "header-length-and-encoding"
  | "header-length-malformed"
  | "header-encoding-malformed";

/**
 * Prepares a reader of header blocks; do this once, when the API starts.
 *
 * The reader turns lines as they came over the wire into one value per name, or refuses. It refuses what intermediaries
 * and frameworks are known to read differently: a repeated header that has one value, names that become a header we read
 * once "_" or "." is taken for "-" (as CGI-style servers do), line folding and control characters, Content-Length beside
 * Transfer-Encoding, a Transfer-Encoding other than exactly `chunked`, a length that is not plain digits. Cookie lines,
 * which HTTP/2 may split, are joined with "; "; X-Forwarded-For, Forwarded and headers of no special meaning with ", ".
 *
 * @see RFC 9110 sections 5.2 to 5.6, RFC 9112 sections 5 and 6.3, RFC 9113 section 8.2.3 (cookie)
 */
export function headerReader(options: HeaderOptions = {}): HeaderReader {
  const maxBytes = options.maxBytes ?? 16_384;
  const maxHeaders = options.maxHeaders ?? 100;
  const fields = new Map<string, Field>();
  const guarded = new Set<string>();
  for (const name of SINGLE) addField(fields, guarded, { name, join: undefined });
  for (const name of options.single ?? []) addField(fields, guarded, { name: name.toLowerCase(), join: undefined });
  for (const name of LISTS) addField(fields, guarded, { name, join: ", " });
  addField(fields, guarded, { name: "cookie", join: "; " });
  for (const name of ORDINARY) addField(fields, undefined, { name, join: ", " });
  const known = fields.size;

  return function readHeaderBlock(flatPairs) {
    const length = flatPairs.length;
    if (length > maxHeaders * 2) return new Unreadable("header-too-many");
    const block = new Block();
    let bytes = 0;

    for (let at = 0; at < length; at += 2) {
      const spelling = flatPairs[at];
      let value = flatPairs[at + 1];
      if (spelling === undefined || value === undefined) return new Unreadable("header-unpaired");
      bytes += spelling.length + value.length + 4; // ": " and CRLF
      if (bytes > maxBytes) return new Unreadable("header-block-too-large");

      const field = fields.get(spelling) ?? learn(spelling);
      if (field instanceof Unreadable) return field;
      if (NOT_PLAIN.test(value)) {
        if (CONTROL.test(value)) return new Unreadable("header-control-character", field.name);
        if (NOT_LATIN1.test(value)) return new Unreadable("header-not-latin1", field.name);
      }
      if (value.charCodeAt(0) === SPACE || value.charCodeAt(value.length - 1) === SPACE) value = trim(value);

      const before = block[field.name];
      if (before === undefined) block[field.name] = value;
      else if (field.join === undefined) return new Unreadable("header-duplicate", field.name);
      else block[field.name] = before + field.join + value;
    }

    const problem = framingProblem(block);
    return problem === undefined ? block : new Unreadable(problem);
  };

  /** Reads a spelling that is not in the table, and remembers it: the same clients keep sending the same names. */
  function learn(spelling: string): Field | Unreadable<HeaderProblem> {
    if (spelling.length > 256) return new Unreadable("header-name-too-long");
    if (!isToken(spelling)) return new Unreadable("header-name-malformed");
    const name = spelling.toLowerCase();
    const field = fields.get(name) ?? { name, join: ", " };
    if (UNUSUAL.test(name)) {
      const aliasOf = name.replace(UNUSUAL_ALL, "-");
      if (guarded.has(aliasOf) && !guarded.has(name)) return new Unreadable("header-name-alias", aliasOf);
    }
    // Whoever sends many names cannot make this grow; at worst the next new name is read again each time.
    if (fields.size < known + 512 && spelling.length <= 64) fields.set(spelling, field);
    return field;
  }
}

/**
 * Reads one header block.
 *
 * @param flatPairs  name, value, name, value, as received and in that order; pseudo headers of HTTP/2 taken out
 */
export type HeaderReader = (flatPairs: readonly string[]) => HeaderBlock | Unreadable<HeaderProblem>;

interface Field {
  /** Lower case, and the one string all blocks share as key. */
  readonly name: string;
  /** What stands between repeated values; undefined when the header must not be repeated. */
  readonly join: string | undefined;
}

function addField(fields: Map<string, Field>, guarded: Set<string> | undefined, field: Field): void {
  fields.set(field.name, field);
  fields.set(
    field.name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()),
    field,
  );
  guarded?.add(field.name);
}

function framingProblem(block: HeaderBlock): HeaderProblem | undefined {
  const length = block["content-length"];
  const encoding = block["transfer-encoding"];
  if (encoding !== undefined) {
    if (length !== undefined) return "header-length-and-encoding";
    if (encoding !== "chunked") return "header-encoding-malformed";
  }
  if (length !== undefined && !CONTENT_LENGTH.test(length)) return "header-length-malformed";
  return undefined;
}

/** Takes spaces from both ends: they surround a value and are no part of it (RFC 9110 section 5.5). */
function trim(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && value.charCodeAt(start) === SPACE) start++;
  while (end > start && value.charCodeAt(end - 1) === SPACE) end--;
  return value.slice(start, end);
}

class Block {
  [name: string]: string;
}
inheritNothing(Block);

const SPACE = 0x20;

// One negated class each: a single pass over the value. The first is the cheapest and settles nearly every value.
const NOT_PLAIN = /[^\x20-\x7e]/;
const CONTROL = /[\u0000-\u001f\u007f]/;
const NOT_LATIN1 = /[^\u0000-\u00ff]/;
const UNUSUAL = /[^-a-z0-9]/;
const UNUSUAL_ALL = /[^-a-z0-9]/g;
const CONTENT_LENGTH = /^(?:0|[1-9][0-9]{0,14})$/;

/** Headers with one value that this library, or the one who trusts it, reads a decision from. */
const SINGLE: readonly string[] = [
  "access-control-request-headers",
  "access-control-request-method",
  "authorization",
  "cf-connecting-ip",
  "client-ip",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "do-connecting-ip",
  "dpop",
  "expect",
  "fastly-client-ip",
  "fly-client-ip",
  "host",
  "http2-settings",
  "idempotency-key",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "max-forwards",
  "origin",
  "proxy-authorization",
  "range",
  "referer",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-fetch-storage-access",
  "sec-fetch-user",
  "transfer-encoding",
  "true-client-ip",
  "user-agent",
  "x-api-key",
  "x-azure-clientip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-csrf-token",
  "x-envoy-external-address",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
  "x-forwarded-scheme",
  "x-forwarded-ssl",
  "x-http-method-override",
  "x-nf-client-connection-ip",
  "x-original-forwarded-for",
  "x-original-host",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
  "x-vercel-forwarded-for",
];

/** Headers that are lists on the wire, and are guarded against aliases all the same. */
const LISTS: readonly string[] = ["connection", "forwarded", "x-forwarded-for"];

/** Headers nearly every client sends: in the table only so that their names cost one look-up. */
const ORDINARY: readonly string[] = [
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "dnt",
  "from",
  "keep-alive",
  "link",
  "pragma",
  "prefer",
  "priority",
  "save-data",
  "sec-ch-ua",
  "sec-ch-ua-mobile",
  "sec-ch-ua-platform",
  "sec-gpc",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "upgrade",
  "upgrade-insecure-requests",
  "via",
  "x-amzn-trace-id",
  "x-correlation-id",
  "x-request-id",
  "x-requested-with",
];
