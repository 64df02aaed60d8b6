/**
 * `npm run soak`: what must hold when many ask at once and processes are killed, on both stores; prints a table and
 * writes `results.md` and `results.json` beside this file. `--quick` does little and writes nothing. Exit 1 where
 * something does not hold.
 */
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { embeddedStores, postgresStores } from "../test/storage/open-stores.ts";
import { crowds, type Crowds, kills, type Kills } from "./rotation.ts";

interface Result {
  readonly store: string;
  readonly crowds: Crowds;
  readonly kills: Kills;
  readonly seconds: number;
}

const isQuick = process.argv.includes("--quick");
const [crowdCount, killCount] = isQuick ? [1, 4] : [10, 50];

const results: Result[] = [];
for (const [store, open, processes] of [
  ["SQLite", embeddedStores, 1],
  ["PostgreSQL", postgresStores, 4],
] as const) {
  const stores = await open();
  const begun = performance.now();
  try {
    results.push({
      store,
      crowds: await crowds(await stores.place(), { processes, crowds: crowdCount, refreshesEach: 100 }),
      kills: await kills(await stores.place(), killCount, processes > 1),
      seconds: Math.round((performance.now() - begun) / 1000),
    });
  } finally {
    await stores.stop();
  }
}

const machine = {
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
};
const table = [
  "| | SQLite, 1 process | PostgreSQL, 4 processes |",
  "|---|---|---|",
  row("times that one token was shown 100 times at once", ({ crowds: c }) => c.crowds),
  row("refreshes that got no tokens", ({ crowds: c }) => c.refused),
  row("successors of one token, most", ({ crowds: c }) => c.successors),
  row("people logged out by it", ({ crowds: c }) => c.loggedOut),
  row("kill -9 in the middle of a rotation", ({ kills: k }) => `${k.kills} (${k.unanswered} before an answer)`),
  row("tokens lost that somebody had been given", ({ kills: k }) => k.lost),
  row("tokens usable twice", ({ kills: k }) => k.usableTwice),
  row("revocations lost that had been answered", ({ kills: k }) => k.revocationsLost),
  row("seconds it took", ({ seconds }) => seconds),
].join("\n");
process.stdout.write(`${table}\n`);

if (!isQuick) {
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.date}`;
  const note = "Written by `npm run soak`. PostgreSQL runs without fsync here: the server is not what is killed.";
  writeFileSync(new URL("results.md", import.meta.url), `# Soak\n\n${about}\n\n${table}\n\n${note}\n`);
  writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify({ machine, results }, null, 2)}\n`);
}

const hold = results.every(
  ({ crowds: c, kills: k }) =>
    c.refused + c.loggedOut + k.lost + k.usableTwice + k.revocationsLost === 0 && c.successors === 1,
);
process.exitCode = hold ? 0 : 1;

function row(name: string, value: (result: Result) => number | string): string {
  return `| ${name} | ${results.map(value).join(" | ")} |`;
}
