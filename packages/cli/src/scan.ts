import { type Planned, type Progress, ScanError, type ScanOptions, scan } from "@portcullis/scan";
import { type GoneFinding, jsonReport, progressLine, tableReport, visible, wrapped } from "@portcullis/scan/reporters";
import { Command } from "commander";
import { parseDuration } from "./duration.ts";
import { repeatedly, type Round } from "./outputs/every.ts";
import { factsOf } from "./outputs/export-tests.ts";
import { createNotifier } from "./outputs/notify.ts";
import { type OutputFlags, type Outputs, prepareOutputs } from "./outputs/outputs.ts";
import { collect, optionsOf, type TargetFlags, withTarget } from "./target-options.ts";

/** `portcullis scan`: exit 0 held, 1 broken, 2 inconclusive, 3 scan error. */
export function scanCommand(): Command {
  const command = new Command("scan")
    .description("attack every protection of an API on this machine and say of each: held, broken or inconclusive")
    .argument("<url>", "address of the API, such as https://localhost:8443");
  return withTarget(command)
    .option("--json [file]", "write the whole result as JSON: to the file, or to standard output in place of the table")
    .option(
      "--report <format=file>",
      "write a report: html, sarif, junit, markdown, badge, json or text (repeat)",
      collect,
    )
    .option("--jsonl <file>", "write every verdict as a line of JSON while the scan runs")
    .option("--baseline <file>", "findings somebody answers for, each with owner, reason and expiry")
    .option("--update-baseline", "write what is found into the baseline, and take out what is closed")
    .option("--owner <who>", "owner of new entries; an entry without one counts for nothing")
    .option("--reason <reason>", "of new entries: false-positive, accepted, mitigated or not-applicable")
    .option("--expires <day>", "last day new entries count, YYYY-MM-DD")
    .option("--diff <file>", "say what is new and what is fixed since the scan in this JSON report")
    .option("--fail-on <severity>", "least severity that exits 1: critical, high, medium, low or never")
    .option("--export-tests <folder>", "write a test per finding that fails until it is fixed")
    .option("--every <interval>", "scan again and again: 30m, 24h, 7d")
    .option("--notify <url>", "with --every: tell this address what changed, signed with PORTCULLIS_NOTIFY_SECRET")
    .option("--quiet", "no progress")
    .addHelpText("after", more)
    .action(runScan);
}

const more = `
Credentials for --as:
  name="Bearer <token>"          Authorization header, any scheme
  name="<Header-Name>: <value>"  any other header, such as an API key, or
                                 Authorization with a token and no scheme
  name="cookie:<name>=<value>"   session cookie
  Two callers without roles are needed to prove object-access, one with a role
  (--roles) to prove function-access.

Without --manifest, --openapi and --requests the API is asked: a description at
a well-known place, else what its answers link to and allow.

Examples:
  portcullis scan http://localhost:3000
  portcullis manifest api.ts --out manifest.json
  portcullis scan https://localhost:8443 --manifest manifest.json --ca ca.pem \\
    --as alice="Bearer $ALICE" --as bob="Bearer $BOB" \\
    --as admin="Bearer $ADMIN" --roles admin=admin
  portcullis scan http://localhost:3000 --openapi openapi.yaml \\
    --as alice="X-Api-Key: $KEY" --only output,jwt

Only this machine is scanned, and hosts named with --consent. The scan stays
below the API's own limits, changes only what it created and deletes it at the
end. Colours and the moving progress line appear on a terminal only; NO_COLOR
turns colours off.

Ctrl-C ends it early: attacks stop, what was created is deleted within ten
seconds, and the report says what is known by then; a second one ends at once.
--timeout does the same when the time is over, with the exit status of what was
decided by then.

Exit status: 0 held, 1 broken, 2 something is inconclusive, 3 the scan could
not be done or was interrupted. --fail-on leaves findings below a severity out
of it, --baseline those somebody answers for.`;

interface Flags extends TargetFlags, OutputFlags {
  readonly every?: string;
  readonly notify?: string;
  readonly quiet?: true;
}

