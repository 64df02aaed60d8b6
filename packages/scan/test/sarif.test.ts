import type { Log } from "sarif";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import draft04 from "ajv-draft-04";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { isRecord, parseJson } from "../src/json.ts";
import { fingerprintOf, reportOf, sarifReport } from "../src/reporters.ts";
import { sarifLog } from "../src/reporters/sarif.ts";
import { resultOf, verdictOf } from "./report-of.ts";

const verdicts = [
  verdictOf("object-access", "foreign-read"),
  verdictOf("cors", "vary"),
  verdictOf("jwt", "alg-none", { verdict: "inconclusive", why: "The key is not the API's." }),
];
const report = reportOf(resultOf(verdicts, { assumptions: ["Nothing."], leftovers: ["thing 1"] }), {
  before: [{ fingerprint: "0".repeat(32), protection: "csrf", check: "sign-in", operation: "", why: "It was so." }],
});

/** The compiler holds every member against the types that were made of the official schema. */
const log: Log = sarifLog(report);

describe("the SARIF report", () => {
  it("is valid by the schema of SARIF 2.1.0, with findings, without, accepted, and with what was fixed", () => {
    // The schema has a pattern that only the older regular expressions read.
    const ajv = new draft04.default({ allErrors: true, strict: false, unicodeRegExp: false });
    formats.default(ajv);
    const path = createRequire(import.meta.url).resolve("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
    const schema = parseJson(readFileSync(path, "utf8"));
    if (!isRecord(schema)) throw new Error("the schema is no object");
    const isValid = ajv.compile(schema);
    const entries = report.findings.map(({ fingerprint, protection, check, operation = "" }) => ({
      fingerprint,
      protection,
      check,
      operation,
      note: "",
      owner: "ana@example.com",
      reason: "accepted",
      expires: "2026-12-31",
    }));
    const now = Date.parse("2026-02-03T00:00:00Z");
    const accepted = reportOf(resultOf(verdicts), { baseline: { format: 1, entries }, now });
    expect(accepted.findings.map(({ accepted: by }) => by?.owner)).toEqual(["ana@example.com", "ana@example.com"]);
    for (const made of [report, reportOf(resultOf([])), accepted]) {
      const read: unknown = JSON.parse(sarifReport(made));
      expect(isValid(read), JSON.stringify(isValid.errors)).toBe(true);
    }
    expect(isValid({ ...log, runs: [{ tool: {} }] })).toBe(false);
  });

  it("has a rule for every result, at the place the result says", () => {
    const { tool, results = [] } = log.runs[0] ?? { tool: { driver: { name: "" } } };
    expect(results).toHaveLength(2);
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules?.[ruleIndex ?? -1]?.id).toBe(ruleId);
    const ids = tool.driver.rules?.map((rule) => rule.id) ?? [];
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("has what code scanning reads: a location, a fingerprint, a level, and the CWE as a tag", () => {
    const [first, second] = log.runs[0]?.results ?? [];
    expect(first).toMatchObject({
      level: "error",
      locations: [{ physicalLocation: { artifactLocation: { uri: "openapi.json" }, region: { startLine: 1 } } }],
      partialFingerprints: { "portcullis/v1": report.findings[0]?.fingerprint },
      baselineState: "new",
      webRequest: { method: "GET", target: "/things/1" },
      webResponse: { statusCode: 200 },
    });
    expect(second).toMatchObject({ level: "note" });
    expect(log.runs[0]?.tool.driver.rules?.[0]?.properties?.tags).toEqual(
      expect.arrayContaining(["external/cwe/cwe-639", "OWASP API1:2023"]),
    );
  });

  it("says as notifications what is no finding: what was not decided, assumed, left behind", () => {
    const said = log.runs[0]?.invocations?.[0]?.toolExecutionNotifications?.map(({ message }) => message.text);
    expect(said).toEqual(["Inconclusive: jwt: The key is not the API's.", "Assumed: Nothing.", "Left behind: thing 1"]);
  });

  it("keeps what was fixed as absent", () => {
    const { operation: _operation, ...held } = verdictOf("csrf", "sign-in", { verdict: "held" });
    const before = [
      { fingerprint: fingerprintOf(held), protection: "csrf", check: "sign-in", operation: "", why: "So." },
    ];
    const absent: Log = sarifLog(reportOf(resultOf([held]), { before }));
    expect(absent.runs[0]?.results).toMatchObject([{ ruleId: "csrf", level: "none", baselineState: "absent" }]);
  });

  it("points to the description that was given, whatever its name", () => {
    const text = sarifReport(report, { artifact: "docs\\my api.yaml" });
    expect(text).toContain('"uri": "docs/my%20api.yaml"');
  });
});
