import fc from "fast-check";
import { markup } from "portcullis";
import { parseFragment, type DefaultTreeAdapterTypes } from "parse5";
import { describe, expect, it } from "vitest";

const seed = 20_261_122;

/** What attackers write, and everything else. */
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        ..."<>\"'`=/&;#!-?:.\\ \t\n\r\f\0",
        "script",
        "<script>",
        "</textarea>",
        "</title>",
        "</p>",
        "-->",
        "]]>",
        " onload=alert(1) ",
        "&lt;",
        "&#60;",
        "javascript:",
        "\u2028",
        "\u00a0",
        "é",
      ),
      { maxLength: 12 },
    )
    .map((pieces) => pieces.join("")),
);

/** An element with its attributes and children, and no positions in the source. */
type Read = string | { readonly [name: string]: Readonly<Record<string, string>> | readonly Read[] };

function read(html: string): readonly Read[] {
  return merged(parseFragment(html).childNodes);
}

function merged(nodes: readonly DefaultTreeAdapterTypes.ChildNode[]): readonly Read[] {
  const out: Read[] = [];
  for (const node of nodes) {
    if ("value" in node) {
      const last = out.at(-1);
      if (typeof last === "string") out[out.length - 1] = last + node.value;
      else if (node.value !== "") out.push(node.value);
    } else if ("attrs" in node) {
      const attributes = Object.fromEntries(node.attrs.map(({ name, value }) => [name, value]));
      out.push({ [node.tagName]: attributes, children: merged(node.childNodes) });
    } else out.push({ [node.nodeName]: [] });
  }
  return out;
}

/** What a document can hold of a text: no NUL. */
const kept = (value: string): string => value.replaceAll("\0", "\uFFFD");
const texts = (value: string): readonly string[] => (value === "" ? [] : [kept(value)]);

