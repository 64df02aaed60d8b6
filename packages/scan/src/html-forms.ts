/** A form of a page, as far as somebody needs it who fills it in. */
export interface Form {
  /** Where it is sent, as written; "" is the page itself. */
  readonly action: string;
  /** Upper case. */
  readonly method: string;
  readonly fields: readonly Field[];
  readonly buttons: readonly Button[];
}

/** Something of a form that has a name. */
export interface Field {
  readonly name: string;
  /** Lower case: `text`, `password`, `hidden`, `checkbox`, …; `select` and `textarea` are those elements. */
  readonly type: string;
  readonly value: string;
  readonly checked: boolean;
}

/** What sends a form. */
export interface Button {
  readonly name: string;
  readonly value: string;
  /** What stands on it. */
  readonly label: string;
}

/**
 * The forms of a page. It reads what servers write for people to sign in; it is no HTML parser, and nothing it reads is
 * ever shown as HTML.
 */
export function formsIn(html: string): readonly Form[] {
  const text = html.replace(/<!--[\s\S]*?-->|<script\b[\s\S]*?<\/script>/gi, "");
  return [...text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, attributes = "", inside = ""]) => {
    const of = attributesOf(attributes);
    const id = of.get("id");
    return {
      action: of.get("action") ?? "",
      method: (of.get("method") ?? "get").toUpperCase(),
      fields: fieldsIn(inside),
      // A button may stand anywhere on the page and name its form.
      buttons: [...buttonsIn(inside), ...(id === undefined ? [] : buttonsIn(text, id))],
    };
  });
}

const pressing = new Set(["submit", "image", "button", "reset"]);

function fieldsIn(html: string): readonly Field[] {
  const fields: Field[] = [];
  for (const [, attributes = ""] of html.matchAll(/<input\b([^>]*)>/gi)) {
    const of = attributesOf(attributes);
    const type = (of.get("type") ?? "text").toLowerCase();
    const name = of.get("name");
    if (name === undefined || pressing.has(type)) continue;
    const value = of.get("value") ?? (type === "checkbox" || type === "radio" ? "on" : "");
    fields.push({ name, type, value, checked: of.has("checked") });
  }
  for (const [, attributes = "", inside = ""] of html.matchAll(/<select\b([^>]*)>([\s\S]*?)<\/select>/gi)) {
    const name = attributesOf(attributes).get("name");
    const options = [...inside.matchAll(/<option\b([^>]*)>/gi)].map(([, option = ""]) => attributesOf(option));
    const chosen = options.find((option) => option.has("selected")) ?? options[0];
    if (name !== undefined) fields.push({ name, type: "select", value: chosen?.get("value") ?? "", checked: false });
  }
  for (const [, attributes = "", inside = ""] of html.matchAll(/<textarea\b([^>]*)>([\s\S]*?)<\/textarea>/gi)) {
    const name = attributesOf(attributes).get("name");
    if (name !== undefined) fields.push({ name, type: "textarea", value: unescaped(inside), checked: false });
  }
  return fields;
}

function buttonsIn(html: string, form?: string): readonly Button[] {
  const buttons: Button[] = [];
  for (const [, attributes = "", inside = ""] of html.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)) {
    const of = attributesOf(attributes);
    if ((of.get("type") ?? "submit").toLowerCase() !== "submit" || of.get("form") !== form) continue;
    const label = unescaped(inside.replace(/<[^>]*>/g, " ")).trim();
    buttons.push({ name: of.get("name") ?? "", value: of.get("value") ?? "", label });
  }
  for (const [, attributes = ""] of html.matchAll(/<input\b([^>]*)>/gi)) {
    const of = attributesOf(attributes);
    if (!/^(?:submit|image)$/i.test(of.get("type") ?? "") || of.get("form") !== form) continue;
    const value = of.get("value") ?? "";
    buttons.push({ name: of.get("name") ?? "", value, label: value });
  }
  return buttons;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  const pattern = /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g;
  for (const [, name = "", double, single, bare] of text.matchAll(pattern)) {
    out.set(name.toLowerCase(), unescaped(double ?? single ?? bare ?? ""));
  }
  return out;
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

function unescaped(text: string): string {
  return text.replace(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (typeof name === "string") return named[name.toLowerCase()] ?? whole;
    const code = typeof hex === "string" ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
