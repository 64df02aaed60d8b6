import { jsonText, visible } from "@portcullis/scan/reporters";
import { Command } from "commander";
import { type ListedKey, openPlace, type PlaceFlags } from "./key-places.ts";

interface Flags extends PlaceFlags {
  readonly json?: true;
}

/** `portcullis keys`: makes, lists, rotates and revokes API keys; exit 0 done, 1 there is no such key, 3 it could not be done. */
export function keysCommand(): Command {
  const keys = new Command("keys")
    .description("make, list, rotate and revoke API keys, in the server's store or through its API")
    .addHelpText("after", where);

  withPlace(keys.command("create"))
    .description("make a key; it is shown once")
    .requiredOption("--name <name>", "what you call it")
    .requiredOption("--scopes <scope,…>", "what it may do", commas)
    .option("--rate <rate>", "how often it may be used, one of those the server offers, such as 60/min")
    .option("--expires <days>", "days until it expires, 1 to 365", days, 90)
    .action(async (flags: Flags & NewFlags) => {
      await run(flags, async (place) => {
        const { name, scopes, rate, expires: expiresInDays } = flags;
        return show(flags, [await place.create({ name, scopes, rate, expiresInDays })]);
      });
    });

  withPlace(keys.command("list"))
    .description("list keys that work: prefix, last use, scopes")
    .action(async (flags: Flags) => {
      await run(flags, async (place) => show(flags, await place.list()));
    });

  withPlace(keys.command("rotate"))
    .description("put a new key in the place of one, which works on for the overlap; it is shown once")
    .argument("<id>", "id of the key")
    .option("--overlap <seconds>", "how long the old one works, 0 to 2592000", seconds, 86_400)
    .action(async (id: string, flags: Flags & { readonly overlap: number }) => {
      await run(flags, async (place) => {
        const made = await place.rotate(id, flags.overlap);
        return made === undefined ? none(id, "that can be rotated") : show(flags, [made]);
      });
    });

  withPlace(keys.command("revoke"))
    .description("revoke a key for good; no instance takes it a second later")
    .argument("<id>", "id of the key")
    .action(async (id: string, flags: Flags) => {
      await run(flags, async (place) => {
        if (!(await place.revoke(id))) return none(id, "that works");
        await print(flags.json === true ? JSON.stringify({ revoked: id }) : `revoked ${id}`);
        return 0;
      });
    });
  return keys;
}

interface NewFlags {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly rate?: string;
  readonly expires: number;
}

const where = `
Where the keys are (one of):
  --folder <folder>          the embedded store, while no server has it open
  PORTCULLIS_POSTGRES_URL    the server's PostgreSQL
                             (either: with --owner, and PORTCULLIS_PEPPER where the server's keys have a pepper; what is
                             done is in the server's records a minute later, with your name on this machine)
  --url <address>            a running API, with an access token of the owner in PORTCULLIS_TOKEN
`;

function withPlace(command: Command): Command {
  return command
    .option("--folder <folder>", "folder of the embedded store")
    .option("--url <address>", "address of a running API")
    .option(
      "--owner <account>",
      "e-mail address or id of the account, or id of an application, where the store is opened directly",
    )
    .option("--json", "print JSON");
}

async function run(
  flags: Flags,
  work: (place: Awaited<ReturnType<typeof openPlace>>) => Promise<number>,
): Promise<void> {
  try {
    const place = await openPlace(flags, process.env);
    try {
      process.exitCode = await work(place);
    } finally {
      await place.close();
    }
  } catch (error) {
    process.stderr.write(`portcullis keys: ${visible(error instanceof Error ? error.message : String(error), "\n")}\n`);
    process.exitCode = 3;
  }
}

async function show(flags: Flags, keys: readonly ListedKey[]): Promise<number> {
  if (flags.json === true) await print(jsonText(keys));
  else if (keys.length === 0) await print("no keys");
  else for (const key of keys) await print(line(key));
  return 0;
}

/** Names are of whoever made the key: nothing in them reaches a terminal as anything but text. */
function line(key: ListedKey): string {
  const facts = [
    key.id,
    `${key.prefix}…`,
    key.name,
    key.scopes.join(" "),
    ...(key.rate === null ? [] : [key.rate]),
    `expires ${key.expiresAt ?? "never"}`,
    `last used ${key.lastUsedAt ?? "never"}`,
    ...(key.client === null ? [] : [`made with ${key.client}`]),
    ...(key.replacedBy === null ? [] : [`replaced by ${key.replacedBy}`]),
  ].join(" · ");
  if (key.key === undefined) return visible(facts);
  return `${visible(facts)}\n\n${visible(key.key)}\n\nThis is the only time it is shown.`;
}

function none(id: string, which: string): number {
  process.stderr.write(`portcullis keys: there is no key ${id} ${which}\n`);
  return 1;
}

function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

function commas(text: string): readonly string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

function days(text: string): number {
  return whole(text, 1, 365, "--expires");
}

function seconds(text: string): number {
  return whole(text, 0, 2_592_000, "--overlap");
}

function whole(text: string, least: number, most: number, option: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  process.stderr.write(`portcullis keys: ${option} takes a whole number from ${least} to ${most}\n`);
  return process.exit(3);
}
