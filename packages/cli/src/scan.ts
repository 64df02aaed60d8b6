import { readFile } from "node:fs/promises";
import {
  type Account,
  type Planned,
  type Profile,
  type Progress,
  parseIdentity,
  parseOAuthClient,
  parseRoles,
  parseWebhook,
  ScanError,
  type ScanOptions,
  scan,
} from "@portcullis/scan";
import { type GoneFinding, jsonReport, progressLine, tableReport } from "@portcullis/scan/reporters";
import { Command } from "commander";
import { parseInterval, repeatedly, type Round } from "./outputs/every.ts";
import { factsOf } from "./outputs/export-tests.ts";
import { createNotifier } from "./outputs/notify.ts";
import { type OutputFlags, type Outputs, prepareOutputs } from "./outputs/outputs.ts";

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

const collect = (value: string, list: readonly string[] = []) => [...list, value];

/** The options that say what to attack and as whom; every command that scans has them. */
export function withTarget(command: Command): Command {
  return command
    .option("--manifest <file>", 'what "portcullis manifest" wrote; verdicts are exact')
    .option("--openapi <file|url>", "OpenAPI 3.x or Swagger 2.0 (JSON or YAML), where there is no manifest")
    .option(
      "--requests <file>",
      "recorded requests, a HAR or one METHOD /path [json] a line, where nothing describes it",
    )
    .option(
      "--as <name=credential>",
      'who to be: alice="Bearer …", ci="X-Api-Key: …", web="cookie:name=value"',
      collect,
    )
    .option("--auth <file>", "users that sign in by themselves, in the Web Fuzzing Commons format (YAML or JSON)")
    .option("--roles <name=role,…>", "roles an identity has, such as admin=admin", collect)
    .option(
      "--account <email:password>",
      "account for the sign-in probes; signs in where nobody else is given",
      collect,
    )
    .option(
      "--oauth <client=…,redirect=…>",
      "client of its authorization server (repeat: it tries what is the first one's)",
      collect,
    )
    .option("--no-register", "register no throwaway users where fewer than two callers are given")
    .option(
      "--jwt-key <file>",
      "test signing key (PEM, JWK or secret in a file, or secret:<text>); without it single claims are not tried",
    )
    .option("--origin <url>", "a browser origin that may read answers, and no other may (repeat)", collect)
    .option(
      "--webhook <endpoint=scheme[:secret]>",
      "a webhook and how its sender signs: stripe, github, slack, svix, standard-webhooks or hmac(…) (repeat)",
      collect,
    )
    .option("--supabase <url>", "a Supabase project whose tables are attacked too, as a stranger and as each --as user")
    .option("--anon-key <key>", "its anon or publishable key, which stands in the browser")
    .option("--ca <file>", "certificate authority to trust, such as that of a development certificate")
    .option("--only <id>", "attack only this protection (repeat, or separate by commas)", collect)
    .option("--skip <id>", "leave this protection out", collect)
    .option(
      "--profile <name>",
      "quick: one limit of each kind, short waits, for every push; full, the default: all of it",
    )
    .option("--patience <minutes>", "how long the scan may take to stay below the API's own limits")
    .option("--rate <number>", "most requests in any second")
    .option("--budget <number>", "most requests of the whole scan; default: 20000")
    .option("--consent <host>", "attack this host too, whose owner agrees (repeat)", collect)
    .option("--allow-unsafe", "also fetch what its name says is changed by reading, such as GET /reset")
    .option("--seed <number>", "repeat the values of an earlier scan");
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

Exit status: 0 held, 1 broken, 2 something is inconclusive, 3 the scan could
not be done or was interrupted. --fail-on leaves findings below a severity out
of it, --baseline those somebody answers for.`;

/** The options that say what to attack and as whom. */
export interface TargetFlags {
  readonly manifest?: string;
  readonly openapi?: string;
  readonly requests?: string;
  readonly auth?: string;
  readonly register?: boolean;
  readonly profile?: string;
  readonly rate?: string;
  readonly budget?: string;
  readonly consent?: readonly string[];
  readonly allowUnsafe?: true;
  readonly as?: readonly string[];
  readonly roles?: readonly string[];
  readonly account?: readonly string[];
  readonly oauth?: readonly string[];
  readonly jwtKey?: string;
  readonly webhook?: readonly string[];
  readonly supabase?: string;
  readonly anonKey?: string;
  readonly origin?: readonly string[];
  readonly ca?: string;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly seed?: string;
  readonly patience?: string;
}

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
    process.stderr.write("\nportcullis scan: stopping; what was created is deleted first (again: end at once)\n");
    stop.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    if (flags.every === undefined) {
      if (flags.notify !== undefined) throw new ScanError("--notify goes with --every");
      const round = await scanOnce(url, flags, stop.signal);
      process.exitCode = round.exitCode;
      return;
    }
    const notifier =
      flags.notify === undefined
        ? undefined
        : await createNotifier(flags.notify, process.env["PORTCULLIS_NOTIFY_SECRET"]);
    process.exitCode = await repeatedly({
      everyMs: parseInterval(flags.every),
      signal: end.signal,
      notifier,
      scan: (before) => scanOnce(url, flags, stop.signal, before),
      say: (line) => process.stderr.write(`portcullis scan: ${line}\n`),
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
  signal: AbortSignal,
  before?: readonly GoneFinding[],
): Promise<Round> {
  const progress = flags.quiet === true ? undefined : createProgress(process.stderr);
  let outputs: Outputs | undefined;
  try {
    const options = await optionsOf(url, flags);
    outputs = await prepareOutputs(url, flags, factsOf(options), before);
    const result = await scan({
      ...options,
      signal,
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
  const failure = `${error instanceof ScanError ? "" : "a fault of the prover itself: "}${message}`;
  process.stderr.write(`portcullis scan: ${failure}\n`);
  return { exitCode: 3, failure };
}

/**
 * What to attack and as whom, as the options say it.
 *
 * @throws ScanError when an option is written wrongly or a file cannot be read
 */
export async function optionsOf(url: string, flags: TargetFlags): Promise<ScanOptions> {
  const roles = new Map((flags.roles ?? []).map(parseRoles));
  const identities = (flags.as ?? [])
    .map((text) => parseIdentity(text))
    .map((one) => ({ ...one, roles: roles.get(one.name) ?? [] }));
  for (const name of roles.keys()) {
    // Users of an authentication file are not read yet.
    if (flags.auth === undefined && !identities.some((one) => one.name === name))
      throw new ScanError(`--roles names "${name}", and no --as does`);
  }
  return {
    url,
    identities,
    accounts: (flags.account ?? []).map(accountOf),
    oauth: (flags.oauth ?? []).map(parseOAuthClient),
    only: listed(flags.only),
    skip: listed(flags.skip),
    roles,
    profile: profileOf(flags.profile),
    ...(flags.patience === undefined ? {} : { patienceMs: minutes(flags.patience) * 60_000 }),
    ...(flags.manifest === undefined ? {} : { manifest: flags.manifest }),
    ...(flags.openapi === undefined ? {} : { openapi: flags.openapi }),
    ...(flags.requests === undefined ? {} : { requests: flags.requests }),
    ...(flags.auth === undefined ? {} : { auth: flags.auth }),
    ...(flags.register === false ? { register: false } : {}),
    ...(flags.origin === undefined ? {} : { origins: flags.origin }),
    ...(flags.rate === undefined ? {} : { rate: positive("--rate", flags.rate) }),
    ...(flags.budget === undefined ? {} : { budget: positive("--budget", flags.budget) }),
    ...(flags.consent === undefined ? {} : { consent: flags.consent.map(hostName) }),
    ...(flags.allowUnsafe === true ? { allowUnsafe: true } : {}),
    ...(flags.jwtKey === undefined ? {} : { jwtKey: await keyOf(flags.jwtKey) }),
    ...supabaseOf(flags),
    ...(flags.webhook === undefined ? {} : { webhooks: flags.webhook.map(parseWebhook) }),
    ...(flags.ca === undefined ? {} : { ca: await fileText(flags.ca) }),
    ...(flags.seed === undefined ? {} : { seed: wholeNumber(flags.seed) }),
  };
}

function profileOf(profile = "full"): Profile {
  if (profile === "quick" || profile === "full") return profile;
  throw new ScanError(`--profile ${profile}: there are quick and full`);
}

function supabaseOf({ supabase: url, anonKey }: TargetFlags): Pick<ScanOptions, "supabase"> {
  if (url === undefined && anonKey === undefined) return {};
  if (url === undefined || anonKey === undefined) throw new ScanError("--supabase and --anon-key go together");
  if (!URL.canParse(url)) throw new ScanError(`--supabase ${url}: write it as https://<project>.supabase.co`);
  return { supabase: { url, anonKey } };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new ScanError(`${option} ${text}: it is a whole number from 1 on`);
  return value;
}

