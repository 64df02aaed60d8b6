import type { PasswordProblem } from "../accounts.ts";

/** What a person is told of a password or an address that is none. */
export const sayProblem = (problem: PasswordProblem | "no-address"): string => words[problem];

const words: Readonly<Record<PasswordProblem | "no-address", string>> = {
  "too-short": "That password is too short. Use at least 12 characters.",
  "too-long": "That password is too long. Use at most 128 characters.",
  breached: "That password is among the first that others try. Choose another one.",
  "is-address": "Your address is known to many. Choose another password.",
  "no-address": "That is no address that mail can be sent to.",
};
