/**
 * `./start`: the whole loop on the reference API. Boots it twice, protected and the way the usual samples are written,
 * attacks both with the prover, shows the results beside each other, and keeps the protected one running to be tried.
 * `./start --check` does the same, leaves nothing running, and exits 0 only if everything is as it should be.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { scan } from "@portcullis/scan";
import type { ScanResult } from "@portcullis/scan";
import { htmlReport, reportOf } from "@portcullis/scan/reporters";
import { colorsFor } from "./demonstration/colors.ts";
import { lackingProtections } from "./demonstration/expected.ts";
import { type IdentityDemonstration, signInLines, startIdentity } from "./demonstration/identity.ts";
import { showProgress } from "./demonstration/progress.ts";
import { countsOf, sideBySide, summary } from "./demonstration/side-by-side.ts";
import { sourceItems } from "./demonstration/source-items.ts";
import type { Demonstration, DemonstrationTarget } from "./demonstration/targets.ts";
import { startTargets } from "./demonstration/targets.ts";
import { joined, shellWord } from "./demonstration/text.ts";

const usage = `Usage: ./start [--port <port>]             attack both examples, then serve the protected one (port 8443)
                                         and a sign-in for your browser (the port after it)
       ./start --check                   the same, leaving nothing running; exit 0 if all is as it should be, 3 if it could not run
       ./start scan <url> [options]       attack an API of yours; ./start scan --help
       ./start check [folder]             look in source for what the checklist forbids
       ./start manifest <module>          write an API's manifest
       ./start keys <what>                make, list, rotate and revoke API keys; ./start keys --help`;

const root = resolve(import.meta.dirname, "..");
const folder = join(root, ".portcullis");

const options = readArguments();
const { stdout, env } = process;
const colors = colorsFor(stdout.isTTY && env["NO_COLOR"] === undefined && env["TERM"] !== "dumb");
// A terminal that does not know its width says 0.
const width = stdout.columns > 0 ? stdout.columns : 120;

const demonstration = await boot(options.check ? 0 : options.port);
const { protectedTarget, unprotectedTarget } = demonstration;
say(colors.bold("Portcullis: one API, twice, under the same attack"));
const addressWidth = Math.max(protectedTarget.url.length, unprotectedTarget.url.length) + 2;
for (const [{ name, url }, what] of [
  [protectedTarget, "one policy per route"],
  [unprotectedTarget, "as the usual samples write it"],
] as const) {
  say(`  ${name.padEnd(13)}${colors.accent(url)}${" ".repeat(addressWidth - url.length)}${colors.dim(what)}`);
}
say("");

let good: ScanResult;
let bad: ScanResult;
const progress = showProgress(["protected", "unprotected"], process.stderr);
try {
  [good, bad] = await Promise.all([prove(protectedTarget, protectedTarget.ca), prove(unprotectedTarget)]);
} catch (error) {
  progress.end();
  await closeAll(demonstration);
  console.error(error instanceof Error ? error.message : error);
  process.exit(3);
}
progress.end();

say(colors.bold("The five source checklists, item by item"));
say(sourceItems(good, bad, colors, width));
say("");
say(colors.bold("The protections, side by side"));
say(sideBySide(good, bad, colors, width));
say("");
say(summary(good, bad, colors));
say("");
const manifestPath = join(folder, "manifest.json");
writeFileSync(manifestPath, `${JSON.stringify(demonstration.manifest, null, 2)}\n`);
const evidence = [good, bad].map((result, index) => {
  const path = join(folder, index === 0 ? "protected.json" : "unprotected.json");
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  return shown(path);
});
for (const line of joined([`${good.requests + bad.requests} requests; evidence:`, ...evidence], " ", width)) say(line);
const reports = [good, bad].map((result, index) => {
  const path = join(folder, index === 0 ? "protected.html" : "unprotected.html");
  writeFileSync(path, htmlReport(reportOf(result)));
  return shown(path);
});
for (const line of joined(["reports to read and print:", ...reports], " ", width)) say(line);

const missed = lackingProtections.filter(
  (id) => bad.protections.find((one) => one.protection === id)?.verdict !== "broken",
);
const isAsItShouldBe = good.counts.broken === 0 && good.counts.inconclusive === 0 && missed.length === 0;
if (missed.length > 0) say(colors.red(`Not found broken where it is: ${missed.join(", ")}`));

await unprotectedTarget.close();
if (options.check) {
  await protectedTarget.close();
  process.exitCode = isAsItShouldBe ? 0 : 1;
} else {
  await keepRunning();
}
say(`protected: ${countsOf(good)} · unprotected: ${countsOf(bad)}`);

async function prove(target: DemonstrationTarget, ca?: string): Promise<ScanResult> {
  return scan({
    url: target.url,
    manifest: demonstration.manifest,
    identities: target.identities,
    accounts: target.accounts,
    jwtKey: target.jwtKey,
    seed: 1,
    ...(ca === undefined ? {} : { ca }),
    onProgress: (at) => progress.update(target.name, at),
  });
}

/** A page to open, lines to paste, in whatever folder, and a graceful end. */
async function keepRunning(): Promise<void> {
  const identity = await signInFor(options.port + 1);
  const { url, key, caPath } = protectedTarget;
  const curl = `curl --cacert ${shellWord(caPath)}`;
  const bearer = `-H "Authorization: Bearer ${key}"`;
  const again = join(folder, "scan.sh");
  writeScan(again);
  if (identity !== undefined) {
    say("");
    for (const line of signInLines(identity, colors)) say(line);
  }
  say("");
  say(`${colors.bold("Try it")} ${colors.dim("· the protected API, and the sign-in, run until Ctrl-C")}`);
  const lines = [
    ["allowed: alice lists her projects", `${curl} -w '\\n' ${bearer} "${url}/v1/projects?limit=2"`],
    ["refused: nobody asks", `${curl} -w '\\n' "${url}/v1/projects?limit=2"`],
    [
      // What stands after # is never sent: one command, one connection, six requests.
      "limited: five in two seconds, then 429 and how long to wait",
      `${curl} -s -o /dev/null -w '%{http_code} %header{retry-after}\\n' ${bearer} "${url}/v1/reports/slow-export#[1-6]"`,
    ],
    ["the same attack once more; its tokens live 15 minutes", `sh ${shellWord(again)}`],
  ] as const;
  for (const [what, line] of lines) {
    say("");
    say(colors.dim(`# ${what}`));
    say(colors.accent(line));
  }
  say("");
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void protectedTarget.close();
      void identity?.close();
    });
  }
}

