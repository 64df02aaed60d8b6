import { writeFileSync } from "node:fs";
import { compare } from "./compare.ts";
import { describeMachine } from "./machine.ts";
import { makeToken, warmRequests } from "./requests.ts";
import { type Contender, interleave, type Stretch } from "./rounds.ts";
import { canPin, pinSelf, type ServerName, startServer } from "./server-process.ts";
import { callerCount } from "./world.ts";

/**
 * What each way to serve an API costs beside sockets of its own: `npm run bench:adapters -- [--quick] [--write] [--json]`.
 * The same API, requests and rounds as `npm run bench`; the numbers are parts of the node adapter's.
 */
const names = ["portcullis", "portcullisExpress", "portcullisFetch"] as const satisfies readonly ServerName[];
const quick = process.argv.includes("--quick");
const rounds = quick ? 3 : 9;
const warm: Stretch = {
  warmUp: (requests) => ({ requests, end: { requests: callerCount * 3 } }),
  end: { ms: quick ? 500 : 1_300 },
};
const longWarmUp: Stretch = { ...warm, end: { requests: quick ? 20_000 : 60_000 } };

const pinned = canPin();
const say = (text: string): void => void process.stdout.write(`${text}\n`);
if (pinned) pinSelf(1);
const running = await Promise.all(names.map((name) => startServer(name, { core: pinned ? 0 : undefined })));
const tokens = Array.from({ length: callerCount }, (_, n) => makeToken(n));

const ratios: Record<string, Record<string, { readonly ratioToNode: number; readonly cpuMicros: number }>> = {};
for (const kind of ["get", "post"] as const) {
  const requests = warmRequests(kind, tokens);
  const contenders = running.map((server): Contender => ({ server, requests: () => requests }));
  await interleave(contenders, longWarmUp, 1, () => undefined);
  const { samples, repeated } = await interleave(contenders, warm, rounds, (done) =>
    say(`${kind}: round ${done} of ${rounds}`),
  );
  const { servers } = compare(names, samples, repeated);
  const own: Record<string, { readonly ratioToNode: number; readonly cpuMicros: number }> = {};
  for (const name of names) {
    const measured = servers[name];
    if (measured === undefined) throw new Error(`${name} was not measured`);
    own[name] = { ratioToNode: measured.ratioToBare, cpuMicros: measured.cpuMicros };
  }
  ratios[kind] = own;
}
for (const server of running) await server.stop();

const machine = describeMachine({ pinned, rounds, quick });
const rows = names.map((name) => {
  const cells = ["get", "post"].map((kind) => {
    const { ratioToNode = Number.NaN, cpuMicros = Number.NaN } = ratios[kind]?.[name] ?? {};
    return `${ratioToNode.toFixed(2)} (${cpuMicros.toFixed(1)} us)`;
  });
  return `| ${name} | ${cells.join(" | ")} |`;
});
const table = ["| adapter | GET | POST |", "|---|---|---|", ...rows].join("\n");
say(`\nWork per processor second in parts of the node adapter's; higher is better.\n\n${table}`);
if (process.argv.includes("--write")) {
  writeFileSync(new URL("./adapters.json", import.meta.url), `${JSON.stringify({ machine, ratios }, null, 2)}\n`);
}
if (process.argv.includes("--json")) say(JSON.stringify({ machine, ratios }));
