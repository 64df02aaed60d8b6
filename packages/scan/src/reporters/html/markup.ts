import { visible } from "../text.ts";

/** HTML that was made by `html` and by nothing else. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text is escaped, markup and lists of it are not. */
export type Part = string | number | Markup | undefined | readonly (string | number | Markup | undefined)[];

/**
 * A template that escapes every value, so that nothing a target said is ever read as HTML. Values stand between tags or in
 * quoted attributes; nowhere else.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  let text = strings[0] ?? "";
  for (const [index, part] of parts.entries()) text += rendered(part) + (strings[index + 1] ?? "");
  return new Markup(text);
}

/** A text as it may stand between tags and in quoted attributes; what would fool a reader is made visible. */
export function escaped(text: string): string {
  return visible(text, "\n\t")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

function rendered(part: Part): string {
  if (part === undefined) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(rendered).join("");
  return escaped(String(part));
}
