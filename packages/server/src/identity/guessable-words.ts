import { isCommon } from "./breached.ts";

/** Fewer characters say nothing: `io`, `my`. */
const shortest = 3;
/** Letters and digits that a password has besides such words. @see OWASP ASVS 5.0 6.2.1 */
const leastBesides = 8;

/**
 * Words that whoever guesses passwords at a service tries first: of its name, of its address, and those it names itself.
 *
 * @see OWASP ASVS 5.0 6.1.2
 */
export function wordsOfService(serviceName: string, issuer: string, own: readonly string[] = []): readonly string[] {
  return [serviceName, new URL(issuer).hostname, ...own].flatMap(wordsIn);
}

/** Words of a text, as they are compared. */
export function wordsIn(text: string): readonly string[] {
  return plain(text)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length >= shortest);
}

/**
 * Whether a password is little more than such words: in whichever capitals, accents and figures for letters (`P0rtcullis`),
 * forwards or backwards. They count for nothing: what is left has to have eight letters and digits and be no common
 * password.
 *
 * @param words  as `wordsIn` gives them
 * @see OWASP ASVS 5.0 6.2.11
 */
export function leansOn(password: string, words: readonly string[]): boolean {
  const text = plain(password);
  const looks = lookalike(text);
  const isTaken = Array.from({ length: text.length }, () => false);
  for (const word of words.flatMap((one) => [one, Array.from(one).reverse().join("")])) {
    const sought = lookalike(word);
    for (let at = looks.indexOf(sought); at !== -1; at = looks.indexOf(sought, at + 1)) {
      isTaken.fill(true, at, at + sought.length);
    }
  }
  if (!isTaken.includes(true)) return false;
  const rest = text.split("").filter((_unit, index) => isTaken[index] === false);
  const counts = rest.join("").replaceAll(/[^\p{L}\p{N}]/gu, "");
  return Array.from(counts).length < leastBesides || isCommon(counts);
}

/** Without accents and capitals. */
function plain(text: string): string {
  return text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
}

/** Figures and signs as the letters they stand for; as long as the text. */
function lookalike(text: string): string {
  return text.replaceAll(/[013457$@!|l]/g, (sign) => letters[sign] ?? sign);
}

const letters: Readonly<Record<string, string>> = {
  0: "o",
  1: "i",
  3: "e",
  4: "a",
  5: "s",
  7: "t",
  $: "s",
  "@": "a",
  "!": "i",
  "|": "i",
  l: "i",
};
