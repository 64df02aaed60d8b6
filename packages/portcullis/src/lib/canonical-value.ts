/**
 * Reads a number that has exactly one spelling: the one JavaScript would write it in, without an exponent.
 *
 * Path and query values are text; a schema that wants a number gets one only from "12", "-3" or "1.5", never from "012",
 * "+1", "1e3", "0x1", " 1", "1.0", "-0" or an integer beyond 2^53-1, which could not be told from its neighbours.
 *
 * @returns the number, or undefined when the text is not its canonical spelling
 */
export function canonicalNumber(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  // Writing it back refuses what a double cannot hold, and "-0", which would come back as "0".
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER && String(value) === text ? value : undefined;
}

/**
 * Reads "true" and "false", and nothing else: not "1", "TRUE", "yes" or "".
 *
 * @returns the boolean, or undefined
 */
export function canonicalBoolean(text: string): boolean | undefined {
  if (text === "true") return true;
  return text === "false" ? false : undefined;
}

// Longest canonical decimal of a double below 2^53 is under 30 characters; the bound keeps Number() cheap.
const DECIMAL = /^-?[0-9]{1,16}(?:\.[0-9]{1,20})?$/;
