import type { PasswordProblem } from "../accounts.ts";

/** What a person is told of a password or an address that is none. */
export const sayProblem = (problem: PasswordProblem | "no-address"): string => words[problem];

const words: Readonly<Record<PasswordProblem | "no-address", string>> = {
  "too-short": "That password is too short. Use at least 12 characters.",
  "too-long": "That password is too long. Use at most 128 characters.",
  breached: "That password is among the first that others try. Choose another one.",
  "is-address": "That password is little more than your address, which many know. Choose another one.",
  "of-service": "That password is little more than a name everybody knows here. Choose another one.",
  "no-address": "That is no address that mail can be sent to.",
};

/** A browser as its user would name it; what it says of itself otherwise is no help to anybody. */
export function sayBrowser(userAgent: string | undefined): string {
  const found = (names: readonly (readonly [string, RegExp])[]) =>
    names.find(([, pattern]) => pattern.test(userAgent ?? ""))?.[0];
  const browser = found(browsers) ?? "A browser";
  const system = found(systems);
  return system === undefined ? browser : `${browser} on ${system}`;
}

// Each also says that it is those below it.
const browsers = [
  ["Edge", /\bEdg/],
  ["Opera", /\bOPR\//],
  ["Firefox", /\bFirefox\/|\bFxiOS\//],
  ["Chrome", /Chrom(?:e|ium)\/|\bCriOS\//],
  ["Safari", /\bSafari\//],
] as const;
const systems = [
  ["Android", /\bAndroid\b/],
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMacintosh\b/],
  ["Linux", /\bLinux\b/],
] as const;
