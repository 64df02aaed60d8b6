import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkServer } from "./check.ts";
import { compare, type Comparison } from "./compare.ts";
import { describeMachine } from "./machine.ts";
import { makeRequest, makeToken, warmRequests } from "./requests.ts";
import { markdownOf, resultOf, tableOf } from "./report.ts";
import { interleave, type Contender, type Stretch } from "./rounds.ts";
import { canPin, pinSelf, type ServerName, serverNames, type ServerProcess, startServer } from "./server-process.ts";
import { callerCount } from "./world.ts";

/**
 * Portcullis beside its peers, in one run: `npm run bench -- [--quick] [--write] [--json]`. What is measured and why it
 * can be believed stands in README.md.
 */
const quick = process.argv.includes("--quick");
const json = process.argv.includes("--json");
const unknown = process.argv.slice(2).filter((option) => !["--quick", "--write", "--json"].includes(option));
if (unknown.length > 0) throw new Error(`bench knows --quick, --write and --json, not ${unknown.join(" ")}`);

const rounds = quick ? 3 : 9;
const warm: Stretch = {
  warmUp: (requests) => ({ requests, end: { requests: callerCount * 3 } }),
  end: { ms: quick ? 500 : 1_300 },
};
const coldCount = quick ? 2_000 : 5_000;
const cold: Stretch = {
  // Tokens that are never measured warm the connections and the code, so that only the tokens are cold.
  warmUp: () => ({ requests: freshRequests(1_000), end: { requests: 1_000 } }),
  end: { requests: coldCount },
};

const pinned = canPin();
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const startedAt = performance.now();

await refuseDishonestServers();

if (pinned) pinSelf(1);
else say("taskset is missing, so nothing is pinned to a core; install util-linux for steadier numbers");
const running: Record<(typeof serverNames)[number], ServerProcess> = {
  bare: await start("bare"),
  portcullis: await start("portcullis"),
  fastify: await start("fastify"),
  hono: await start("hono"),
  express: await start("express"),
};
const tokens = Array.from({ length: callerCount }, (_, n) => makeToken(n));
const getRequests = warmRequests("get", tokens);
const postRequests = warmRequests("post", tokens);
const keyRequests = warmRequests("get", running.portcullis.apiKeys ?? []);

say(`warming up ${serverNames.length} servers`);
for (const name of serverNames) {
  for (const requests of [getRequests, postRequests]) {
    await interleave([{ server: running[name], requests: () => requests }], warmLong(), 1, () => undefined);
  }
}

const get = await run("authenticated GET, warm tokens", serverNames, () => getRequests, warm);
const post = await run("validated POST, warm tokens", serverNames, () => postRequests, warm);
const coldGet = await run("authenticated GET, cold tokens", serverNames, () => freshRequests(coldCount), cold);
const apiKeys = await run("authenticated GET, warm API keys", ["bare", "portcullis"], () => keyRequests, warm);
for (const name of serverNames) await running[name].stop();

const machine = describeMachine({ pinned, rounds, quick });
const result = resultOf({ get, post, cold: coldGet, apiKeys }, machine);
say(`\n${tableOf(result)}`);
say(`${Math.round((performance.now() - startedAt) / 1_000)} s`);
if (process.argv.includes("--write")) {
  writeFileSync(new URL("./results.json", import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(new URL("./results.md", import.meta.url), markdownOf(result));
}
if (json) say(JSON.stringify(result));

async function run(
  what: string,
  names: readonly (typeof serverNames)[number][],
  requests: () => readonly Buffer[],
  stretch: Stretch,
): Promise<Comparison> {
  const contenders = names.map((name): Contender => ({ server: running[name], requests }));
  const { samples, repeated } = await interleave(contenders, stretch, rounds, (done, again) =>
    say(`${what}: round ${done} of ${rounds}${again === 0 ? "" : `, ${again} repeated`}`),
  );
  return compare(names, samples, repeated);
}

/** Starts each server once with its log in a file and asks what all have to answer alike; ends the bench where not. */
async function refuseDishonestServers(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-bench-"));
  try {
    const wrong: string[] = [];
    for (const name of serverNames) {
      const log = join(folder, `${name}.log`);
      const server = await startServer(name, { log });
      wrong.push(...(await checkServer(server, log)));
      await server.stop();
    }
    if (wrong.length > 0) throw new Error(`the servers do not do the same work:\n${wrong.join("\n")}`);
    say("all servers answer honest requests with the same bytes and refuse the others");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function start(name: ServerName): Promise<ServerProcess> {
  return startServer(name, { core: pinned ? 0 : undefined });
}

/** Until the engine has compiled what there is to compile; it is still at it after 20,000 requests. */
function warmLong(): Stretch {
  return { ...warm, end: { requests: quick ? 20_000 : 60_000 } };
}

/** Requests with tokens that no server has seen. */
function freshRequests(count: number): readonly Buffer[] {
  return Array.from({ length: count }, (_, i) => makeRequest("get", i % callerCount, makeToken(i % callerCount)));
}
