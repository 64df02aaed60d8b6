import type { Exchange } from "./exchange.ts";
import { forgeryLine } from "./forgery-line.ts";
import type { ScanResult } from "./scan.ts";
import { type Piece, shellWord, variableName } from "./shell.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Shell lines that send the attack of a verdict again and read what it changed. Credentials are variables (`$ALICE` is the
 * credential of the identity alice); ids are those of the scan, which deleted its objects, and a comment says so.
 *
 * @returns lines for a POSIX-like shell with curl; only a comment where no request was kept as evidence
 */
export function commandOf(
  verdict: Pick<Verdict, "protection" | "check" | "operation" | "evidence">,
  result: Pick<ScanResult, "target" | "identities">,
): string {
  const attack = verdict.evidence.findLast((exchange) => exchange.leg === "attack") ?? verdict.evidence.at(-1);
  if (attack === undefined) return `# no request was kept; again: portcullis scan … --only ${verdict.protection}`;
  const placeholder = placeholdersOf(result.identities);
  const reread = verdict.evidence.findLast((exchange) => exchange.leg === "reread");
  const positive = verdict.evidence.find((exchange) => exchange.leg === "positive");
  const lines = notesOn(verdict, attack);
  if (verdict.protection === "jwt" && attack.leg === "attack") {
    const from = result.identities.find((name) => positive?.as === name) ?? result.identities[0] ?? "alice";
    lines.push(forgeryLine(verdict.check, variableName(from)));
  }
  for (const exchange of attack === reread || reread === undefined ? [attack] : [attack, reread]) {
    const forged = verdict.protection === "jwt" && exchange.leg === "attack";
    const write = (text: string) => piecesOf(text, placeholder, forged);
    const isElsewhere = verdict.protection !== "canonical-request" && verdict.protection !== "host";
    lines.push(curlLine(exchange, originOf(verdict, result.target.url), isElsewhere, write, positive));
  }
  return lines.join("\n");
}

/** Where a request goes: plain http is asked for by its scheme. */
function originOf({ protection, check }: Pick<Verdict, "protection" | "check">, url: string): string {
  return protection === "transport" && check === "plain-http" ? url.replace(/^https:/, "http:") : url;
}

function notesOn(verdict: Pick<Verdict, "protection" | "operation">, attack: Exchange): string[] {
  const notes: string[] = [];
  if (/[:{]/.test(verdict.operation ?? "") && !isMadeUp(attack))
    notes.push("# the ids are those of the scan, which deleted its objects: put in one of your own");
  if (verdict.protection === "canonical-request" || verdict.protection === "host")
    notes.push("# curl tidies some requests; the bytes that were sent stand in the evidence");
  if (verdict.protection === "rate-limit") notes.push("# one of many: repeat it until the declared limit is passed");
  return notes;
}

function isMadeUp(attack: Exchange): boolean {
  return attack.request.target === "/";
}

/** Identities and the words evidence puts in place of secrets, as they stand in a text. */
function placeholdersOf(identities: readonly string[]): RegExp {
  const names = [
    ...identities,
    "token",
    "credential",
    "cookie",
    "code",
    "verifier",
    "refresh token",
    "client secret",
    "redacted",
    "password",
    "jwt-key",
  ];
  const quoted = names.map((name) => name.replaceAll(/[^\w]/g, "\\$&"));
  return new RegExp(`<(${quoted.join("|")}|secret of [^<>]{1,200})>`, "g");
}

function piecesOf(text: string, placeholder: RegExp, forged: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(placeholder)) {
    pieces.push(text.slice(at, match.index));
    const name = match[1] ?? "";
    const variable = name === "token" && forged ? "FORGED" : name.startsWith("secret of ") ? "WEBHOOK_SECRET" : name;
    pieces.push({ variable: variableName(variable) });
    at = match.index + match[0].length;
  }
  return [...pieces, text.slice(at)];
}

function curlLine(
  { request }: Exchange,
  origin: string,
  isElsewhere: boolean,
  write: (text: string) => readonly Piece[],
  positive: Exchange | undefined,
): string {
  const words = ["curl", "-i"];
  if (origin.startsWith("https:")) words.push('${CA:+--cacert "$CA"}');
  const path = request.target.replaceAll(/<[^<>]*>/g, "");
  const isOdd = !/^\/[\w\-./~%:@!$&'()*+,;=?]*$/.test(path) || /\/\.|\/\//.test(path);
  if (isOdd) words.push("--path-as-is", "--globoff");
  if (request.method === "HEAD") words.push("--head");
  else if (request.method !== "GET" || request.body !== undefined) words.push("-X", shellWord([request.method]));
  const body = request.body === undefined ? undefined : bodyOf(request.body, write, positive);
  for (const [name, value] of request.headers) {
    // curl counts the body itself.
    if (name.toLowerCase() === "content-length" && body !== undefined) continue;
    words.push("-H", shellWord(value === "" ? [`${name};`] : [`${name}: `, ...write(value)]));
  }
  if (body !== undefined) words.push(body.option, body.word);
  // A target that names another host is said to the API under test; whoever pastes this must not send a credential there.
  if (request.target.startsWith("/")) words.push(shellWord(write(`${origin}${request.target}`)));
  // Tables beside the API are asked at their own address.
  else if (/^https?:/.test(request.target) && isElsewhere) words.push(shellWord(write(request.target)));
  else words.push("--request-target", shellWord(write(request.target)), shellWord([origin]));
  return `${body?.before ?? ""}${words.join(" ")}`;
}

/**
 * The body as a word, or a pipe that makes it where evidence keeps only its beginning. After `--data-binary` a word that
 * begins with `@` is the name of a file: a description may ask for such a body, and whoever pastes this must not send one.
 */
function bodyOf(
  body: string,
  write: (text: string) => readonly Piece[],
  positive: Exchange | undefined,
): { readonly before: string; readonly option: string; readonly word: string } {
  const cut = /^([\s\S]*)… \((\d+) characters\)$/.exec(body);
  const option = body.startsWith("@") ? "--data-raw" : "--data-binary";
  if (cut === null) return { before: "", option, word: shellWord(write(body)) };
  const [, shown = "", length = "0"] = cut;
  const honest = positive?.request.body ?? "{}";
  if (/^\{\s+$/.test(shown) && honest.startsWith("{")) {
    const rest = shellWord(write(honest.slice(1)));
    return {
      before: `{ printf '{'; head -c ${length} /dev/zero | tr '\\0' ' '; printf %s ${rest}; } | `,
      option,
      word: "@-",
    };
  }
  return {
    before: `# the body has ${length} characters; the evidence keeps the first ${shown.length}\n`,
    option,
    word: shellWord(write(shown)),
  };
}
