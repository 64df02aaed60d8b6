import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonReport, markdownReport, progressLine, type Report, reportOf, tableReport } from "../src/reporters.ts";
import type { Exchange } from "../src/exchange.ts";
import { exchangeWith, reportWith, resultOf, verdictOf } from "./report-of.ts";
import { scanThings, startThings } from "./things.ts";

let clean: Report;
let open: Report;

beforeAll(async () => {
  const good = await startThings();
  clean = reportOf(await scanThings(good.url, ["authentication", "object-access"]));
  await good.close();
  const bad = await startThings({
    stranger: ({ path }) => (path === "/me" ? [200, { id: "somebody" }] : [401, { title: "No" }]),
  });
  open = reportOf(await scanThings(bad.url, ["authentication"]));
  await bad.close();
});

afterAll(() => {
  expect(clean.result.exitCode).toBe(0);
});

describe("the table", () => {
  it.each([60, 80, 100, 140])("fits into %i columns", (width) => {
    for (const result of [clean, open]) {
      for (const line of tableReport(result, { width }).split("\n"))
        expect(Array.from(line).length).toBeLessThanOrEqual(width);
    }
  });

  it("has no escape sequences without colour, and some with it", () => {
    expect(tableReport(clean)).not.toContain("\u001b");
    expect(tableReport(clean, { color: true })).toContain("\u001b[32m");
  });

  it("groups protections by priority and ends with the counts", () => {
    const table = tableReport(clean);
    expect(table.indexOf("critical")).toBeLessThan(table.indexOf("high"));
    expect(table).toMatch(/✓ authentication +held +\d+ checks hold/);
    expect(table).toContain("2 held · 0 broken · 0 inconclusive");
  });

  it("counts findings as all reports do, however many pairs of callers showed one", () => {
    const pair = (who: string, operation: string) =>
      verdictOf("object-access", "foreign-read", { why: `${who} reads it.`, operation });
    const operations = ["GET /a", "GET /b", "GET /c", "GET /d"];
    const report = reportWith(operations.flatMap((operation) => [pair("alice", operation), pair("bob", operation)]));
    expect(report.findings).toHaveLength(4);
    expect(tableReport(report, { width: 120 })).toMatch(/✗ object-access +BROKEN +.*\(\+3\)/);
  });

  it("says what is broken, where, and what proves it", () => {
    const table = tableReport(open);
    expect(table).toMatch(/✗ authentication +BROKEN/);
    expect(table).toContain("What is broken");
    expect(table).toMatch(/nobody: GET \/me -> 200/);
  });

  it("cuts an address off that is too long for a line, and never what it came to", () => {
    const request = { method: "GET", target: `/things/${"x".repeat(200)}`, headers: [] };
    const evidence = (answer: Exchange["answer"]) => [exchangeWith({ as: "bob", request, answer })];
    const answers: readonly Exchange["answer"][] = [
      { status: 200, headers: [], body: "", ms: 1 },
      { failed: "no answer in time ".repeat(20) },
    ];
    const found = answers.map((answer, index) =>
      verdictOf("object-access", `foreign-${index}`, { why: `Bob reads ${index}.`, evidence: evidence(answer) }),
    );
    const lines = tableReport(reportWith(found), { width: 80 }).split("\n");
    expect(lines.find((line) => line.endsWith("x… -> 200"))).toHaveLength(80);
    expect(lines.find((line) => /x… -> no answer in time .*…$/.test(line))?.length).toBeLessThanOrEqual(80);
  });
});

describe("the JSON report", () => {
  it("holds verdicts, evidence and the ledger, and no secret", () => {
    const text = jsonReport(open);
    const report: unknown = JSON.parse(text);
    expect(report).toMatchObject({ format: 1, exitCode: 1, counts: { broken: 1 } });
    expect(text).not.toContain("token-of-alice");
    expect(text).toContain("<alice>");
  });

  it("has one cell of the ledger for every operation and protection", () => {
    const { ledger, target, protections } = open.result;
    const cells = new Set(ledger.map(({ operation, protection }) => `${operation} ${protection}`));
    expect(cells.size).toBe(ledger.length);
    expect(ledger.length).toBe(target.operations * protections.length);
    expect(ledger.every(({ why }) => why !== "")).toBe(true);
  });
});

describe("the progress line", () => {
  it("says how long it will take and what it waits for, and is never wider than the terminal", () => {
    const progress = {
      done: 3,
      total: 9,
      requests: 100,
      protection: "jwt",
      check: "alg-none",
      operation: "GET /a/very/long/path",
      verdict: "held",
      remainingMs: 400_000,
      waitingMs: undefined,
    } as const;
    expect(progressLine(progress, 200)).toContain("3/9 checks, 100 requests, about 7 min left  jwt GET /a/very");
    expect(progressLine({ ...progress, waitingMs: 42_000 }, 200)).toContain("waiting 42 s for its limits");
    for (const width of [10, 40, 79, 200])
      expect(Array.from(progressLine(progress, width)).length).toBeLessThanOrEqual(width);
  });
});

describe("the Markdown report", () => {
  it("shows an address as it is, and nothing at its beginning becomes a list", () => {
    const target = { url: "http://127.0.0.1:3000", name: "127.0.0.1:3000", source: "openapi", operations: 1 } as const;
    expect(markdownReport(reportOf(resultOf([], { target })))).toContain(
      "\n127\\.0.0.1:3000 at `http://127.0.0.1:3000`",
    );
  });
});