async function runScan(url: string, flags: Flags): Promise<void> {
  /** Ends the repetition, and the scan that runs. */
  const [end, stop] = [new AbortController(), new AbortController()];
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(3);
    const isRepeated = flags.every !== undefined && !end.signal.aborted;
    end.abort();
    if (isRepeated) return;
    process.stderr.write("\n");
    tell("stopping; what was created is deleted first (again: end at once)");
    stop.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  const warned = new Set<string>();
  /** Said once, however often the scan is repeated. */
  const onWarning = (line: string): void => {
    if (!warned.has(line)) tell(`warning: ${line}`);
    warned.add(line);
  };
  try {
    if (flags.every === undefined) {
      if (flags.notify !== undefined) throw new ScanError("--notify goes with --every");
      const round = await scanOnce(url, flags, { signal: stop.signal, onWarning });
      process.exitCode = round.exitCode;
      return;
    }
    const notifier =
      flags.notify === undefined
        ? undefined
        : await createNotifier(flags.notify, process.env["PORTCULLIS_NOTIFY_SECRET"]);
    process.exitCode = await repeatedly({
      everyMs: parseDuration("--every", flags.every, 30),
      signal: end.signal,
      notifier,
      scan: (before) => scanOnce(url, flags, { signal: stop.signal, onWarning }, before),
      say: tell,
    });
  } catch (error) {
    process.exitCode = said(error).exitCode;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** What asks a scan to end: it deletes what it created, reports what it knows, and exits 3. */
const signals = ["SIGINT", "SIGTERM"] as const;

/** One scan and everything made of it; never rejects: a scan that could not be done is a round that says so. */
async function scanOnce(
  url: string,
  flags: Flags,
  told: Pick<ScanOptions, "signal" | "onWarning">,
  before?: readonly GoneFinding[],
): Promise<Round> {
  const progress = flags.quiet === true ? undefined : createProgress(process.stderr);
  let outputs: Outputs | undefined;
  try {
    const options = await optionsOf(url, flags);
    outputs = await prepareOutputs(url, flags, factsOf(options), before);
    const result = await scan({
      ...options,
      ...told,
      ...(progress === undefined ? {} : { onPlanned: sayPlanned, onProgress: progress.show }),
      ...(outputs.onVerdict === undefined ? {} : { onVerdict: outputs.onVerdict }),
    });
    progress?.clear();
    const { report, exitCode } = await outputs.finish(result);
    process.stdout.write(flags.json === true ? jsonReport(report) : tableReport(report, terminal()));
    return { report, exitCode: result.interrupted === true ? 3 : exitCode };
  } catch (error) {
    progress?.clear();
    outputs?.abandon();
    return said(error);
  }
}

/** Whatever went wrong, it is no statement about the API: never exit 1 for it. */
function said(error: unknown): { readonly exitCode: 3; readonly failure: string } {
  const message = error instanceof Error ? error.message : String(error);
  // Some messages quote what the target said.
  const failure = visible(`${error instanceof ScanError ? "" : "a fault of the prover itself: "}${message}`, "\n");
  process.stderr.write(`portcullis scan: ${failure}\n`);
  return { exitCode: 3, failure };
}

/** What is about to happen, before it does. */
function sayPlanned({ operations, checks, profile, aboutMs }: Planned): void {
  const time = aboutMs < 90_000 ? `${Math.ceil(aboutMs / 1000)} s` : `${Math.ceil(aboutMs / 60_000)} min`;
  tell(`${operations} operations, ${checks} checks (${profile} profile), about ${time} where limits count in seconds`);
}

/** Says something beside the report, on a terminal without a break inside a word. */
function tell(text: string): void {
  const line = `portcullis scan: ${text}`;
  const { isTTY, columns } = process.stderr;
  const lines = isTTY && columns > 0 ? wrapped(line, columns) : [visible(line)];
  process.stderr.write(`${lines.join("\n")}\n`);
}

function terminal(): { width: number; color: boolean } {
  const { stdout, env } = process;
  return {
    // A terminal that does not know its width says 0.
    width: stdout.columns > 0 ? stdout.columns : 80,
    color: stdout.isTTY && env["NO_COLOR"] === undefined && env["TERM"] !== "dumb",
  };
}

/** One line that is overwritten on a terminal; elsewhere a line per quarter, and one per minute of waiting. */
function createProgress(out: NodeJS.WriteStream): { show(progress: Progress): void; clear(): void } {
  let drawn = 0;
  let quarter = 0;
  let written = performance.now();
  return {
    show(progress) {
      if (!out.isTTY) {
        const now = Math.floor((progress.done / progress.total) * 4);
        const isSilent = performance.now() - written > 60_000;
        if (now > quarter || isSilent) {
          out.write(`${progressLine(progress, 100)}\n`);
          written = performance.now();
        }
        quarter = now;
        return;
      }
      const now = performance.now();
      if (now - drawn < 80 && progress.done < progress.total) return;
      drawn = now;
      out.write(`\r\u001b[2K${progressLine(progress, Math.max(40, (out.columns > 0 ? out.columns : 80) - 1))}`);
    },
    clear() {
      if (out.isTTY && drawn > 0) out.write("\r\u001b[2K");
    },
  };
}
