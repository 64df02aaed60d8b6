/**
 * What tests run against, from the system's packages: Redis, PostgreSQL and a browser. On a machine that is thrown away
 * (continuous integration, a container) they are installed where they are missing; on anybody's own machine nothing is
 * touched, and the tests that need one fail with a sentence that says how to get it.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, globSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A package and where its program may lie; `*` stands for any folder. Relative names are looked for along PATH. */
export interface SystemPackage {
  readonly name: string;
  readonly programs: readonly string[];
}

/** What the tests start. PostgreSQL's own programs lie outside PATH on Debian. */
export const systemPackages: readonly SystemPackage[] = [
  { name: "redis-server", programs: ["redis-server"] },
  { name: "postgresql", programs: ["postgres", "/usr/lib/postgresql/*/bin/postgres"] },
  { name: "chromium", programs: ["chromium", "google-chrome"] },
];

/** What decides whether anything is installed. */
export interface Machine {
  readonly isRoot: boolean;
  /** Continuous integration says so, or the system runs in a container. */
  readonly isThrownAway: boolean;
  readonly hasAptGet: boolean;
}

/** Which packages to install: those without a program, and none where the machine is somebody's own. */
export function wanted(machine: Machine, isThere: (one: SystemPackage) => boolean): readonly string[] {
  if (!machine.isRoot || !machine.isThrownAway || !machine.hasAptGet) return [];
  return systemPackages.filter((one) => !isThere(one)).map(({ name }) => name);
}

/** Installs what is missing and may be installed; says one line, and the installer's own words when it fails. */
export function installSystemPackages(): void {
  const names = wanted(thisMachine(), hasProgram);
  if (names.length === 0) return;
  console.error(`Installing ${names.join(" and ")} for the tests (once)…`);
  // One at a time: a name that this system does not have must not keep the others away.
  const steps = [["update", "-q"], ...names.map((name) => ["install", "-q", "-y", "--no-install-recommends", name])];
  for (const words of steps) {
    const run = spawnSync("apt-get", words, {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (run.status === 0) continue;
    console.error(run.error?.message ?? `${run.stdout}${run.stderr}`.trimEnd());
    console.error(`apt-get ${words.join(" ")} failed; the tests that need what is missing say how to get it.`);
  }
}

/** Whether one of the package's programs can be run. */
export function hasProgram({ programs }: SystemPackage): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return programs
    .flatMap((program) =>
      program.startsWith("/") ? globSync(program) : folders.map((folder) => join(folder, program)),
    )
    .some(canRun);
}

function thisMachine(): Machine {
  return {
    isRoot: process.getuid?.() === 0,
    isThrownAway: Boolean(process.env["CI"]) || existsSync("/.dockerenv") || existsSync("/run/.containerenv"),
    hasAptGet: canRun("/usr/bin/apt-get"),
  };
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
