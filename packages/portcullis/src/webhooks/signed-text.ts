import { isDeliveryId } from "./read-signature.ts";
import type { SchemeProblem } from "./scheme.ts";

/** What stands before the body in the text a sender signs. */
export interface SignedText {
  readonly hasTimestamp: boolean;
  readonly hasId: boolean;
  /** Whether this id can stand in it without making two readings of one text. */
  takesId(id: string): boolean;
  beforeBody(timestamp: string, id: string): string;
}

/**
 * Reads `{id}.{timestamp}.{body}` and the like, and refuses what could be cut into its parts in two ways: an attacker
 * would move the cut. An id ends at the character behind it, a time at the first that is no digit; the body stands last.
 */
export function compileSignedText(template: string): SignedText | SchemeProblem {
  const parts = template.split(/(\{[^{}]*\})/).filter((part) => part !== "");
  const problem = whyNot(parts);
  if (problem !== undefined) return problem;
  const before = parts.slice(0, -1);
  const idAt = before.indexOf("{id}");
  const idEnd = before[idAt + 1]?.charAt(0) ?? "";
  return {
    hasTimestamp: before.includes("{timestamp}"),
    hasId: idAt !== -1,
    takesId: (id) => isDeliveryId(id, idEnd),
    beforeBody(timestamp, id) {
      let text = "";
      for (const part of before) text += part === "{timestamp}" ? timestamp : part === "{id}" ? id : part;
      return text;
    },
  };
}

function whyNot(parts: readonly string[]): SchemeProblem | undefined {
  const not = (problem: string, fix: string): SchemeProblem => ({ field: "signed", problem, fix });
  if (parts.at(-1) !== "{body}") return not("does not end with the body", "write such as {timestamp}.{body}");
  for (const [at, part] of parts.entries()) {
    const isName = part === "{timestamp}" || part === "{id}" || part === "{body}";
    if (!isName && (/[{}]/.test(part) || !/^[\x20-\x7e]+$/.test(part))) {
      return not(`${JSON.stringify(part)} cannot stand in it`, "use {timestamp}, {id}, {body} and ASCII between them");
    }
    if (isName && parts.indexOf(part) !== at) return not(`names ${part} twice`, "name each once");
    const next = parts[at + 1] ?? "";
    if (part === "{id}" && next.startsWith("{")) {
      return not("puts nothing behind {id}", "a sender that signs so cannot be told apart; leave the id out");
    }
    // A body is a JSON object or list, so it begins with no digit.
    const endsTime = next === "{body}" || /^[^{0-9]/.test(next);
    if (part === "{timestamp}" && !endsTime) return not("does not say where {timestamp} ends", "put a separator there");
  }
  return undefined;
}
