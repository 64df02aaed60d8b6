import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt, walk } from "./json.ts";

/** What a plain description says, besides `security`, that a caller has to have. */
export interface Demands {
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
}

/**
 * Every scope a plain description knows: of its OAuth flows, of its `security`, and those that a key may be created with.
 *
 * @param document  all references resolved
 */
export function scopeWords(document: JsonRecord): ReadonlySet<string> {
  const words = new Set<string>();
  const schemes = recordAt(recordAt(document, "components"), "securitySchemes") ?? {};
  for (const scheme of Object.values(schemes)) {
    for (const flow of Object.values(recordAt(scheme, "flows") ?? {}))
      for (const scope of Object.keys(recordAt(flow, "scopes") ?? {})) words.add(scope);
  }
  for (const item of Object.values(recordAt(document, "paths") ?? {})) {
    for (const described of isRecord(item) ? Object.values(item) : []) {
      for (const entry of listAt(described, "security"))
        for (const name of isRecord(entry) ? Object.keys(entry) : [])
          for (const scope of textsAt(entry, name)) words.add(scope);
      walk(recordAt(described, "requestBody"), (_path, name, value) => {
        if (!/^(?:scopes?|permissions?)$/i.test(name)) return;
        for (const scope of [...textsAt(value, "enum"), ...textsAt(recordAt(value, "items"), "enum")]) words.add(scope);
      });
    }
  }
  return words;
}

/**
 * What an operation demands beyond a caller, where its description says so in an extension (`x-roles`, `x-scopes`), or in
 * words: a known scope that its text names, a role that it says is needed. OpenAPI has no place for either where callers
 * are proved by plain tokens or keys, so people write it down there.
 *
 * @param described  the operation
 * @param words      the scopes known to the description, see {@link scopeWords}
 */
export function demandsOf(described: JsonRecord, words: ReadonlySet<string>): Demands {
  const said = [textAt(described, "summary"), textAt(described, "description")].filter((text) => text !== undefined);
  const text = said.join(". ");
  const tokens = new Set(text.split(/[^\w:./*-]+/).map((token) => token.replace(/[.:]+$/, "")));
  // A scope that is an ordinary word would be found in any text.
  const named = [...words].filter((word) => /[:._/-]/.test(word) && tokens.has(word));
  return {
    scopes: [...new Set([...extension(described, /^x-(?:required-)?(?:scopes?|permissions?)$/i), ...named])],
    roles: [...new Set([...extension(described, /^x-(?:required-|allowed-)?roles?$/i), ...rolesIn(text)])],
  };
}

function extension(described: JsonRecord, name: RegExp): readonly string[] {
  return Object.keys(described)
    .filter((key) => name.test(key))
    .flatMap((key) => [...textsAt(described, key), ...(textAt(described, key)?.split(/[\s,]+/) ?? [])])
    .filter((one) => one !== "");
}

/** People with more rights than others, as texts call them. */
const people = "(?:admin(?:istrator)?|super-?user|super-?admin|moderator|operator|manager|staff|support)";

/** How a text says who an operation is for. */
const saying: readonly RegExp[] = [
  /\broles?\b\s*(?:is|:|=)?\s*["'`]?([a-z][\w-]*)["'`]?(?:\s+(?:only|(?:is )?(?:required|needed|demanded)))/i,
  /\b(?:requires?|required|needs?|demands?)(?:\s+the|\s+an?)?\s+["'`]?([a-z][\w-]*)["'`]?\s+role\b/i,
  /\brequired\s+roles?\s*:?\s+["'`]?([a-z][\w-]*)/i,
  new RegExp(`\\b(${people})s?\\s+only\\b`, "i"),
  new RegExp(`\\bonly\\s+(?:for\\s+|by\\s+|an?\\s+|the\\s+)*(${people})s?\\b`, "i"),
  new RegExp(`\\b(?:requires?|restricted to|reserved for|limited to|needs?)\\s+(?:an?\\s+)?(${people})s?\\b`, "i"),
];

function rolesIn(text: string): readonly string[] {
  return text.split(/[.;!\n]+/).flatMap((sentence) => {
    if (/\b(?:no|not|without|any|every|never)\b|n't\b/i.test(sentence)) return [];
    const role = saying.map((pattern) => pattern.exec(sentence)?.[1]).find((found) => found !== undefined);
    if (role === undefined || /^(?:the|an?|of|is|this|that|which|are)$/i.test(role)) return [];
    return [role.toLowerCase().replace(/^administrator$/, "admin")];
  });
}
