#!/usr/bin/env node
import { Command } from "commander";
import { checkCommand } from "./check.ts";
import { keysCommand } from "./keys.ts";
import { manifestCommand } from "./manifest.ts";
import { nextFactsCommand } from "./next-facts.ts";
import { mcpCommand } from "./mcp.ts";
import { scanCommand } from "./scan.ts";

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

program.addCommand(scanCommand().copyInheritedSettings(program));
program.addCommand(checkCommand().copyInheritedSettings(program));
program.addCommand(manifestCommand().copyInheritedSettings(program));
program.addCommand(keysCommand().copyInheritedSettings(program));
program.addCommand(mcpCommand().copyInheritedSettings(program));
program.addCommand(nextFactsCommand().copyInheritedSettings(program), { hidden: true });

await program.parseAsync();
