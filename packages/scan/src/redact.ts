/**
 * Takes every secret the scan knows out of a text, so that evidence can be shown to anybody.
 */
export interface Redactor {
  /** Remembers a secret. Values shorter than 8 characters are not remembered: replacing them would garble the text. */
  add(secret: string, label: string): void;
  /** The text with secrets and everything shaped like a token replaced. */
  apply(text: string): string;
}

/** Makes a redactor that knows nothing yet. */
export function createRedactor(): Redactor {
  const known = new Map<string, string>();
  let order: readonly (readonly [string, string])[] = [];
  return {
    add(secret, label) {
      if (secret.length < 8 || known.has(secret)) return;
      known.set(secret, label);
      // Longest first: a secret that contains another one is replaced whole.
      order = [...known].sort(([left], [right]) => right.length - left.length);
    },
    apply(text) {
      let out = text;
      for (const [secret, label] of order) out = out.replaceAll(secret, `<${label}>`);
      return out.replace(/\beyJ[\w-]{6,}\.[\w-]*(?:\.[\w-]*)?/g, "<token>");
    },
  };
}
