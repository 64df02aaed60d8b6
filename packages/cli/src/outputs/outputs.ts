import { type ScanResult, ScanError, type Verdict } from "@portcullis/scan";
import {
  exitCodeOf,
  type GoneFinding,
  jsonReport,
  type Report,
  reportOf,
  severities,
} from "@portcullis/scan/reporters";
import { type BaselineFlags, baselineOf, keptBaseline } from "./baseline-file.ts";
import { assertExportable, exportTests, type TestFacts } from "./export-tests.ts";
import { parseWantedReport, saved, writeReport } from "./reports.ts";
import { openStream, type Stream } from "./stream.ts";

/** The options that say what becomes of a finished scan. */
export interface OutputFlags extends BaselineFlags {
  readonly json?: string | true;
  readonly report?: readonly string[];
  readonly jsonl?: string;
  readonly diff?: string;
  readonly failOn?: string;
  readonly exportTests?: string;
  readonly requests?: string;
}

/** What becomes of a scan, ready before it starts: nothing that is written wrongly shows only when it is over. */
export interface Outputs {
  readonly onVerdict?: (verdict: Verdict) => void;
  /** Writes everything and says how the command ends. */
  finish(result: ScanResult): Promise<{ readonly report: Report; readonly exitCode: 0 | 1 | 2 }>;
  /** Keeps what was streamed of a scan that could not be finished. */
  abandon(): void;
}

/**
 * Reads and opens everything the options name.
 *
 * @param facts   what exported tests need to scan again
 * @param before  findings of the scan before this one, where it is one of many; else those of `--diff`
 * @throws ScanError when an option is written wrongly, or a file cannot be read or written
 */
export async function prepareOutputs(
  url: string,
  flags: OutputFlags,
  facts: TestFacts,
  before?: readonly GoneFinding[],
): Promise<Outputs> {
  const reports = (flags.report ?? []).map(parseWantedReport);
  const failOn = failOnOf(flags.failOn);
  if (flags.exportTests !== undefined) assertExportable(flags);
  const old = await baselineOf(flags);
  const earlier = before ?? (flags.diff === undefined ? undefined : await earlierIn(flags.diff));
  const stream: Stream | undefined = flags.jsonl === undefined ? undefined : openStream(flags.jsonl, url);
  return {
    ...(stream === undefined ? {} : { onVerdict: stream.add }),
    async finish(result) {
      stream?.end(result);
      const baseline = await keptBaseline(flags, old, result, reportOf(result).findings);
      const report = reportOf(result, {
        ...(baseline === undefined ? {} : { baseline }),
        ...(earlier === undefined ? {} : { before: earlier }),
      });
      if (flags.json !== undefined && flags.json !== true) await saved(flags.json, jsonReport(report));
      for (const wanted of reports) await writeReport(wanted, report, { description: facts.description });
      if (flags.exportTests !== undefined) await exportTests(flags.exportTests, report, facts);
      return { report, exitCode: exitCodeOf(report, failOn) };
    },
    abandon: () => stream?.abandon(),
  };
}

async function earlierIn(file: string): Promise<readonly GoneFinding[]> {
  const { earlierFindings } = await import("./earlier.ts");
  return await earlierFindings(file);
}

function failOnOf(text = "low"): (typeof severities)[number] | "never" {
  const found = [...severities, "never" as const].find((one) => one === text);
  if (found === undefined) throw new ScanError(`--fail-on ${text}: it is ${[...severities, "never"].join(", ")}`);
  return found;
}
