/**
 * The same text as the one string everybody else has of it, so that comparing it later reads no memory of either.
 *
 * For words that come in with every caller and are few: scopes and roles. The first thousand are kept, up to 64
 * characters each; others come back as they are, so that nobody who invents names can make this grow.
 */
export function intern(text: string): string {
  const known = words.get(text);
  if (known !== undefined) return known;
  if (words.size < 1_000 && text.length <= 64) words.set(text, text);
  return text;
}

const words = new Map<string, string>();
