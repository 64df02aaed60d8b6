#!/usr/bin/env node
import { Command } from "commander";

// Whoever reads may have seen enough (`| head`): that is an end, and no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
}

const program = new Command("portcullis")
  .description("The API security checklist made executable: prove what an API promises, write down what it promises.")
  .version("0.1.0")
  .showHelpAfterError("(portcullis <command> --help shows what there is)")
  // Commander ends with 1 on bad input, which here would mean "broken".
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 3));

// Each loads what it needs and nothing of the others: a check of source does not wait for the prover.
const commands = new Map([
  ["scan", async () => (await import("./scan.ts")).scanCommand()],
  ["check", async () => (await import("./check.ts")).checkCommand()],
  ["manifest", async () => (await import("./manifest.ts")).manifestCommand()],
  ["keys", async () => (await import("./keys.ts")).keysCommand()],
  ["mcp", async () => (await import("./mcp.ts")).mcpCommand()],
]);
// `check` runs it in a process of its own; it is in no help.
const asked = process.argv[2] ?? "";
if (asked === "next-facts") commands.set(asked, async () => (await import("./next-facts.ts")).nextFactsCommand());

const load = commands.get(asked);
for (const one of load === undefined ? commands.values() : [load])
  program.addCommand((await one()).copyInheritedSettings(program));

await program.parseAsync();
