import type { ProtectionId } from "portcullis/checklist";
import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import { isLimited } from "./oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  twice,
} from "./probe.ts";
import { Unreachable } from "./scan-error.ts";
import { type Row, soundsPrivate, type Supabase, type Table } from "./supabase.ts";

/**
 * What a Supabase project lets strangers (authentication) and other users (object-access) do with rows that the scan
 * inserted: read, change, delete them, and add rows in somebody's name. Decided by what the owner sees afterwards. A table
 * that everybody reads, with nothing in it that looks private, is taken to be public by design.
 */
export function supabaseChecks(context: ProbeContext, id: ProtectionId): readonly Check[] {
  const { supabase } = context;
  if (supabase === undefined || (id !== "authentication" && id !== "object-access")) return [];
  const [owner, other] = supabase.users;
  if (id === "authentication")
    return [{ check: "supabase-strangers", run: () => everyTable(supabase, owner, undefined, "strangers") }];
  if (owner === undefined || other === undefined) {
    const why =
      'Rows of other users of the Supabase project were not tried: it takes two users (--as alice="Bearer …").';
    return [{ check: "supabase-others", notApplicable: why, untried: true }];
  }
  return [{ check: "supabase-others", run: () => everyTable(supabase, owner, other, "others") }];
}

async function everyTable(
  supabase: Supabase,
  owner: Identity | undefined,
  who: Identity | undefined,
  name: string,
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const table of await supabase.tables()) {
    const named = (what: string, outcome: Outcome) =>
      found.push({ check: `supabase-${name}-${what}-${table.name}`, ...outcome });
    try {
      if (owner === undefined) throw new Unreachable('no user was given who could insert one (--as alice="Bearer …")');
      for (const [what, outcome] of await oneTable(supabase, table, owner, who)) named(what, outcome);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (who === undefined) named("read", await withoutRow(supabase, table, error.message));
      else named("read", noRow(table, error.message));
    }
  }
  return found.length > 0 ? found : [{ check: `supabase-${name}`, ...notApplicable("The key leads to no table.") }];
}

/** A table users may not write to is read by everybody or nobody; a token that is refused says nothing of it. */
function noRow(table: Table, why: string): Outcome {
  return /answered (?:401|429|5\d\d)|no answer/.test(why)
    ? inconclusive(why)
    : notApplicable(`No row of ${table.name} could be made: ${why}.`);
}

async function oneTable(
  supabase: Supabase,
  table: Table,
  owner: Identity,
  who: Identity | undefined,
): Promise<readonly (readonly [what: string, outcome: Outcome])[]> {
  const row = await supabase.insert(table, owner);
  const read = await reads(supabase, row, who);
  const change = await twice(() => changes(supabase, table, owner, who));
  const remove = await twice(() => deletes(supabase, table, owner, who));
  const plant = await twice(() => addsInTheNameOf(supabase, row, who));
  const mayWrite = [change, remove].some(({ verdict }) => verdict === "broken");
  return [
    ["read", await asMeant(supabase, row, who, read, mayWrite)],
    ["update", change],
    ["delete", remove],
    ["insert", plant],
  ];
}

/** Whether reading a row was meant, where it is possible. */
async function asMeant(
  supabase: Supabase,
  { table, mark, markedColumn, owner }: Row,
  who: Identity | undefined,
  read: Outcome,
  mayWrite: boolean,
): Promise<Outcome> {
  if (read.verdict !== "broken") return read;
  if (who !== undefined) {
    const { rows } = await supabase.rowsWith("negative", undefined, table, markedColumn, mark);
    return rows.length > 0 ? notApplicable(`Strangers read ${table.name} too: see authentication.`) : read;
  }
  const secret = table.columns.filter(soundsPrivate).map(({ name }) => name);
  if (secret.length > 0) return broken(`${read.why}; private by their names: ${secret.join(", ")}`, read.trials);
  if (mayWrite) return broken(`${read.why}, and more than that: row level security does not stand`, read.trials);
  return notApplicable(
    `Strangers read the row ${owner.name} inserted into ${table.name}; nothing in it looks private, so it is taken to be public by design.`,
  );
}

function nameOf(who: Identity | undefined): string {
  return who === undefined ? "a stranger with the anon key" : who.name;
}

/** Three legs: the owner reads it, nobody reads what is not there, the other one asks for it. */
async function reads(supabase: Supabase, row: Row, who: Identity | undefined): Promise<Outcome> {
  const { table, owner, mark, markedColumn } = row;
  const positive = await supabase.rowsWith("positive", owner, table, markedColumn, mark);
  const negative = await supabase.rowsWith("negative", who, table, markedColumn, `${mark}-none`);
  const trials: Trial[] = [positive.trial, negative.trial];
  if (positive.rows.length === 0)
    return inconclusive(`${owner.name} does not see the row it inserted into ${table.name}`, trials);
  if (negative.rows.length > 0) return inconclusive(`${table.name} shows rows whatever is asked for`, trials);
  for (let round = 1; round <= 2; round += 1) {
    const attack = await supabase.rowsWith("attack", who, table, markedColumn, mark);
    trials.push(attack.trial);
    if (isLimited(attack.trial.answer)) return inconclusive(limitedWhy(attack.trial.answer), trials);
    if (attack.rows.length === 0) {
      return round === 1
        ? held(`${nameOf(who)} does not see a row of ${owner.name} in ${table.name}`, trials)
        : inconclusive("the row was seen once and not again", trials);
    }
  }
  return broken(`${nameOf(who)} reads a row of ${owner.name} in ${table.name}`, trials);
}

