/**
 * Takes every secret the scan knows out of a text, so that evidence can be shown to anybody.
 */
export interface Redactor {
  /**
   * Remembers a secret, and how URLs, forms, JSON, base64 and hexadecimal digits write it. Values shorter than 8 characters
   * are replaced only as the value of a member or field that is a secret by its name: elsewhere that would garble the text.
   */
  add(secret: string, label: string): void;
  /** The text with secrets and everything shaped like one replaced. */
  apply(text: string): string;
  /** The value of a header, with credentials in it replaced whatever they look like. */
  applyTo(header: string, value: string): string;
}

/** A JSON Web Token, or two of its parts. */
const tokens = /\beyJ[\w-]{6,}\.[\w-]*(?:\.[\w-]*)?/g;

/** A JSON member whose name says that its value is a secret: what a sign-in or a new key answers, what a form sends. */
const members =
  /("(?:[\w-]*(?:token|secret|password|passwd|passphrase|api_?key|password_?hash)|key|jwt|otp)"\s*:\s*")(?:[^"\\<]|\\.){8,}"/gi;

/** The same in a query or a form: `access_token=…`. */
const fields = /\b((?:[\w-]{0,60}(?:token|secret|password|passwd|passphrase|api_?key)|jwt)=)[^&\s"'<>;#\\]{8,}/gi;

/** A member or a field that holds a secret by its name, and whose value is too short to be looked for everywhere. */
const shortMembers = /("[\w-]{0,60}(?:pass|secret|token|key|pin|otp)[\w-]{0,60}"\s{0,9}:\s{0,9}")([^"\\]{1,7})"/gi;
const shortFields =
  /(\b[\w-]{0,60}(?:pass|secret|token|key|pin|otp)[\w-]{0,60}=)([^&\s"'<>;#\\]{1,7})(?=[&\s"'<;#\\]|$)/gi;

/** What is shorter is not looked for: it would be found in words. */
const shortest = 8;

/** Texts up to this length, in characters, are cleaned once, and so many of them are kept. */
const repeated = { length: 300, most: 2000 };

/** Makes a redactor that knows nothing yet. */
export function createRedactor(): Redactor {
  const known = new Set<string>();
  const short = new Map<string, string>();
  /** What became of short texts since the last secret was learned: headers say the same again and again. */
  const done = new Map<string, string>();
  /** What is looked for, by how it begins, the longest first: a secret that contains another one is replaced whole. */
  const byStart = new Map<string, (readonly [written: string, label: string])[]>();

  function withoutKnown(text: string): string {
    if (byStart.size === 0) return text;
    const parts: string[] = [];
    let from = 0;
    for (let at = 0; at + shortest <= text.length; at += 1) {
      const found = byStart.get(text.slice(at, at + shortest))?.find(([written]) => text.startsWith(written, at));
      if (found === undefined) continue;
      parts.push(text.slice(from, at), `<${found[1]}>`);
      from = at + found[0].length;
      at = from - 1;
    }
    return parts.join("") + text.slice(from);
  }

  function withoutShort(text: string): string {
    if (short.size === 0) return text;
    const replaced = (whole: string, before: string, value: string) => {
      const label = short.get(value);
      return label === undefined ? whole : `${before}<${label}>${whole.endsWith('"') ? '"' : ""}`;
    };
    return text.replace(shortMembers, replaced).replace(shortFields, replaced);
  }

  const redactor: Redactor = {
    add(secret, label) {
      if (secret === "" || known.has(secret)) return;
      known.add(secret);
      done.clear();
      if (secret.length < shortest) short.set(secret, label);
      for (const written of writtenWays(secret)) {
        const start = written.slice(0, shortest);
        const others = byStart.get(start) ?? [];
        if (others.some(([other]) => other === written)) continue;
        byStart.set(
          start,
          [...others, [written, label] as const].sort(([left], [right]) => right.length - left.length),
        );
      }
    },
    apply(text) {
      const before = done.get(text);
      if (before !== undefined) return before;
      const clean = withoutShort(withoutKnown(text))
        .replace(tokens, "<token>")
        .replace(members, '$1<redacted>"')
        .replace(fields, "$1<redacted>");
      if (text.length <= repeated.length && done.size < repeated.most) done.set(text, clean);
      return clean;
    },
    applyTo(header, value) {
      const clean = redactor.apply(value);
      if (header === "authorization") return clean.replace(/^(\S+ +)?[^<\s]{8,}$/, "$1<credential>");
      if (header === "cookie") return clean.replace(/=[^<;\s]{8,}/g, "=<cookie>");
      return header === "set-cookie" ? clean.replace(/^([^=;]+)=[^<;]{8,}/, "$1=<cookie>") : clean;
    },
  };
  return redactor;
}

/** A secret as it is, and as URLs, forms, JSON, pages, base64 and hexadecimal digits write it, where that is long enough. */
function writtenWays(secret: string): readonly string[] {
  const plain = secret.toWellFormed();
  const bytes = Buffer.from(plain, "utf8");
  const ways = [
    secret,
    encodeURIComponent(plain),
    encodeURIComponent(plain).replaceAll(/%[0-9A-F]{2}/g, (part) => part.toLowerCase()),
    new URLSearchParams({ s: plain }).toString().slice(2),
    JSON.stringify(plain).slice(1, -1),
    JSON.stringify(plain).slice(1, -1).replaceAll("/", "\\/"),
    plain.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
    bytes.toString("hex"),
    // In a longer text that is encoded, what a secret becomes depends on where it begins, in one of three ways.
    ...[0, 1, 2].flatMap((before) => {
      const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64url");
      const whole = text.slice([0, 2, 3][before]);
      const sure = (before + bytes.length) % 3 === 0 ? whole : whole.slice(0, -1);
      return [sure, sure.replaceAll("-", "+").replaceAll("_", "/")];
    }),
  ];
  return [...new Set(ways)].filter((way) => way.length >= shortest && (way === secret || secret.length >= 6));
}
