import { type Priority, protection } from "portcullis/checklist";
import type { Exchange } from "../exchange.ts";
import { fixOf, fixTargets } from "../fixes.ts";
import type { GoneFinding, Report, ReportedFinding } from "../report.ts";
import { markdownBlock } from "./markdown.ts";
import { visible } from "./text.ts";

/** Where results point to. */
export interface SarifOptions {
  /**
   * Path of a file of the repository that describes the API, relative to its root: code scanning wants a file for every
   * result. Default `openapi.json`.
   */
  readonly artifact?: string;
  /** Version of the tool; default "0.1.0". */
  readonly version?: string;
}

/**
 * SARIF 2.1.0: a rule per protection, a result per finding. Findings keep their fingerprint from scan to scan; those of the
 * baseline stay in, marked as suppressed, because a result that disappears is opened again by code scanning.
 *
 * @see SARIF 2.1.0 sections 3.27.16 (fingerprints), 3.27.23 (suppressions), 3.27.24 (baselineState)
 */
export function sarifReport(report: Report, options: SarifOptions = {}): string {
  // Names of checks and commands come from a description, which is the target's too.
  const seen = (_name: string, value: unknown) => (typeof value === "string" ? clean(value) : value);
  return `${JSON.stringify(sarifLog(report, options), seen, 2)}\n`;
}

/** The log before it is written; its shape is held against the types of the schema by a test. */
export function sarifLog(report: Report, options: SarifOptions = {}) {
  const { result, findings, difference } = report;
  const ids = [...new Set([...findings, ...(difference?.fixed ?? [])].map((finding) => finding.protection))];
  const rules = result.protections.map((entry) => entry.protection).filter((id) => ids.includes(id));
  const artifact = options.artifact ?? "openapi.json";
  return {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0" as const,
    runs: [
      {
        tool: {
          driver: {
            name: "Portcullis",
            semanticVersion: options.version ?? "0.1.0",
            rules: rules.map((id) => ruleOf(id, findings)),
          },
        },
        automationDetails: { id: "portcullis-scan/" },
        columnKind: "unicodeCodePoints" as const,
        invocations: [
          {
            executionSuccessful: true,
            exitCode: result.exitCode,
            startTimeUtc: result.startedAt,
            endTimeUtc: new Date(Date.parse(result.startedAt) + result.durationMs).toISOString(),
            toolExecutionNotifications: notificationsOf(report),
          },
        ],
        results: [
          ...findings.map((finding) => resultOf(finding, rules.indexOf(finding.protection), artifact)),
          ...(difference?.fixed ?? []).map((gone) => absentOf(gone, artifact)),
        ],
      },
    ],
  };
}

const levels: Readonly<Record<Priority, "error" | "warning" | "note">> = {
  critical: "error",
  high: "error",
  medium: "warning",
  low: "note",
};

/** On the scale of CVSS, as code scanning reads `security-severity`. */
const scale: Readonly<Record<Priority, string>> = { critical: "9.5", high: "8.0", medium: "5.5", low: "2.5" };

function ruleOf(id: ReportedFinding["protection"], findings: readonly ReportedFinding[]) {
  const row = protection(id);
  const cwe = [...new Set(findings.filter((finding) => finding.protection === id).flatMap((finding) => finding.cwe))];
  const fix = fixOf(id);
  const blocks =
    fix === undefined ? [] : fixTargets.map(([key, name]) => `**${name}**\n\n${markdownBlock(fix[key], "ts")}`);
  const summary = fix?.summary ?? row.promise;
  return {
    id,
    name: row.title.replaceAll(/[^A-Za-z]+(\w)?/g, (_all, next: string | undefined) => (next ?? "").toUpperCase()),
    shortDescription: { text: row.title },
    fullDescription: { text: row.promise },
    help: { text: summary, markdown: [summary, ...blocks].join("\n\n") },
    defaultConfiguration: { level: levels[row.priority] },
    properties: {
      "security-severity": scale[row.priority],
      precision: "very-high",
      tags: [
        "security",
        ...cwe.map((number) => `external/cwe/cwe-${number}`),
        ...row.owasp.map((entry) => `OWASP ${entry}:2023`),
        ...row.asvs.map((entry) => `ASVS ${entry}`),
      ],
    },
  };
}

