import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { type HonestWrite, honestWrite } from "../honest-write.ts";
import { outcome, type Thing } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import { type Oversize, oversize, searchSize, type SizeFound, sizeText } from "../oversize.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, type Operation } from "../target.ts";

/**
 * A valid body made too large with white space: declared, in chunks, compressed; one that never ends; JSON that is nested
 * too deep or has too many keys. Where nothing says how much is too much, the limit is searched for once, by doubling, and
 * the ways that keep the length quiet must not get past it. Accepted means broken; so does reading on without end.
 */
export const bodySize: Probe = { id: "body-size", plan: planBodySize };

/** Where nothing says how much is too much, bytes: nothing larger is sent, and who takes this has no limit worth the name. */
const ceilingBytes = 4 * 1024 * 1024;

/** Over a limit, bytes. */
const overBytes = 1024;

/** Nothing written by hand or by a program is nested so deep; a function that calls itself for each level ends there. */
const deepest = 20_000;

/**
 * More than any document has, and what every serialiser still gets out again. An object kept 20 000 levels deep is not: its
 * list would answer 500 until somebody repairs the database.
 */
const bearable = 2_000;

function planBodySize(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const writes = context.target.operations.filter(
    (operation) => operation.body !== undefined && /json/.test(operation.body.mediaType) && !isGone(operation, now),
  );
  if (writes.length === 0) return [{ check: "bodies", notApplicable: "Nothing takes a body." }];
  const limits = new Map<number | undefined, Promise<SizeFound>>();
  // Who signs in is counted more strictly than anybody: the limit is searched for elsewhere, where there is an elsewhere.
  const signsIn = (operation: Operation) => context.sessions.signIns.includes(operation);
  const creates = (operation: Operation) => context.objects.kinds.some(({ create }) => create === operation);
  const isElsewhere = writes.some((operation) => creates(operation) && context.worker(operation) !== undefined);
  return writes
    .toSorted((left, right) => Number(signsIn(left)) - Number(signsIn(right)))
    .map((operation) => ({
      check: "bodies",
      operation,
      isLarge: true,
      run: () => tooMuch(context, operation, limits, !(isElsewhere && signsIn(operation))),
    }));
}

async function tooMuch(
  context: ProbeContext,
  operation: Operation,
  limits: Map<number | undefined, Promise<SizeFound>>,
  maySearch: boolean,
): Promise<readonly NamedOutcome[]> {
  const write = await honestWrite(context, operation, 16);
  if (typeof write === "string") return [{ check: "bodies", ...notApplicable(write) }];
  const text = typeof write.outgoing.body === "string" ? write.outgoing.body : "";
  if (!text.startsWith("{")) return [{ check: "bodies", ...notApplicable("Its body is no JSON object.") }];
  const positive = await context.send("positive", write.outgoing);
  write.sent(positive);
  if (!isSuccess(positive.answer))
    return [{ check: "bodies", ...inconclusive(`a body of honest size ${outcome(positive.answer)}`, [positive]) }];
  const sizes = oversize(context, write);
  const said = operation.bodyMaxBytes ?? context.target.policy.bodyMaxBytes;
  // What is the same for every operation is asked of the first that lets itself be asked.
  const known = limits.get(said);
  if (known === undefined && said === undefined && !maySearch)
    return await structure({ context, write, positive, sizes, text }, ceilingBytes, false);
  const search = known ?? (said === undefined ? searchSize(sizes, ceilingBytes) : Promise.resolve(saidSize(said)));
  limits.set(said, search);
  const found = await search;
  const asked: Asked = { context, write, positive, sizes, text };
  const lengths = known === undefined ? await everyLength(asked, found, said) : await ownLength(asked, found, said);
  return [...lengths, ...(await structure(asked, found.refused ?? ceilingBytes, known === undefined))];
}

function saidSize(most: number): SizeFound {
  return { accepted: most, refused: most + overBytes, limited: undefined, trials: [] };
}

interface Asked {
  readonly context: ProbeContext;
  readonly write: HonestWrite;
  readonly positive: Trial;
  readonly sizes: Oversize;
  /** The honest body. */
  readonly text: string;
}

/** Every way a body can be too long. */
async function everyLength(
  { sizes, positive }: Asked,
  { refused, accepted, limited, trials }: SizeFound,
  said: number | undefined,
): Promise<readonly NamedOutcome[]> {
  if (limited !== undefined) return [{ check: "declared", ...inconclusive(limitedWhy(limited.answer), [limited]) }];
  if (refused === undefined) return [{ check: "declared", ...(await noLimit(sizes, positive, ceilingBytes)) }];
  const over = said === undefined ? refused : said + overBytes;
  const size = sizeText(said ?? refused);
  const least = accepted === undefined ? "" : ` (${sizeText(accepted)} is taken)`;
  const declared =
    said === undefined
      ? held(`a declared body of ${size} is refused${least}`, [positive, ...trials.slice(-1)])
      : await refusedTwice(positive, () => sizes.declared(over), `a declared body over ${size}`);
  const beside = said === undefined ? `, which is refused where its length is declared` : "";
  return [
    { check: "declared", ...declared },
    {
      check: "chunked",
      ...(await refusedTwice(positive, () => sizes.chunked(over), `a chunked body over ${size}`, beside)),
    },
    {
      check: "compressed",
      ...(await refusedTwice(positive, () => sizes.compressed(over), `a compressed body that grows over ${size}`)),
    },
    { check: "endless", ...(await endless(sizes, over, size)) },
  ];
}

