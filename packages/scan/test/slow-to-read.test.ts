import { describe, expect, it } from "vitest";
import { answerOf } from "../src/answer.ts";
import { exchangeOf } from "../src/exchange.ts";
import { formsIn, refreshesIn } from "../src/html-forms.ts";
import { tellsOf } from "../src/machinery.ts";
import { contentOf, resembles, signatureOf, volatilePaths } from "../src/oracle.ts";
import { createRedactor } from "../src/redact.ts";

const size = 512 * 1024;

/** Long enough to be read for ever if every place is read to the end, of the same few characters. */
const full = (part: string) => part.repeat(Math.floor(size / part.length));

/** What a reader that looks at a place more than once needs hours for. */
const texts: Readonly<Record<string, string>> = {
  "dashes between letters": full("-a"),
  "dashes in a message": JSON.stringify({ message: full("-a").slice(100) }),
  "lines without an end": full("\n"),
  "frames that are none": full("\n at a"),
  "statements that are none": full("select "),
  "paths that are none": full("/home/"),
  "comments that do not end": full("<!--"),
  "scripts that do not end": full("<script "),
  "forms that do not end": full("<form>"),
  "tags that do not end": full("<form "),
  "refreshes that do not end": full("<meta "),
  "a refresh with much in it": `<meta http-equiv="refresh" content="${full("url = ")}">`,
  "inputs that do not end": `<form>${full("<input ")}</form>`,
  "a long list": `[${full("1,")}1]`,
  "many empty lists": `{${Array.from({ length: 40_000 }, (_, index) => `"a${index}":[]`).join(",")}}`,
  "tokens that are none": full("-eyJaaaaaa"),
};

describe("an answer made to be slow to read", () => {
  it.each(Object.entries(texts))("is read like any other: %s", (_name, text) => {
    const answer = answerOf({ status: 200, rawHeaders: [], body: Buffer.from(text), ms: 1 });
    expect(signatureOf(answer)).toBe(signatureOf({ ...answer }));
    expect(resembles({ ...answer }, answer)).toBe(true);
    expect(contentOf(answer, volatilePaths([answer, answer]))).toContain("200 ");
    expect(tellsOf(answer).frames).toBe(0);
    expect(formsIn(text).length).toBeLessThanOrEqual(1);
    expect(refreshesIn(text)).toEqual([]);
    const outgoing = { method: "GET", target: "/", headers: [], label: "nobody" };
    expect(exchangeOf({ leg: "attack", outgoing, answer }, createRedactor()).answer).toHaveProperty("status", 200);
  });

  it("leaves forms as people write them readable", () => {
    const page = `<!-- <form action=/no></form> --><script>"<form>"</script><form id=a action="/in" method=post>
      <input name=user value="x &amp; y"><select name=s><option value=1><option value=2 selected></select>
      <textarea name=t>text</textarea></form><button form=a name=go>Sign <b>in</b></button>`;
    expect(formsIn(page)).toEqual([
      {
        action: "/in",
        method: "POST",
        fields: [
          { name: "user", type: "text", value: "x & y", checked: false },
          { name: "s", type: "select", value: "2", checked: false },
          { name: "t", type: "textarea", value: "text", checked: false },
        ],
        buttons: [{ name: "go", value: "", label: "Sign  in" }],
      },
    ]);
  });

  it("leaves refreshes as people write them readable", () => {
    const page = `<META content='0; URL="/a?b=1&amp;c=2"' http-equiv=Refresh><meta http-equiv="refresh" content="5">
      <meta http-equiv=refresh content=3;url=https://example.com/?a=b><meta name="refresh" content="0;url=/no">`;
    expect(refreshesIn(page)).toEqual(["/a?b=1&c=2", "https://example.com/?a=b"]);
  });

  it("loses ids and nothing else when answers are compared", () => {
    const said = (text: string) =>
      signatureOf(answerOf({ status: 404, rawHeaders: [], body: Buffer.from(text), ms: 1 }));
    expect(said("no thing --abc-12345-- here")).toBe(said("no thing --xyz-98765-- here"));
    expect(said("no thing under-that-name")).not.toBe(said("no thing under-this-name"));
  });
});
