/**
 * Takes every secret the scan knows out of a text, so that evidence can be shown to anybody.
 */
export interface Redactor {
  /** Remembers a secret. Values shorter than 8 characters are not remembered: replacing them would garble the text. */
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

/** Makes a redactor that knows nothing yet. */
export function createRedactor(): Redactor {
  const known = new Map<string, string>();
  let order: readonly (readonly [string, string])[] = [];
  const redactor: Redactor = {
    add(secret, label) {
      if (secret.length < 8 || known.has(secret)) return;
      known.set(secret, label);
      // Longest first: a secret that contains another one is replaced whole.
      order = [...known].sort(([left], [right]) => right.length - left.length);
    },
    apply(text) {
      let out = text;
      for (const [secret, label] of order) out = out.replaceAll(secret, `<${label}>`);
      return out.replace(tokens, "<token>").replace(members, '$1<redacted>"');
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
