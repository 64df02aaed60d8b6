import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { progressLine } from "../src/reporters.ts";
import {
  badgeReport,
  htmlReport,
  jsonReport,
  junitReport,
  markdownReport,
  type Report,
  sarifReport,
  tableReport,
  verdictLine,
} from "../src/reporters.ts";
import { reportOf } from "../src/report.ts";
import { shellWord } from "../src/shell.ts";
import { exchangeWith, resultOf, verdictOf } from "./report-of.ts";

const seed = 20260101;

/** What an attacker who owns the target would try, among anything at all. */
const hostile = fc.oneof(
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.constantFrom(
          "<script>alert(1)</script>",
          "</script><img src=x onerror=alert(1)>",
          "</title></style><svg onload=alert(1)>",
          '" onmouseover="alert(1)',
          "' autofocus onfocus='alert(1)",
          "javascript:alert(1)",
          "]]><x>",
          "&lt;b&gt;&#x3c;",
          "-->",
          "${1+1}",
          "`${process.env}`",
          "```\n</details>\n# owned",
          "````",
          "[click](javascript:alert(1))",
          "![x](https://evil.example/x.png)",
          "<https://evil.example>",
          "https://evil.example www.evil.example",
          "@everyone | a | b |\n| --- |",
          "\u001b[2J\u001b]0;owned\u0007\u009b31m",
          "\r\n\u0000\u0008\u007f",
          "\u202e\u2066\u200b\ufeff\u2028\u2029",
          "\ud800",
          "\udfff",
          "\ufffe\uffff",
          "'; rm -rf / #",
          "$(reboot)`reboot`",
          "!!",
        ),
        { minLength: 1, maxLength: 4 },
      )
      .map((parts) => parts.join("")),
  },
);

/** The same report with a text everywhere the target has a say. */
function reportSaying(text: string): Report {
  const exchange = exchangeWith({
    as: "bob",
    request: {
      method: "POST",
      target: `/things/${text}`,
      headers: [[`x-${text}`, text]],
      body: text,
    },
    answer: { status: 200, headers: [[text, text]], body: text, ms: 1 },
  });
  const silent = exchangeWith({ leg: "reread", answer: { failed: text } });
  const operation = `GET /${text}`;
  const evidence = [exchange, silent];
  const result = resultOf(
    [
      verdictOf("cors", "origin-null", { why: text, operation, evidence }),
      verdictOf("mass-assignment", `field-${text}`, { why: `It says ${text}.`, operation, evidence }),
      verdictOf("jwt", "alg-none", { why: text, evidence }),
      verdictOf("input", "type-a", { verdict: "inconclusive", why: text, operation, evidence: [] }),
      verdictOf("output", "secrets", { verdict: "not-applicable", why: text, operation, evidence: [], untried: true }),
    ],
    {
      target: { url: "http://localhost:3000", name: text, source: "openapi", operations: 1 },
      assumptions: [text],
      leftovers: [text],
    },
  );
  const entry = { protection: text, check: text, operation: text, reason: "accepted", expires: "2999-01-01" };
  const [first] = reportOf(result).findings;
  return reportOf(result, {
    before: [{ fingerprint: "0".repeat(32), protection: "cors", check: "vary", operation, why: text }],
    baseline: {
      format: 1,
      entries: [
        { ...entry, fingerprint: first?.fingerprint ?? "", owner: text === "" ? "ana" : text, note: text },
        { ...entry, fingerprint: "f".repeat(32), owner: text, note: text },
      ],
    },
    now: 0,
  });
}

/** Control characters and what turns a text around: nothing of it may reach a reader. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

function holds(check: (text: string, report: Report) => void): void {
  fc.assert(
    fc.property(hostile, (text) => check(text, reportSaying(text))),
    { seed, numRuns: 150 },
  );
}

/** Elements, attributes and quotes of a document, without what stands between them. */
function skeleton(markup: string): readonly string[] {
  return [...markup.matchAll(/<[/!?]?[a-z][a-z0-9-]*|[a-z-]+=(?=")|[">]|-->|\]\]>/gi)].map(([part]) => part);
}

