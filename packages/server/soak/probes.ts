/**
 * `probes.ts [portcullis.ts]`: scans an instance by its own manifest, as it is and with each hole in turn, and prints what
 * the probe says. Exit 1 where it is not held without a hole, or not broken with one.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedStores, type TestStores } from "../test/storage/open-stores.ts";
import { holes } from "./holes.ts";
import { clientId, redirectUri } from "./instance.ts";
import { freePorts, signIn, startInstance } from "./instances.ts";

const person = { email: "alice@example.com", password: "correct horse battery" } as const;
const ours = new URL("../../cli/src/portcullis.ts", import.meta.url).pathname;

if (import.meta.main) {
  const stores = await embeddedStores();
  try {
    for (const index of [undefined, ...holes.keys()]) {
      const hole = index === undefined ? undefined : holes[index];
      const said = await scanned(stores, index, process.argv[2]);
      const isRight = said === (hole === undefined ? "held" : "broken");
      if (!isRight) process.exitCode = 1;
      process.stdout.write(`${isRight ? "as it should" : "WRONG"}\t${said}\t${hole?.name ?? "no hole"}\n`);
    }
  } finally {
    await stores.stop();
  }
}

/**
 * What the oauth probe says of an instance.
 *
 * @param hole     opens this one of the holes, by its place in their list
 * @param command  `portcullis` to scan with; default that of this repository
 */
export async function scanned(stores: TestStores, hole: number | undefined, command = ours): Promise<string> {
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), "portcullis-probes-"));
  const at = await startInstance({ storage: await stores.place(), port, issuerPort: port, isUnlimited: true }, hole);
  try {
    await at.ask({ do: "account", ...person });
    const { access } = await signIn(at, person.email, person.password);
    const { manifest = "" } = await at.ask({ do: "manifest" });
    const [of, report] = [join(folder, "manifest.json"), join(folder, "report.json")];
    writeFileSync(of, manifest);
    const flags = [
      ["--manifest", of, "--only", "oauth", "--no-register", "--quiet", "--json", report],
      ["--as", `alice=Bearer ${access}`, "--account", `${person.email}:${person.password}`],
      ["--oauth", `client=${clientId},redirect=${redirectUri},scope=openid notes:read`],
    ].flat();
    const args = ["--conditions=source", command, "scan", at.origin, ...flags];
    const { status, stderr } = await run(args);
    return ["held", "broken", "inconclusive"][status] ?? `failed: ${stderr}`;
  } finally {
    await at.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[]): Promise<{ readonly status: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 2 ** 26 }, (error, _out, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stderr });
    });
  });
}
