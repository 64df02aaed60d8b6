import type { Report, ReportedFinding } from "../report.ts";
import { fingerprintOf } from "../finding.ts";
import type { Verdict } from "../verdict.ts";
import { xmlText } from "./xml.ts";

/**
 * JUnit XML: a suite per protection, a case per check and operation. Broken is a failure, inconclusive an error (a check
 * that could not decide has not passed), not applicable and accepted are skipped with the reason.
 */
export function junitReport(report: Report): string {
  const { result } = report;
  const suites = result.protections
    .map(({ protection }) => ({
      name: protection,
      cases: result.verdicts.filter((verdict) => verdict.protection === protection),
    }))
    .filter(({ cases }) => cases.length > 0);
  const findings = new Map(report.findings.map((finding) => [finding.fingerprint, finding]));
  const drawn = suites.map(({ name, cases }) => suite(name, cases, findings));
  const sum = (key: "tests" | "failures" | "errors" | "skipped") => drawn.reduce((all, one) => all + one[key], 0);
  const totals = `tests="${sum("tests")}" failures="${sum("failures")}" errors="${sum("errors")}" skipped="${sum("skipped")}"`;
  const seconds = (result.durationMs / 1000).toFixed(3);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xmlText(`portcullis scan ${result.target.url}`)}" ${totals} time="${seconds}">`,
    ...drawn.map((one) => one.text),
    "</testsuites>",
    "",
  ].join("\n");
}

interface Suite {
  readonly text: string;
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly skipped: number;
}

function suite(name: string, cases: readonly Verdict[], findings: ReadonlyMap<string, ReportedFinding>): Suite {
  const lines = cases.map((verdict) => testCase(verdict, findings));
  const count = (element: string) => lines.filter((line) => line.includes(`<${element} `)).length;
  const [failures, errors, skipped] = [count("failure"), count("error"), count("skipped")];
  const totals = `tests="${cases.length}" failures="${failures}" errors="${errors}" skipped="${skipped}"`;
  const text = [`  <testsuite name="${xmlText(name)}" ${totals}>`, ...lines, "  </testsuite>"].join("\n");
  return { text, tests: cases.length, failures, errors, skipped };
}

function testCase(verdict: Verdict, findings: ReadonlyMap<string, ReportedFinding>): string {
  const name = verdict.operation === undefined ? verdict.check : `${verdict.check} at ${verdict.operation}`;
  const head = `    <testcase classname="${xmlText(`portcullis.${verdict.protection}`)}" name="${xmlText(name)}"`;
  const why = `message="${xmlText(verdict.why)}"`;
  if (verdict.verdict === "held") return `${head}/>`;
  if (verdict.verdict === "not-applicable") return `${head}><skipped ${why}/></testcase>`;
  if (verdict.verdict === "inconclusive") return `${head}><error type="inconclusive" ${why}/></testcase>`;
  const finding = findings.get(fingerprintOf(verdict));
  if (finding?.accepted !== undefined) {
    const { reason, owner, expires } = finding.accepted;
    const said = `${reason}, ${owner} answers for it until ${expires}: ${verdict.why}`;
    return `${head}><skipped message="${xmlText(said)}"/></testcase>`;
  }
  const more = finding === undefined ? "" : detailOf(finding);
  return `${head}><failure type="${finding?.severity ?? "broken"}" ${why}>${xmlText(more)}</failure></testcase>`;
}

function detailOf(finding: ReportedFinding): string {
  const { proof, cwe, owasp, command, fingerprint, lapsed } = finding;
  const ids = [...owasp.map((id) => `OWASP ${id}:2023`), ...cwe.map((id) => `CWE-${id}`)].join(", ");
  return [
    proof,
    ...(lapsed === undefined ? [] : [`It counts: ${lapsed}.`]),
    ids,
    `fingerprint ${fingerprint}`,
    "",
    command,
  ].join("\n");
}