function resultOf(finding: ReportedFinding, ruleIndex: number, artifact: string) {
  const attack = finding.evidence.findLast(({ leg }) => leg === "attack") ?? finding.evidence.at(-1);
  const { accepted, lapsed, since } = finding;
  return {
    ruleId: finding.protection,
    ruleIndex,
    kind: "fail" as const,
    level: levels[finding.severity],
    message: {
      text: plain([finding.why, finding.proof, ...(lapsed === undefined ? [] : [`It counts: ${lapsed}.`])].join(" ")),
    },
    locations: [locationOf(artifact, finding.operation)],
    partialFingerprints: { "portcullis/v1": finding.fingerprint },
    ...(since === undefined ? {} : { baselineState: since }),
    suppressions:
      accepted === undefined
        ? []
        : [
            {
              kind: "external" as const,
              status: "accepted" as const,
              justification: plain(
                `${accepted.reason}: ${accepted.owner} answers for it until ${accepted.expires}${accepted.note === "" ? "" : `. ${accepted.note}`}`,
              ),
            },
          ],
    ...(attack === undefined ? {} : messagesOf(attack)),
    properties: {
      check: finding.check,
      severity: finding.severity,
      "security-severity": scale[finding.severity],
      times: finding.times,
      command: finding.command,
    },
  };
}

function absentOf(gone: GoneFinding, artifact: string) {
  return {
    ruleId: gone.protection,
    kind: "fail" as const,
    level: "none" as const,
    message: { text: plain(gone.why) },
    locations: [locationOf(artifact, gone.operation === "" ? undefined : gone.operation)],
    partialFingerprints: { "portcullis/v1": gone.fingerprint },
    baselineState: "absent" as const,
  };
}

function locationOf(artifact: string, operation: string | undefined) {
  return {
    physicalLocation: {
      artifactLocation: { uri: encodeURI(artifact.toWellFormed().replaceAll("\\", "/")) },
      region: { startLine: 1 },
    },
    ...(operation === undefined
      ? {}
      : { logicalLocations: [{ fullyQualifiedName: clean(operation), kind: "resource" }] }),
  };
}

/** The attack and its answer (SARIF 2.1.0 sections 3.46 and 3.47). */
function messagesOf({ request, answer }: Exchange) {
  return {
    webRequest: {
      protocol: "HTTP",
      version: "1.1",
      method: clean(request.method),
      target: clean(request.target),
      headers: headersOf(request.headers),
      ...(request.body === undefined ? {} : { body: { text: clean(request.body) } }),
    },
    webResponse:
      "status" in answer
        ? {
            protocol: "HTTP",
            version: "1.1",
            statusCode: answer.status,
            headers: headersOf(answer.headers),
            body: { text: clean(answer.body) },
          }
        : { noResponseReceived: true, reasonPhrase: clean(answer.failed) },
  };
}

/** Header fields by name; a name that comes twice is joined, as HTTP allows it for evidence. */
function headersOf(list: Exchange["request"]["headers"]): Record<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of list) {
    const key = clean(name);
    const known = fields.get(key);
    fields.set(key, known === undefined ? clean(value) : `${known}, ${clean(value)}`);
  }
  return Object.fromEntries(fields);
}

function notificationsOf({ result }: Report) {
  const open = result.verdicts.filter(({ verdict }) => verdict === "inconclusive");
  const reasons = [...new Set(open.map(({ protection, why }) => `${protection}: ${why}`))];
  const say = (level: "warning" | "note", text: string) => ({ level, message: { text: plain(text) } });
  return [
    ...reasons.map((why) => say("warning", `Inconclusive: ${why}`)),
    ...result.assumptions.map((why) => say("note", `Assumed: ${why}`)),
    ...result.leftovers.map((what) => say("warning", `Left behind: ${what}`)),
  ];
}

/** Messages are plain text to viewers; links in brackets would be followed (SARIF 2.1.0 section 3.11.6). */
function plain(text: string): string {
  return clean(text).replaceAll(/[[\]]/g, (bracket) => `\\${bracket}`);
}

function clean(text: string): string {
  return visible(text, "\n\t");
}
