import { compileSignedText, type SignedText } from "./signed-text.ts";
import { idAt, readBase64Signature, readHexSignature, readTimestamp } from "./read-signature.ts";
import type { HmacAlgorithm, ReadDelivery, SchemeProblem, TimedSchemeOptions, WebhookScheme } from "./scheme.ts";
import { defaultToleranceSeconds, toleranceProblems } from "./scheme.ts";
import { readSecrets } from "./secrets.ts";
import type { HeaderBlock } from "../lib/header-block.ts";
import { isToken } from "../lib/token.ts";

/** Options of {@link hmac}. */
export interface HmacOptions extends TimedSchemeOptions {
  /** Who sends: lower-case letters, digits and `-`; in messages, in the manifest and in the caller's subject. */
  readonly name: string;
  /** How the text of a secret becomes key bytes: its UTF-8 bytes (default), or what it decodes to. */
  readonly secretEncoding?: "text" | "base64" | "hex";
  /** Hash under the HMAC; default `sha256`. */
  readonly algorithm?: HmacAlgorithm;
  /** Where the signature stands: header, encoding, and what stands before it in the header's value (`sha256=`). */
  readonly signature: { readonly header: string; readonly encoding: "hex" | "base64"; readonly prefix?: string };
  /**
   * The signed text, with `{timestamp}`, `{id}` and, at its end, `{body}`: `{timestamp}.{body}`, `v0:{timestamp}:{body}`,
   * `{body}`. What is not in it proves nothing, so a time or an id that is read has to be.
   */
  readonly signed: `${string}{body}`;
  /** The header of the time of sending, and its unit; default seconds. It has to stand in `signed`. */
  readonly timestamp?: { readonly header: string; readonly unit?: "seconds" | "milliseconds" };
  /** Where the sender's id stands: a header (then in `signed` too), or a field at the top of the body. Default: none. */
  readonly id?: { readonly header: string } | { readonly field: string };
  /**
   * Why deliveries carry no signed time, where they carry none. A recorded delivery then runs again once the claim store
   * has forgotten it.
   */
  readonly dangerouslyWithoutTime?: string;
}

/**
 * Any other sender that signs with an HMAC, fully described.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`): a time or an id outside the signed
 * text, a signed text that could be cut in two ways, no time and no reason why.
 *
 * @see RFC 2104 (HMAC)
 */
export function hmac(options: HmacOptions): WebhookScheme {
  const { name, algorithm = "sha256", signature, timestamp, id, dangerouslyWithoutTime } = options;
  const toleranceSeconds = timestamp === undefined ? 0 : (options.toleranceSeconds ?? defaultToleranceSeconds);
  const secrets = readSecrets(options.secrets, {
    encoding: options.secretEncoding ?? "text",
    minBytes: 16,
    maxBytes: 512,
    source: "the secret shared with the sender: 32 random bytes",
  });
  const signed = compileSignedText(options.signed);
  const idHeader = id !== undefined && "header" in id ? id.header : undefined;
  const length = algorithm === "sha512" ? 64 : 32;
  const names = [signature.header, timestamp?.header, idHeader].flatMap((one) => one?.toLowerCase() ?? []);
  return Object.freeze({
    name,
    algorithm,
    headers: names,
    signsTime: timestamp !== undefined,
    toleranceSeconds,
    problems: () => [...secrets.problems, ...problemsOf(options, signed, toleranceSeconds)],
    describe: () => ({
      signed: options.signed,
      encoding: signature.encoding,
      ...(dangerouslyWithoutTime === undefined ? {} : { dangerouslyWithoutTime }),
    }),
    keys: secrets.keys,
    read: reader(options, signed, length),
    idIn: (body) => (id !== undefined && "field" in id ? idAt(body, id.field) : undefined),
  } satisfies WebhookScheme);
}

function reader(
  { signature, timestamp, id }: HmacOptions,
  signed: SignedText | SchemeProblem,
  length: number,
): (headers: HeaderBlock) => ReadDelivery | string {
  const { encoding, prefix = "" } = signature;
  const decode = encoding === "hex" ? readAnyHexSignature : readBase64Signature;
  const signatureName = signature.header.toLowerCase();
  const timestampName = timestamp?.header.toLowerCase();
  const idName = id !== undefined && "header" in id ? id.header.toLowerCase() : undefined;

  return function readHeaders(headers) {
    if ("problem" in signed) return signed.problem;
    const value = headers[signatureName];
    if (value === undefined) return "no signature header";
    if (!value.startsWith(prefix)) return "a signature without its prefix";
    const bytes = decode(value.slice(prefix.length), length);
    if (bytes === undefined) return "a signature that is none";
    const time = timestampName === undefined ? "" : headers[timestampName];
    const deliveryId = idName === undefined ? "" : headers[idName];
    if (time === undefined || deliveryId === undefined) return "a header is missing";
    const sentAtMs = timestamp === undefined ? undefined : readTimestamp(time, timestamp.unit);
    if (timestamp !== undefined && sentAtMs === undefined) return "a time that is none";
    if (idName !== undefined && !signed.takesId(deliveryId)) return "an id that is none";
    return {
      signedBeforeBody: signed.beforeBody(time, deliveryId),
      signatures: [bytes],
      sentAtMs,
      id: idName === undefined ? undefined : deliveryId,
    };
  };
}

/** Senders write one letter case or the other; both in one signature is nobody's. */
function readAnyHexSignature(text: string, bytes: number): Uint8Array | undefined {
  return readHexSignature(text === text.toUpperCase() ? text.toLowerCase() : text, bytes);
}

function problemsOf(
  options: HmacOptions,
  signed: SignedText | SchemeProblem,
  toleranceSeconds: number,
): readonly SchemeProblem[] {
  const { name, signature, timestamp, id, dangerouslyWithoutTime } = options;
  const found: SchemeProblem[] = [];
  const add = (field: string, problem: string, fix: string): void => void found.push({ field, problem, fix });
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(name)) add("name", "is no name", "use lower-case letters, digits and -");
  for (const [field, header] of [
    ["signature", signature.header],
    ["timestamp", timestamp?.header],
    ["id", id !== undefined && "header" in id ? id.header : undefined],
  ] as const) {
    if (header !== undefined && !isToken(header)) add(field, `${JSON.stringify(header)} is no header name`, "name one");
  }
  if ("problem" in signed) found.push(signed);
  else {
    if (timestamp !== undefined && !signed.hasTimestamp) {
      add("signed", "leaves the time out: anybody could write a new one", "put {timestamp} where the sender signs it");
    }
    if (timestamp === undefined && signed.hasTimestamp) {
      add("timestamp", "is not said, and signed names {timestamp}", "say which header it stands in");
    }
    const readsId = id !== undefined && "header" in id;
    if (readsId && !signed.hasId) {
      add(
        "signed",
        "leaves the id out: anybody could write a new one",
        "put {id} where the sender signs it, or drop id",
      );
    }
    if (!readsId && signed.hasId) add("id", "is not said, and signed names {id}", "say which header it stands in");
  }
  if (timestamp !== undefined) found.push(...toleranceProblems(toleranceSeconds));
  else if (dangerouslyWithoutTime === undefined || dangerouslyWithoutTime.trim() === "") {
    add(
      "timestamp",
      "is missing: a recorded delivery would count for ever",
      'say where the signed time stands, or dangerouslyWithoutTime: "why the sender signs none"',
    );
  }
  if (timestamp !== undefined && dangerouslyWithoutTime !== undefined) {
    add("dangerouslyWithoutTime", "is said beside a timestamp", "take it out");
  }
  return found;
}
