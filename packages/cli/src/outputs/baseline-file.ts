import { readFile } from "node:fs/promises";
import { ScanError, type ScanResult } from "@portcullis/scan";
import {
  type Baseline,
  type BaselineDefaults,
  baselineReasons,
  isClosedBy,
  readBaseline,
  type ReportedFinding,
  updatedBaseline,
} from "@portcullis/scan/reporters";
import { saved } from "./reports.ts";

/** What the options say about the baseline. */
export interface BaselineFlags {
  readonly baseline?: string;
  readonly updateBaseline?: true;
  readonly owner?: string;
  readonly reason?: string;
  readonly expires?: string;
}

/**
 * Reads the baseline before anything is scanned; undefined where none is asked for, or it is yet to be written.
 *
 * @throws ScanError when it cannot be read or is none, or the options contradict each other
 */
export async function baselineOf(flags: BaselineFlags): Promise<Baseline | undefined> {
  if (flags.baseline === undefined) {
    if (flags.updateBaseline === true) throw new ScanError("--update-baseline needs --baseline <file>");
    return undefined;
  }
  if (flags.reason !== undefined && !baselineReasons.some((reason) => reason === flags.reason))
    throw new ScanError(`--reason ${flags.reason}: a reason is ${baselineReasons.join(", ")}`);
  if (flags.expires !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(flags.expires))
    throw new ScanError(`--expires ${flags.expires}: write the last day it counts as YYYY-MM-DD`);
  let text: string;
  try {
    text = await readFile(flags.baseline, "utf8");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing && flags.updateBaseline === true) return undefined;
    throw new ScanError(`cannot read the baseline ${flags.baseline}; --update-baseline writes one`, { cause });
  }
  return readBaseline(text);
}

/** Writes the baseline as it is after a scan, where that was asked for, and returns it; else the one that was read. */
export async function keptBaseline(
  flags: BaselineFlags,
  old: Baseline | undefined,
  result: ScanResult,
  findings: readonly ReportedFinding[],
): Promise<Baseline | undefined> {
  if (flags.baseline === undefined || flags.updateBaseline !== true) return old;
  const defaults: BaselineDefaults = {
    ...(flags.owner === undefined ? {} : { owner: flags.owner }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(flags.expires === undefined ? {} : { expires: flags.expires }),
  };
  const updated = updatedBaseline(old, findings, (entry) => isClosedBy(result, entry), defaults);
  await saved(flags.baseline, `${JSON.stringify(updated, null, 2)}\n`);
  return updated;
}