/** Accounts and their pages, beside the API. */
async function signInFor(port: number): Promise<IdentityDemonstration | undefined> {
  try {
    return await startIdentity(folder, port);
  } catch (error) {
    const why = isInUse(error)
      ? `port ${port} is in use (free it, or say ./start --port <another>)`
      : error instanceof Error
        ? error.message
        : String(error);
    say("");
    say(`There is no sign-in to try: ${why}. Everything else runs.`);
    return undefined;
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** The attack as a command of its own: too long for a terminal, with the tokens it takes. */
function writeScan(path: string): void {
  const words = ["scan", protectedTarget.url, "--manifest", manifestPath, "--ca", protectedTarget.caPath];
  const options = [...protectedTarget.scanArguments, "--seed", "1"];
  const command = [join(root, "start"), ...words, ...options].map(shellWord).join(" \\\n  ");
  rmSync(path, { force: true });
  writeFileSync(path, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o700 });
}

/** A path as the reader would write it. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}

async function boot(port: number): Promise<Demonstration> {
  try {
    return await startTargets(folder, port);
  } catch (error) {
    console.error(isInUse(error) ? `Port ${port} is in use; free it, or say ./start --port <another>.` : error);
    return process.exit(3);
  }
}

async function closeAll(both: Demonstration): Promise<void> {
  await Promise.all([both.protectedTarget.close(), both.unprotectedTarget.close()]);
}

function readArguments(): { readonly check: boolean; readonly port: number } {
  try {
    const { values } = parseArgs({
      options: { check: { type: "boolean" }, port: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help === true) {
      console.log(usage);
      return process.exit(0);
    }
    const port = Number(values.port ?? 8443);
    if (!Number.isInteger(port) || port < 1 || port > 65_534) throw new Error("--port is a number from 1 to 65534");
    return { check: values.check === true, port };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return process.exit(3);
  }
}

function say(text: string): void {
  console.log(text);
}
