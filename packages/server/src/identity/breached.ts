import { createHash } from "node:crypto";
import { commonPasswords } from "./common-passwords.ts";

/** Whether a password is known to those who guess. Throwing means that it could not be told. */
export type IsBreached = (password: string) => boolean | Promise<boolean>;

/**
 * Whether a password is among the 49,000 commonest, or one of them in disguise: other capitals, a few digits and signs
 * around it, said several times; or one run of characters (`abcdefghijkl`). Nothing is asked of any other kind: long
 * phrases pass, with or without digits.
 *
 * @see OWASP ASVS 5.0 6.2.4 and 6.2.5, NIST SP 800-63B section 3.1.1.2
 */
export function isCommon(password: string): boolean {
  const plain = password.normalize("NFKC").toLowerCase().trim();
  const core = plain.replaceAll(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
  const isMostlyCore = core.length * 2 >= plain.length;
  const tried = new Set([plain, unitOf(plain), ...(isMostlyCore ? [core, unitOf(core)] : [])]);
  for (const one of tried) if (commonPasswords().has(one) || isRun(one)) return true;
  return unitOf(plain).length <= 4 && unitOf(plain) !== plain;
}

/**
 * Asks a service that is told the first five of 40 hexadecimal digits of the password's SHA-1 and answers with all it
 * knows that begin so, one `SUFFIX:COUNT` a line; it learns neither the password nor its hash (k-anonymity). Our own list
 * is looked at first.
 *
 *     isBreached: breachedByRange(async (prefix) => (await fetch(`https://api.pwnedpasswords.com/range/${prefix}`)).text())
 *
 * @param range  gets the prefix in capitals; rejecting means that no password can be set until it answers
 */
export function breachedByRange(range: (prefix: string) => Promise<string>): IsBreached {
  return async (password) => {
    if (isCommon(password)) return true;
    // SHA-1 is what these services speak; it protects nothing here.
    const hash = createHash("sha1").update(password).digest("hex").toUpperCase();
    const suffix = hash.slice(5);
    const answer = await range(hash.slice(0, 5));
    const lines = answer.split(/\r?\n/).filter((line) => line !== "");
    if (!lines.every((line) => /^[0-9A-F]{35}:\d+$/i.test(line))) {
      throw new Error("the range service answered with something else than SUFFIX:COUNT lines");
    }
    // Padding lines have a count of 0.
    return lines.some((line) => line.toUpperCase().startsWith(`${suffix}:`) && !line.endsWith(":0"));
  };
}

/** What a text says again and again, or the text. */
function unitOf(text: string): string {
  const period = `${text}${text}`.indexOf(text, 1);
  return period > 0 ? text.slice(0, period) : text;
}

/** Each character follows the one before: up, down, or the same. */
function isRun(text: string): boolean {
  const codes = Array.from(text, (one) => one.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, index) => code - (codes[index] ?? 0));
  // After 9 comes 0.
  const same = (step: number) => steps.every((one) => one === step || (step !== 0 && one === -9 * step));
  return codes.length >= 6 && [0, 1, -1].some(same);
}
