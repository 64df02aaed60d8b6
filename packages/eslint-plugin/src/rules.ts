import type { Rule } from "./rule.ts";
import { jwt } from "./rules/jwt.ts";

/** Every rule, by the protection it is about. */
export const rules: Record<string, Rule> = { jwt };
