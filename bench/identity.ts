/**
 * `npm run bench:identity -- --json [--seconds 5]`: what one process of the identity server does per second, on both
 * stores: sign-ins (pages, password, code, tokens), token issues (client credentials), refreshes, and requests with a
 * token and with an API key that were seen before. The last line is one JSON object. Without `--json` it also writes
 * `identity-results.md` and `identity-results.json`.
 *
 * Limits see time pass faster, so that none of them is what is measured; every gate runs.
 */
import { writeFileSync } from "node:fs";
import { machine as client } from "../packages/server/soak/instance.ts";
import { type Instance, signIn, startInstances } from "../packages/server/soak/instances.ts";
import { embeddedStores, postgresStores } from "../packages/server/test/storage/open-stores.ts";
import { describeMachine } from "./machine.ts";

/** Per second. */
interface Rates {
  readonly signIns: number;
  readonly tokenIssues: number;
  readonly refreshes: number;
  readonly requestsWithToken: number;
  readonly requestsWithKey: number;
}

const onlySays = process.argv.includes("--json");
const at = process.argv.indexOf("--seconds");
const seconds = at === -1 ? 5 : Number(process.argv[at + 1]);
if (!(seconds > 0 && seconds <= 600)) throw new Error("--seconds takes a number up to 600");

const person = { email: "alice@example.com", password: "correct horse battery" } as const;

const embedded = await measured(embeddedStores);
const postgres = await measured(postgresStores);
const machine = describeMachine({ pinned: false, rounds: 1, quick: seconds < 5 });
const result = { machine, seconds, embedded, postgres };

const rows: readonly (readonly [string, keyof Rates])[] = [
  ["sign-ins: pages, password (argon2id), code, tokens", "signIns"],
  ["token issues: client credentials", "tokenIssues"],
  ["refreshes: one successor each", "refreshes"],
  ["verified requests, access token", "requestsWithToken"],
  ["verified requests, API key", "requestsWithKey"],
];
const table = [
  "| per second, one process | SQLite | PostgreSQL |",
  "|---|---:|---:|",
  ...rows.map(([name, key]) => `| ${name} | ${embedded[key]} | ${postgres[key]} |`),
].join("\n");
process.stdout.write(`${table}\n`);
if (!onlySays) {
  const about = `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.date}; the client shares the cores.`;
  const note =
    "SQLite writes every change to the disk before it answers (`synchronous=FULL`); PostgreSQL runs without fsync here.";
  writeFileSync(
    new URL("identity-results.md", import.meta.url),
    `# Identity server\n\nWritten by \`npm run bench:identity\`. ${about}\n${note}\n\n${table}\n`,
  );
  writeFileSync(new URL("identity-results.json", import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
process.stdout.write(`${JSON.stringify(result)}\n`);

async function measured(open: typeof embeddedStores): Promise<Rates> {
  const stores = await open();
  const [instance] = await startInstances(await stores.place(), 1, true);
  if (instance === undefined) throw new Error("there is no instance");
  try {
    const { id = "" } = await instance.ask({ do: "account", ...person });
    const { key = "" } = await instance.ask({ do: "create-key", account: id });
    const { access } = await signIn(instance, person.email, person.password);
    return {
      signIns: await perSecond(4, () => async () => {
        await signIn(instance, person.email, person.password);
      }),
      tokenIssues: await perSecond(8, () => () => issued(instance)),
      refreshes: await perSecond(8, () => refreshing(instance)),
      requestsWithToken: await perSecond(16, () => () => verified(instance, access)),
      requestsWithKey: await perSecond(16, () => () => verified(instance, key)),
    };
  } finally {
    await instance.kill();
    await stores.stop();
  }
}

/** @param begin  makes what one of the callers does again and again; only that is counted */
async function perSecond(callers: number, begin: () => (() => Promise<void>) | Promise<() => Promise<void>>) {
  const all: (() => Promise<void>)[] = [];
  // One after the other: more sign-ins of one account at once than its limit are refused.
  for (let n = 0; n < callers; n++) all.push(await begin());
  await Promise.all(all.map((one) => one()));
  let count = 0;
  const begun = performance.now();
  const until = begun + seconds * 1000;
  await Promise.all(
    all.map(async (one) => {
      while (performance.now() < until) {
        await one();
        count++;
      }
    }),
  );
  return Math.round((count * 10_000) / (performance.now() - begun)) / 10;
}

async function issued(instance: Instance): Promise<void> {
  const { status } = await instance.token({
    grant_type: "client_credentials",
    client_id: client.id,
    client_secret: client.secret,
    scope: "notes:read",
  });
  if (status !== 200) throw new Error(`a token was refused: ${status}`);
}

async function refreshing(instance: Instance): Promise<() => Promise<void>> {
  let { refresh } = await signIn(instance, person.email, person.password);
  return async () => {
    const next = await instance.refresh(refresh);
    if (next.status !== 200) throw new Error(`a refresh was refused: ${next.status}`);
    refresh = next.refresh;
  };
}

async function verified(instance: Instance, credential: string): Promise<void> {
  const status = await instance.me({ authorization: `Bearer ${credential}` });
  if (status !== 200) throw new Error(`a request was refused: ${status}`);
}
