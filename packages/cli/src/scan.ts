import { readFile, writeFile } from "node:fs/promises";
import {
  type Account,
  type Progress,
  parseIdentity,
  parseRoles,
  ScanError,
  type ScanOptions,
  scan,
} from "@portcullis/scan";
import { jsonReport, progressLine, tableReport } from "@portcullis/scan/reporters";
import { Command } from "commander";

/** `portcullis scan`: exit 0 held, 1 broken, 2 inconclusive, 3 scan error. */
export function scanCommand(): Command {
  const collect = (value: string, list: readonly string[] = []) => [...list, value];
  return new Command("scan")
    .description("attack every protection of an API on this machine and say of each: held, broken or inconclusive")
    .argument("<url>", "address of the API, such as https://localhost:8443")
    .option("--manifest <file>", 'what "portcullis manifest" wrote; verdicts are exact')
    .option("--openapi <file>", "OpenAPI 3.x document (JSON or YAML), where there is no manifest")
    .option(
      "--as <name=credential>",
      'who to be: alice="Bearer …", ci="X-Api-Key: …", web="cookie:name=value"',
      collect,
    )
    .option("--roles <name=role,…>", "roles an identity has, such as admin=admin", collect)
    .option("--account <email:password>", "account for the sign-in probes", collect)
    .option(
      "--jwt-key <file>",
      "test signing key (PEM, JWK or secret in a file, or secret:<text>); without it single claims are not tried",
    )
    .option("--ca <file>", "certificate authority to trust, such as that of a development certificate")
    .option("--only <id>", "attack only this protection (repeat, or separate by commas)", collect)
    .option("--skip <id>", "leave this protection out", collect)
    .option("--json [file]", "write the whole result as JSON: to the file, or to standard output in place of the table")
    .option("--patience <minutes>", "how long the scan may take to stay below the API's own limits; default: 30")
    .option("--seed <number>", "repeat the values of an earlier scan")
    .option("--quiet", "no progress")
    .addHelpText("after", more)
    .action(runScan);
}

const more = `
Credentials for --as:
  name="Bearer <token>"          Authorization header, any scheme
  name="<Header-Name>: <value>"  any other header, such as an API key
  name="cookie:<name>=<value>"   session cookie
  Two callers without roles are needed to prove object-access, one with a role
  (--roles) to prove function-access.

Examples:
  portcullis manifest api.ts --out manifest.json
  portcullis scan https://localhost:8443 --manifest manifest.json --ca ca.pem \\
    --as alice="Bearer $ALICE" --as bob="Bearer $BOB" \\
    --as admin="Bearer $ADMIN" --roles admin=admin
  portcullis scan http://localhost:3000 --openapi openapi.yaml \\
    --as alice="X-Api-Key: $KEY" --only output,jwt

Only loopback addresses are scanned. The scan stays below the API's own limits,
changes only what it created and deletes it at the end. Colours and the moving
progress line appear on a terminal only; NO_COLOR turns colours off.

Exit status: 0 held, 1 broken, 2 something is inconclusive, 3 the scan could
not be done.`;

interface Flags {
  readonly manifest?: string;
  readonly openapi?: string;
  readonly as?: readonly string[];
  readonly roles?: readonly string[];
  readonly account?: readonly string[];
  readonly jwtKey?: string;
  readonly ca?: string;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly json?: string | true;
  readonly seed?: string;
  readonly patience?: string;
  readonly quiet?: true;
}

async function runScan(url: string, flags: Flags): Promise<void> {
  const progress = flags.quiet === true ? undefined : createProgress(process.stderr);
  try {
    const options = await optionsOf(url, flags);
    const result = await scan({ ...options, ...(progress === undefined ? {} : { onProgress: progress.show }) });
    progress?.clear();
    if (flags.json !== undefined && flags.json !== true) await writeFile(flags.json, jsonReport(result));
    process.exitCode = result.exitCode;
    process.stdout.write(flags.json === true ? jsonReport(result) : tableReport(result, terminal()));
  } catch (error) {
    progress?.clear();
    // Whatever went wrong, it is no statement about the API: never exit 1 for it.
    const message = error instanceof Error ? error.message : String(error);
    const fault = error instanceof ScanError ? "" : "a fault of the prover itself: ";
    process.stderr.write(`portcullis scan: ${fault}${message}\n`);
    process.exitCode = 3;
  }
}

async function optionsOf(url: string, flags: Flags): Promise<ScanOptions> {
  const roles = new Map((flags.roles ?? []).map(parseRoles));
  const identities = (flags.as ?? [])
    .map((text) => parseIdentity(text))
    .map((one) => ({ ...one, roles: roles.get(one.name) ?? [] }));
  for (const name of roles.keys()) {
    if (!identities.some((one) => one.name === name)) throw new ScanError(`--roles names "${name}", and no --as does`);
  }
  return {
    url,
    identities,
    accounts: (flags.account ?? []).map(accountOf),
    only: listed(flags.only),
    skip: listed(flags.skip),
    patienceMs: minutes(flags.patience ?? "30") * 60_000,
    ...(flags.manifest === undefined ? {} : { manifest: flags.manifest }),
    ...(flags.openapi === undefined ? {} : { openapi: flags.openapi }),
    ...(flags.jwtKey === undefined ? {} : { jwtKey: await keyOf(flags.jwtKey) }),
    ...(flags.ca === undefined ? {} : { ca: await fileText(flags.ca) }),
    ...(flags.seed === undefined ? {} : { seed: wholeNumber(flags.seed) }),
  };
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