/** A change of a row made for it, judged by what its owner sees then. */
async function changes(supabase: Supabase, table: Table, owner: Identity, who: Identity | undefined): Promise<Outcome> {
  const row = await supabase.insert(table, owner);
  const written = `${row.mark}-x`;
  const query = { [table.key ?? "id"]: `eq.${row.id}` };
  const body = { [row.markedColumn]: written };
  const attack = await supabase.ask("attack", who, { method: "PATCH", table: table.name, query, body });
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [attack]);
  const after = await supabase.rowsWith("reread", owner, table, table.key ?? "id", row.id);
  const trials = [attack, after.trial];
  const [seen] = after.rows;
  if (seen === undefined) return inconclusive(`${owner.name} does not see the row any more`, trials);
  return seen[row.markedColumn] === written
    ? broken(`${nameOf(who)} changes a row of ${owner.name} in ${table.name}`, trials)
    : held(`${nameOf(who)} changes no row of ${owner.name} in ${table.name}`, trials);
}

async function deletes(supabase: Supabase, table: Table, owner: Identity, who: Identity | undefined): Promise<Outcome> {
  const row = await supabase.insert(table, owner);
  const key = table.key ?? "id";
  const before = await supabase.rowsWith("positive", owner, table, key, row.id);
  if (before.rows.length === 0) return inconclusive(`${owner.name} does not see the row it inserted`, [before.trial]);
  const query = { [key]: `eq.${row.id}` };
  const attack = await supabase.ask("attack", who, { method: "DELETE", table: table.name, query });
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [attack]);
  const after = await supabase.rowsWith("reread", owner, table, key, row.id);
  const trials = [before.trial, attack, after.trial];
  if (!isSuccess(after.trial.answer)) return inconclusive("its owner could not look again", trials);
  return after.rows.length === 0
    ? broken(`${nameOf(who)} deletes a row of ${owner.name} in ${table.name}`, trials)
    : held(`${nameOf(who)} deletes no row of ${owner.name} in ${table.name}`, trials);
}

/** A row that says it is somebody else's; who may add rows of his own, or of nobody, has done nothing wrong. */
async function addsInTheNameOf(supabase: Supabase, row: Row, who: Identity | undefined): Promise<Outcome> {
  const { table, owner, ownerColumn } = row;
  if (ownerColumn === undefined) return notApplicable(`No column of ${table.name} says whose a row is.`);
  const { values, mark, markedColumn } = await supabase.values(table, owner);
  const attack = await supabase.ask("attack", who, { method: "POST", table: table.name, body: values });
  const seen = await supabase.rowsWith("reread", owner, table, markedColumn, mark);
  const trials = [attack, seen.trial];
  const [planted] = seen.rows;
  if (planted === undefined) {
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    return held(`${nameOf(who)} adds no row in the name of ${owner.name} to ${table.name}`, trials);
  }
  const id = table.key === undefined ? undefined : planted[table.key];
  if (table.key !== undefined && (typeof id === "string" || typeof id === "number"))
    await supabase.ask("positive", owner, { method: "DELETE", table: table.name, query: { [table.key]: `eq.${id}` } });
  if (planted[ownerColumn] !== values[ownerColumn])
    return held(`the row that was added to ${table.name} is not in the name of ${owner.name}`, trials);
  return broken(`${nameOf(who)} adds a row in the name of ${owner.name} to ${table.name}`, trials);
}

/** Where no row could be inserted: whether a stranger sees anybody's, without reading more of it than its key. */
async function withoutRow(supabase: Supabase, table: Table, why: string): Promise<Outcome> {
  const secret = table.columns.find(soundsPrivate);
  if (secret === undefined) return noRow(table, why);
  const column = table.key ?? table.columns[0]?.name ?? secret.name;
  const query = { select: column, [secret.name]: "not.is.null", limit: "1" };
  const trials: Trial[] = [];
  for (let round = 1; round <= 2; round += 1) {
    const attack = await supabase.ask("attack", undefined, { method: "GET", table: table.name, query });
    trials.push(attack);
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    if (!isSuccess(attack.answer)) return held(`strangers may not read ${table.name}`, trials);
    const isEmpty = !Array.isArray(attack.answer.json) || attack.answer.json.length === 0;
    if (isEmpty)
      return notApplicable(
        `Strangers see no row of ${table.name}, which may be empty, and no row could be made: ${why}.`,
      );
  }
  return broken(`strangers with the anon key read rows of ${table.name}, by their ${secret.name}`, trials);
}
