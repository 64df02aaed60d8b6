/**
 * Makes node_modules what package-lock.json says, once; run by `./start` and `./test`, after they found a Node.
 *
 * A stamp inside node_modules names the lock file it was installed from. `npm ci` removes node_modules before it
 * installs, and the stamp is written last, so an install that was interrupted is repeated.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const stampFile = join("node_modules", ".portcullis-stamp");

/**
 * What an up-to-date node_modules carries as its stamp: the platform, because native parts differ, and the SHA-256 of
 * package-lock.json in hex.
 *
 * @param root  the checkout's folder
 * @throws Error when there is no package-lock.json
 */
export function wantedStamp(root: string): string {
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${process.platform}-${process.arch} ${hash}\n`;
}

/** True when node_modules was installed from today's lock file, on a platform like this one. */
export function isInstalled(root: string): boolean {
  try {
    return readFileSync(join(root, stampFile), "utf8") === wantedStamp(root);
  } catch {
    return false;
  }
}

/** Declares node_modules up to date; call it only when it is. */
export function writeStamp(root: string): void {
  writeFileSync(join(root, stampFile), wantedStamp(root));
}

/**
 * Runs `npm ci`, quietly unless it fails. No package's own script runs, and development and optional packages come
 * along whatever the machine's npm settings or NODE_ENV say: the tests need them.
 *
 * @returns npm's exit code; 127 when there is no npm
 */
function install(root: string): number {
  const npm = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"],
    { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  if (npm.error !== undefined) {
    console.error(`The dependencies could not be installed: npm did not run (${npm.error.message}).`);
    return 127;
  }
  if (npm.status !== 0) {
    console.error(npm.stdout + npm.stderr);
    console.error("The dependencies could not be installed: npm's own words are above.");
  }
  return npm.status ?? 1;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  if (!isInstalled(root)) {
    console.error("Installing the dependencies from package-lock.json (once)…");
    process.exitCode = install(root);
    if (process.exitCode === 0) writeStamp(root);
  }
}
