import { ScanError, scan } from "@portcullis/scan";
import { reportOf, visible } from "@portcullis/scan/reporters";
import { Command } from "commander";
import { baselineOf } from "./outputs/baseline-file.ts";
import { optionsOf, type TargetFlags, withTarget } from "./target-options.ts";

/** `portcullis mcp`: the prover for coding assistants, over standard input and output. */
export function mcpCommand(): Command {
  const command = new Command("mcp")
    .description("let a coding assistant scan this API, read what was found and how to mend it (MCP over stdio)")
    .argument("<url>", "address of the API, such as http://localhost:3000");
  return withTarget(command)
    .option("--baseline <file>", "findings somebody answers for; they are not shown as open")
    .addHelpText("after", more)
    .action(serve);
}

const more = `
What is attacked, and as whom, is said here and by nobody else: an assistant can
start a scan, not choose its target. Tools: scan, findings, explain, fix.

  { "mcpServers": { "portcullis": { "command": "npx", "args": ["portcullis",
    "mcp", "http://localhost:3000", "--openapi", "openapi.json"] } } }`;

interface Flags extends TargetFlags {
  readonly baseline?: string;
}

async function serve(url: string, flags: Flags): Promise<void> {
  try {
    const options = await optionsOf(url, flags);
    const baseline = await baselineOf(flags);
    // Only this command needs the protocol; the others start without it.
    const { StdioServerTransport } = await import("@modelcontextprotocol/sdk/server/stdio.js");
    const { createMcpServer } = await import("./mcp-server.ts");
    const server = createMcpServer(async (only, onProgress) => {
      const result = await scan({
        ...options,
        onProgress,
        onWarning: (line) => process.stderr.write(`portcullis mcp: warning: ${visible(line)}\n`),
        ...(only.length === 0 ? {} : { only: allowed(only, options.only ?? []) }),
      });
      return reportOf(result, baseline === undefined ? {} : { baseline });
    });
    await server.connect(new StdioServerTransport());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`portcullis mcp: ${visible(message, "\n")}\n`);
    process.exitCode = 3;
  }
}

/** Of what an assistant asks for, what whoever started the server lets be attacked. */
function allowed(only: readonly string[], limit: readonly string[]): readonly string[] {
  const within = limit.length === 0 ? only : only.filter((id) => limit.includes(id));
  if (within.length === 0) throw new ScanError(`this server attacks ${limit.join(", ")} only`);
  return within;
}
