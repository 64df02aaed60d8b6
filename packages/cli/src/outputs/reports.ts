import { writeFile } from "node:fs/promises";
import { extname, relative } from "node:path";
import { ScanError } from "@portcullis/scan";
import {
  badgeReport,
  htmlReport,
  jsonReport,
  junitReport,
  markdownReport,
  type Report,
  sarifReport,
  tableReport,
} from "@portcullis/scan/reporters";
import { isAddress } from "./address.ts";

/** One report to write: what it looks like and where it goes. */
export interface WantedReport {
  readonly format: Format;
  readonly file: string;
}

/** What is known beside the report. */
export interface ReportFacts {
  /** The file that describes the API, as it was given; results of SARIF point to it. */
  readonly description: string | undefined;
}

type Format = keyof typeof writers;

const writers = {
  html: (report: Report) => htmlReport(report),
  json: (report: Report) => jsonReport(report),
  sarif: (report: Report, { description }: ReportFacts) =>
    sarifReport(
      report,
      description === undefined || isAddress(description) ? {} : { artifact: relative(process.cwd(), description) },
    ),
  junit: (report: Report) => junitReport(report),
  markdown: (report: Report) => markdownReport(report),
  badge: (report: Report) => badgeReport(report),
  text: (report: Report) => tableReport(report, { width: 100 }),
} as const;

const extensions: Readonly<Record<string, Format>> = {
  ".html": "html",
  ".json": "json",
  ".sarif": "sarif",
  ".xml": "junit",
  ".md": "markdown",
  ".svg": "badge",
  ".txt": "text",
};

/**
 * Reads `html=report.html`, or `report.html` where the ending says the format.
 *
 * @throws ScanError when it is neither
 */
export function parseWantedReport(text: string): WantedReport {
  const cut = text.indexOf("=");
  const named = text.slice(0, Math.max(0, cut));
  if (isFormat(named) && cut < text.length - 1) return { format: named, file: text.slice(cut + 1) };
  const format = extensions[extname(text).toLowerCase()];
  if (format !== undefined) return { format, file: text };
  const formats = Object.keys(writers).join(", ");
  throw new ScanError(`--report ${text}: write it as format=file, such as html=report.html; formats are ${formats}`);
}

/** Writes one report. @throws ScanError when the file cannot be written */
export async function writeReport({ format, file }: WantedReport, report: Report, facts: ReportFacts): Promise<void> {
  await saved(file, writers[format](report, facts));
}

/** Writes a file. @throws ScanError when it cannot be written */
export async function saved(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new ScanError(`cannot write ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function isFormat(text: string): text is Format {
  return Object.hasOwn(writers, text);
}
