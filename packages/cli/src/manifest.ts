import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { type Exported, isApi, said } from "./exported-api.ts";
import { member } from "./member.ts";

/** `portcullis manifest`: writes what the policies of an API add up to; exit 1 where they leave something undecided. */
export function manifestCommand(): Command {
  return new Command("manifest")
    .description("write the manifest of an API: what its policies add up to, and what the prover attacks by")
    .argument("<module>", 'module that exports the API as "api" or as its default')
    .option("--out <file>", "file to write; default: standard output")
    .action(writeManifest);
}

async function writeManifest(path: string, flags: { readonly out?: string }): Promise<void> {
  let api: Exported;
  // Whatever the module says while it loads is not the manifest.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    api = apiIn(await import(pathToFileURL(resolve(path)).href), path);
  } catch (error) {
    process.stderr.write(`portcullis manifest: ${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
      process.stderr.write(`  fix: let ${path} export the API and listen elsewhere, or only if (import.meta.main)\n`);
    }
    return process.exit(3);
  } finally {
    process.stdout.write = write;
  }
  const problems = api.problems();
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${said(problem)}\n`);
    process.stderr.write(
      `${problems.length} ${problems.length === 1 ? "problem" : "problems"}: this API would not start.\n`,
    );
    return process.exit(1);
  }
  const text = `${JSON.stringify(api.manifest(), null, 2)}\n`;
  if (flags.out === undefined) await new Promise((resolve) => process.stdout.write(text, resolve));
  else {
    try {
      await writeFile(flags.out, text);
    } catch (error) {
      process.stderr.write(
        `portcullis manifest: cannot write ${flags.out}: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      return process.exit(3);
    }
  }
  // A module that listens as it loads would keep the command running for ever.
  process.exit(0);
}

function apiIn(module: unknown, path: string): Exported {
  for (const name of ["api", "default"]) {
    const value = member(module, name);
    if (isApi(value)) return value;
  }
  throw new Error(`${path} exports no API: export what createApi() returned as "api" or as the default`);
}