function hostName(text: string): string {
  if (!/^[\w.:[\]-]+$/.test(text)) throw new ScanError(`--consent ${text}: name a host, such as staging.example.com`);
  return text.toLowerCase();
}

function accountOf(text: string): Account {
  const cut = text.indexOf(":");
  if (cut < 1 || cut === text.length - 1) throw new ScanError("an account is written email:password");
  return { user: text.slice(0, cut), password: text.slice(cut + 1) };
}

function listed(values: readonly string[] = []): readonly string[] {
  return values.flatMap((value) => value.split(",")).filter((id) => id !== "");
}

/**
 * The key in a file, or what is clearly a key itself: `secret:<text>`, a PEM or a JWK. A name that leads to no file is
 * not taken for a secret, since every forgery would then be refused and prove nothing.
 */
async function keyOf(value: string): Promise<string> {
  if (value.startsWith("secret:")) return keyText(value.slice("secret:".length));
  if (/^\s*(?:-----BEGIN|\{)/.test(value)) return value;
  try {
    return keyText((await readFile(value, "utf8")).trim());
  } catch (cause) {
    if (cause instanceof ScanError) throw cause;
    // The value may be a secret written the wrong way; it is not shown.
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new ScanError(`--jwt-key names no file that can be read (${code}); write a shared secret as secret:<text>`, {
      cause,
    });
  }
}

function keyText(text: string): string {
  if (text === "") throw new ScanError("--jwt-key is empty");
  return text;
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ScanError(`--seed ${text}: a seed is a whole number from 0 on`);
  return value;
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1440))
    throw new ScanError(`--patience ${text}: patience is minutes, 0 to 1440`);
  return value;
}

/** What is about to happen, before it does. */
function sayPlanned({ operations, checks, profile, aboutMs }: Planned): void {
  const time = aboutMs < 90_000 ? `${Math.ceil(aboutMs / 1000)} s` : `${Math.ceil(aboutMs / 60_000)} min`;
  process.stderr.write(
    `portcullis scan: ${operations} operations, ${checks} checks (${profile} profile), about ${time} where limits count in seconds\n`,
  );
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