describe("whatever the target says", () => {
  it("makes no element, no attribute and no end of one in the HTML report", () => {
    const benign = skeleton(withoutCounts(htmlReport(reportSaying("benign"))));
    holds((text, report) => {
      const page = htmlReport(report);
      // An empty text leaves out what says nothing; then there is nothing to escape either.
      if (text.trim() !== "") expect(skeleton(withoutCounts(page)).join(" ")).toBe(benign.join(" "));
      expect(page.replaceAll(/[\n\t]/g, "")).not.toMatch(invisible);
    });
  });

  it("leaves the HTML report's own script and style the only ones that run, and loads nothing", () => {
    holds((_text, report) => {
      const page = htmlReport(report);
      const policy =
        /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1]?.replaceAll("&#39;", "'") ?? "";
      expect(policy).toMatch(
        /^default-src 'none'; script-src 'sha256-[^ ]+'; style-src 'sha256-[^ ]+'; base-uri 'none'; form-action 'none'$/,
      );
      for (const [element, directive] of [
        ["script", "script-src"],
        ["style", "style-src"],
      ] as const) {
        const found = [...page.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, "g"))];
        expect(found).toHaveLength(1);
        const digest = createHash("sha256")
          .update(found[0]?.[1] ?? "")
          .digest("base64");
        expect(policy).toContain(`${directive} 'sha256-${digest}'`);
      }
      // Quotes in texts are written as entities: what stands between two quotes is an attribute's value.
      const bare = page.slice(page.indexOf("<body>"), page.indexOf("<script>")).replaceAll(/"[^"]*"/g, '""');
      expect(bare).not.toMatch(/<[^>]+\s(?:src|on\w+|style|action|srcset)=/i);
      for (const [, target = ""] of page.matchAll(/<[^>]*\shref="([^"]*)"/g)) expect(target).toMatch(/^#[\w-]+$/);
    });
  });

  it("leaves JUnit well formed, with as many cases as there are checks", () => {
    const benign = skeleton(junitReport(reportSaying("benign")));
    holds((_text, report) => {
      const xml = junitReport(report);
      expect(skeleton(xml)).toEqual(benign);
      expect(xml).not.toMatch(/&(?!(?:amp|lt|gt|quot|apos|#\d+);)/);
      expect(xml.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cs}\ufffe\uffff]/u);
    });
  });

  it("leaves SARIF as JSON whose messages hold no link and nothing invisible", () => {
    holds((_text, report) => {
      const text = sarifReport(report);
      const log: unknown = JSON.parse(text);
      visit(log, (name, value) => {
        expect(value.replaceAll(/[\n\t]/g, "")).not.toMatch(invisible);
        if (name.endsWith(".uri")) expect(value).toBe("openapi.json");
        if (name.endsWith(".message.text")) expect(value).not.toMatch(/(?<!\\)\]\(/);
      });
    });
  });

  it("leaves Markdown without HTML, links, pictures, mentions and headings of its own", () => {
    const plain = markdownReport(reportSaying("benign"));
    holds((_text, report) => {
      const markdown = markdownReport(report);
      // What stands in code is shown as it is.
      const prose = markdown
        .replaceAll(/^(`{3,})[\s\S]*?^\1$/gm, "")
        .replaceAll(/(?<!\\|`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g, "");
      expect([...prose.matchAll(/<\/?[a-z]+/gi)].map(([tag]) => tag)).toEqual(
        [...plain.matchAll(/<\/?(?:sub|details|summary)\b/g)].map(([tag]) => tag),
      );
      expect(prose).not.toMatch(/(?<!\\)\]\(|(?<!\\)!\[|https?:\/\/|(?<!\\)@\w/);
      expect(prose.match(/^#+ /gm)?.length).toBe(plain.match(/^#+ /gm)?.length);
      expect(markdown.replaceAll("\n", "")).not.toMatch(invisible);
    });
  });

  it("moves no cursor, changes no colour and adds no line on a terminal", () => {
    const lines = (report: Report) => tableReport(report, { width: 160 }).split("\n");
    holds((text, report) => {
      const table = tableReport(report, { width: 100 });
      expect(table.replaceAll("\n", "")).not.toMatch(invisible);
      for (const line of table.split("\n")) expect(Array.from(line).length).toBeLessThanOrEqual(100);
      const painted = tableReport(report, { width: 100, color: true });
      expect(painted.replaceAll(/\u001b\[\d+m/g, "").replaceAll("\n", "")).not.toMatch(invisible);
      const progress = { done: 1, total: 2, requests: 3, protection: "jwt", check: "a", verdict: "held" } as const;
      const at = { ...progress, operation: text, remainingMs: undefined, waitingMs: undefined };
      expect(progressLine(at, 80)).not.toMatch(invisible);
    });
    expect(lines(reportSaying("a\nb")).length).toBe(lines(reportSaying("a b")).length);
  });

  it("is kept in JSON exactly, and changes nothing of a badge", () => {
    const badge = badgeReport(reportSaying("benign"));
    holds((text, report) => {
      const json = jsonReport(report);
      expect(JSON.parse(json)).toMatchObject({ format: 1, leftovers: [text] });
      for (const said of [json, ...report.result.verdicts.map(verdictLine)])
        expect(said.replaceAll("\n", "")).not.toMatch(invisible);
      expect(badgeReport(report)).toBe(badge);
    });
  });

  it("stays one word of a shell that runs nothing, and can be read before it is pasted", () => {
    const words = fc.sample(hostile, { seed, numRuns: 400 }).map((text) => text.replaceAll("\0", ""));
    const written = words.map((word) => shellWord([word]));
    for (const word of written) expect(word.replaceAll("\n", "")).not.toMatch(invisible);
    const out = execFileSync("bash", ["--norc", "-c", `printf '%s\\0' ${written.join(" ")}`], { maxBuffer: 1e7 });
    const read = out.toString("utf8").split("\0").slice(0, -1);
    expect(read).toEqual(words.map((word) => word.toWellFormed()));
  });

  it("puts credentials into commands as variables, beside whatever stands around them", () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 3 }), (parts) => {
        const clean = parts.map((part) => part.replaceAll("\0", ""));
        const word = shellWord(clean.flatMap((part) => [part, { variable: "ALICE" }]));
        const out = execFileSync("bash", ["--norc", "-c", `printf %s ${word}`], {
          env: { ALICE: "$(x) `y` 'z' \"q\"" },
        });
        expect(out.toString("utf8")).toBe(clean.map((part) => `${part.toWellFormed()}$(x) \`y\` 'z' "q"`).join(""));
      }),
      { seed, numRuns: 40 },
    );
  });
});

/** Numbers in titles and classes depend on what is grouped; texts that are equal are one entry. */
function withoutCounts(page: string): string {
  return page.slice(page.indexOf("<body>"));
}

function visit(value: unknown, see: (name: string, value: string) => void, name = ""): void {
  if (typeof value === "string") see(name, value);
  else if (Array.isArray(value)) for (const entry of value) visit(entry, see, name);
  else if (typeof value === "object" && value !== null)
    for (const [key, member] of Object.entries(value)) {
      see("key", key);
      visit(member, see, `${name}.${key}`);
    }
}