/** What a route may have decided for itself. */
async function ownLength(
  { sizes, positive }: Asked,
  { refused }: SizeFound,
  said: number | undefined,
): Promise<readonly NamedOutcome[]> {
  if (said === undefined && refused === undefined) return [];
  // A route may take more than others do; without a word about it only what is too much for any of them is broken.
  const over = said === undefined ? ceilingBytes : said + overBytes;
  const size = sizeText(said ?? ceilingBytes);
  return [
    {
      check: "declared",
      ...(await refusedTwice(positive, () => sizes.declared(over), `a declared body over ${size}`)),
    },
    { check: "chunked", ...(await refusedTwice(positive, () => sizes.chunked(over), `a chunked body over ${size}`)) },
  ];
}

async function noLimit(sizes: Oversize, positive: Trial, bytes: number): Promise<Outcome> {
  return await refusedTwice(positive, () => sizes.declared(bytes), `a body of ${sizeText(bytes)}`);
}

/** Depth and number of keys. Where nothing is said of them, what no parser need bear. */
async function structure(
  { context, write, positive, text }: Asked,
  room: number,
  isFirst: boolean,
): Promise<readonly NamedOutcome[]> {
  const { maxDepth, maxKeys } = context.target.policy.json;
  const inside = text.slice(1, -1);
  const name = freeMember(write) ?? "pcExtra";
  const { [name]: _replaced, ...rest }: Record<string, unknown> = JSON.parse(text);
  const others = name === "pcExtra" ? inside : JSON.stringify(rest).slice(1, -1);
  const asked = async (member: string) => {
    const body = `{${JSON.stringify(name)}:${member}${others === "" ? "" : ","}${others}}`;
    const trial = await context.send("attack", { ...write.outgoing, body });
    return { trial, thing: write.sent(trial) };
  };
  const ask = async (member: string): Promise<Trial> => (await asked(member)).trial;
  // As deep as fits: what is refused for its length says nothing about its depth.
  const fits = Math.floor((room / 2 - text.length) / 2);
  const depths = maxDepth === undefined ? [Math.min(deepest, fits)] : [maxDepth + 8, Math.min(deepest, fits)];
  const found: NamedOutcome[] = [];
  for (const depth of new Set(depths.filter((one) => one > 64 || one === (maxDepth ?? 0) + 8))) {
    const isKept = depth > bearable && (await keeps(context, await asked(nestedTo(bearable))));
    const levels = isKept ? bearable : depth;
    const what = `JSON nested ${levels} deep`;
    const result = await refusedTwice(positive, () => ask(nestedTo(levels)), what, isKept ? " and kept" : "");
    found.push({ check: "deep", ...result });
    if (result.verdict === "broken") break;
  }
  const keys = maxKeys === undefined ? Math.min(20_000, Math.floor(room / 2 / 10)) : maxKeys + 10;
  if (!isFirst || keys < 500) return found;
  const many = Array.from({ length: keys }, (_entry, index) => `"k${index.toString(36)}":0`).join(",");
  found.push({
    check: "many-keys",
    ...(await refusedTwice(positive, () => ask(`{${many}}`), `JSON with ${keys} keys`)),
  });
  return found;
}

function nestedTo(depth: number): string {
  return `${"[".repeat(depth)}${"]".repeat(depth)}`;
}

/** Whether what was nested stands in the answer, or in the object when it is read again. */
async function keeps(
  context: ProbeContext,
  { trial, thing }: { readonly trial: Trial; readonly thing: Thing | undefined },
): Promise<boolean> {
  if (!isSuccess(trial.answer)) return false;
  const isIn = ({ text }: Trial["answer"]) => text.includes("[".repeat(64));
  if (isIn(trial.answer)) return true;
  const { kind } = thing ?? {};
  if (thing === undefined || (kind?.read ?? kind?.list) === undefined) return false;
  return isIn((await context.objects.reread(thing)).trial.answer);
}

/** A declared member that may be anything, so that the schema does not refuse what stands in it. */
function freeMember({ outgoing }: HonestWrite): string | undefined {
  for (const [name, schema] of propertiesOf(outgoing.operation?.body?.schema ?? {})) {
    const plain = simplified(schema);
    if (["enum", "const", "properties", "items"].some((word) => plain[word] !== undefined)) continue;
    if (typeOf(plain) === undefined && plain["format"] === undefined) return name;
  }
  return undefined;
}

async function refusedTwice(
  positive: Trial,
  attack: () => Promise<Trial>,
  what: string,
  beside = "",
): Promise<Outcome> {
  const trials = [positive];
  for (let round = 1; round <= 2; round += 1) {
    const trial = await attack();
    trials.push(trial);
    if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), trials);
    const isUnanswered = trial.answer.status === 0 && trial.answer.failure === "no answer in time";
    const taken = isSuccess(trial.answer);
    if (!taken && !isUnanswered && trial.answer.status < 500)
      return held(`${what} is refused (${outcome(trial.answer)})`, trials);
    if (round === 1) continue;
    if (isUnanswered) return broken(`${what} is never answered`, trials);
    return broken(
      taken ? `${what} is accepted${beside}` : `${what} is an internal error (${trial.answer.status})`,
      trials,
    );
  }
  return inconclusive("it was not decided", trials);
}

/** Chunks that never end: the server must say no, or close, without waiting for the last one. */
async function endless(sizes: Oversize, over: number, size: string): Promise<Outcome> {
  const trials: Trial[] = [];
  for (let round = 1; round <= 2; round += 1) {
    const { trial, isReadOn } = await sizes.endless(over + 256 * 1024);
    trials.push(trial);
    if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), trials);
    if (!isReadOn) return held("a body without end is cut off", trials);
  }
  return broken(`a body that goes on past ${size} is neither refused nor cut off while it comes`, trials);
}