describe("output: markup", () => {
  it("gives a browser back every text as it was, in content and in attributes, and nothing else", () => {
    fc.assert(
      fc.property(text, text, text, text, (a, b, c, d) => {
        const html = markup`<p class="x ${a}" title='${b}'>${c}</p><textarea name="t">.${d}</textarea>`.toString();
        expect(read(html)).toEqual([
          { p: { class: `x ${kept(a)}`, title: kept(b) }, children: texts(c) },
          { textarea: { name: "t" }, children: [`.${kept(d)}`] },
        ]);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("keeps the elements of a list and of nested markup, whatever their texts are", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), (items) => {
        const html =
          markup`<ul>${items.map((item) => markup`<li data-x="${item}"><b>${item}</b></li>`)}</ul>`.toString();
        const children = items.map((item) => ({
          li: { "data-x": kept(item) },
          children: [{ b: {}, children: texts(item) }],
        }));
        expect(read(html)).toEqual([{ ul: {}, children }]);
      }),
      { seed, numRuns: 500 },
    );
  });

  it("lets no value make an address run a script, however it is pieced together", () => {
    const piece = fc.oneof(
      text,
      fc.constantFrom(
        "java",
        "script",
        ":",
        "javascript:alert(1)",
        "data:",
        "JaVaScRiPt",
        "vb",
        "\tjava",
        "//",
        "x.y:",
      ),
    );
    fc.assert(
      fc.property(piece, piece, piece, (a, b, c) => {
        const html = markup`<a href="${a}${[b, c]}">x</a><a href="${a}/${b}">x</a>`.toString();
        for (const one of read(html)) {
          const attributes = typeof one === "string" ? undefined : one["a"];
          const href = attributes !== undefined && "href" in attributes ? attributes["href"] : undefined;
          if (typeof href !== "string") throw new Error("no link");
          const url = URL.canParse(href, "https://host.example") ? new URL(href, "https://host.example") : undefined;
          expect(["javascript:", "data:", "vbscript:", "blob:", "file:"]).not.toContain(url?.protocol);
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });

  const links: readonly (readonly [string, string])[] = [
    ["/account", "/account"],
    ["?page=2", "?page=2"],
    ["https://app.example/a:b", "https://app.example/a:b"],
    ["mailto:a@b.example", "mailto:a@b.example"],
    ["com.example.app:/callback", "com.example.app:/callback"],
    ["notes/a:b", "notes/a:b"],
    ["javascript:alert(1)", "about:invalid"],
    ["JAVASCRIPT:alert(1)", "about:invalid"],
    [" \u0001javascript:alert(1)", "about:invalid"],
    ["java\nscript:alert(1)", "about:invalid"],
    ["data:text/html,<script>", "about:invalid"],
    ["unknown:x", "about:invalid"],
    [":x", "about:invalid"],
  ];
  it.each(links)("writes the link %j as %j", (link, href) => {
    expect(read(markup`<a href="${link}">x</a>`.toString())).toEqual([{ a: { href }, children: ["x"] }]);
  });

  it("writes numbers, joins lists, and writes nothing for nothing", () => {
    expect(markup`<p>${1}${[2, ["<", undefined]]}${null}${false}</p>`.toString()).toBe("<p>12&#60;</p>");
  });

  const wrong: readonly (readonly [string, () => unknown])[] = [
    ["a value in a tag", () => markup`<p ${"x"}>`],
    ["a value as a tag's name", () => markup`<${"p"}>`],
    ["a value at the end of a tag's name", () => markup`<p${"x"}>`],
    ["a value as an attribute's name", () => markup`<p ${"x"}="y">`],
    ["a value without quotes", () => markup`<p title=${"x"}>`],
    ["a value in what only seems to be quotes", () => markup`<p title=a"${"x y=z"}">`],
    ["a quote that begins nothing", () => markup`<p "${"x"}">`],
    ["attributes without a blank between", () => markup`<p a="b"c="${"x"}">`],
    ["a value in a comment", () => markup`<!-- ${"x"} -->`],
    ["a value in a declaration", () => markup`<!x "> ${"x"}`],
    ["a value in an instruction", () => markup`<? "> ${"x"}`],
    ["a value in CDATA", () => markup`<svg><![CDATA[${"x"}]]></svg>`],
    ["a value in an end tag that is none", () => markup`</ "> ${"x"}`],
    ["a sign that is no tag", () => markup`<p>1 < ${2}</p>`],
    ["a script", () => markup`<script>${"x"}</script>`],
    ["a script in capitals", () => markup`<SCRIPT>1</SCRIPT>`],
    ["a style sheet", () => markup`<style>${"x"}</style>`],
    ["a frame", () => markup`<iframe src="${"x"}"></iframe>`],
    ["a frame without frames", () => markup`<noframes><p title="</noframes>${"x"}"></noframes>`],
    ["a template of a browser's", () => markup`<template>${"x"}</template>`],
    ["another base", () => markup`<base href="${"x"}">`],
    ["a page that goes on", () => markup`<meta http-equiv="refresh" content="0;url=${"x"}">`],
    ["an event", () => markup`<p onclick="f('${"x"}')">`],
    ["a style", () => markup`<p style="color: ${"x"}">`],
    ["a document in an attribute", () => markup`<p srcdoc="${"x"}">`],
    ["a script as the address", () => markup`<a href="javascript:f('${"x"}')">`],
    ["a tag in a text area", () => markup`<textarea><p title="</textarea>${"x"}"></textarea>`],
    ["a text area without an end", () => markup`<textarea>${"x"}`],
    ["a title whose end is another's", () => markup`<title>${"x"}</textarea>`],
    ["a tag without an end", () => markup`<p title="${"x"}"`],
    ["a quote without an end", () => markup`<p title="${"x"}>`],
    ["markup in an attribute", () => markup`<p title="${markup`<b title="${"onclick=f()"}">`}">`],
    ["markup in a list in an attribute", () => markup`<p title="${[markup`<b>x</b>`]}">`],
    ["markup in a text area", () => markup`<textarea>${markup`<b>x</b>`}</textarea>`],
    ["a broken escape", () => markup`<p>\u${"x"}</p>`],
    ["true", () => callUntyped(Object.assign(["", ""], { raw: ["", ""] }), true)],
    ["an object", () => callUntyped(Object.assign(["", ""], { raw: ["", ""] }), { toString: () => "<b>" })],
    ["a list of somebody's in place of a template", () => callUntyped(["<b>x</b>"])],
    ["a text in place of a template", () => callUntyped("<b>x</b>")],
  ];
  it.each(wrong)("throws rather than write %s, the second time too", (_what, write) => {
    expect(write).toThrow(TypeError);
    expect(write).toThrow(TypeError);
  });

  it("is markup alone: what only looks like it is refused or escaped", () => {
    const template = Object.assign(["", ""], { raw: ["", ""] });
    expect(() => callUntyped(template, JSON.parse('{"toString":"x","text":"<b>"}'))).toThrow(TypeError);
    expect(markup`${String(markup`<b>`)}`.toString()).toBe("&#60;b&#62;");
  });
});

function callUntyped(...given: readonly unknown[]): unknown {
  return Reflect.apply(markup, undefined, given);
}
