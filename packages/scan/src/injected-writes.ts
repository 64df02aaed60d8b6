import { isSuccess, mediaTypeOf } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { honestWrite } from "./honest-write.ts";
import type { Identity } from "./identities.ts";
import { type Ask, markupReturned, quoteBreaks } from "./injected.ts";
import { isRecord } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { outcome, type Thing } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { isOwnRecord, viewOf, writableOf } from "./own-record.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
} from "./probe.ts";
import { fieldsOf, requestFor, withFields } from "./requests.ts";
import type { Operation } from "./target.ts";
import { type TextMember, textMembers, withMember } from "./text-members.ts";

/** Most members of a body that are tried, and requests that takes. */
const most = { members: 4, requests: 26 };

/**
 * Texts that are stored: in what is created, and is deleted at the end; in changes of what was made for it; and in the
 * caller's own record, which is put back. One quote more than there should be ends every statement as an error, so that what
 * a text is pasted into changes nothing else.
 *
 * @returns nothing for an operation that writes none of these
 */
export function writtenChecks(context: ProbeContext, operation: Operation): readonly Check[] {
  const check = "signals-body";
  const { kinds } = context.objects;
  const created = kinds.find((kind) => kind.create === operation);
  if (created !== undefined) return [{ check, operation, run: () => createdSignals(context, operation, created) }];
  if (kinds.some((kind) => kind.update === operation))
    return [{ check, operation, run: () => changedSignals(context, operation) }];
  // Nobody else looks at the caller's own record by then.
  return isOwnRecord(context, operation)
    ? [{ check, operation, phase: "limits", run: () => ownSignals(context, operation) }]
    : [];
}

function textsOf(operation: Operation): readonly TextMember[] {
  return textMembers(operation.body?.schema ?? {});
}

/** How a text is written and read back. */
interface Writing {
  /** The request that is honest but for one text. */
  ask(member: TextMember): Ask;
  send(leg: Leg, outgoing: Outgoing): Promise<Trial>;
  /** What its writer sees of it; undefined where nothing was written or nothing shows it. */
  read(): Promise<Trial | undefined>;
}

async function createdSignals(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
): Promise<readonly NamedOutcome[]> {
  const { objects } = context;
  const owner = context.worker(operation) ?? context.identities[0];
  if (owner === undefined) return [{ check: "quote-body", ...notApplicable("Nobody was given who could create it.") }];
  const parent = kind.parent === undefined ? undefined : await objects.shared(kind.parent, owner);
  let last: Thing | undefined;
  return await signalsIn(context, textsOf(operation), {
    ask: (member) => (text) => withText(context, objects.creation(kind, owner, parent, objects.canary()), member, text),
    async send(leg, outgoing) {
      const trial = await context.send(leg, outgoing);
      last = objects.adopt(kind, owner, trial, parent?.params ?? {}, "");
      return trial;
    },
    read: async () => (last === undefined ? undefined : (await objects.reread(last)).trial),
  });
}

async function changedSignals(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const write = await honestWrite(context, operation, most.requests);
  if (typeof write === "string") return [{ check: "quote-body", ...notApplicable(write) }];
  let thing: Thing | undefined;
  return await signalsIn(context, textsOf(operation), {
    ask: (member) => (text) => withText(context, write.outgoing, member, text),
    async send(leg, outgoing) {
      const trial = await context.send(leg, outgoing);
      thing = write.sent(trial);
      return trial;
    },
    read: async () => (thing === undefined ? undefined : (await context.objects.reread(thing)).trial),
  });
}

/** What somebody signs in with: changed, even for a moment, the caller might be lost. */
const signsIn = /pass|secret|pin$|code|token|key|user|login|handle|mail|phone|mobile/i;

async function ownSignals(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.permitted(operation);
  if (owner === undefined)
    return [{ check: "quote-body", ...notApplicable("No identity was given that may call it.") }];
  const seen = await viewOf(context, operation, owner);
  if (!("record" in seen)) {
    const why = "Nothing shows what it was before, so that it could not be put back.";
    return [{ check: "quote-body", ...notApplicable(why) }];
  }
  const { view, record } = seen;
  const base = writableOf(operation, record);
  const write = (body: unknown): Outgoing => requestFor(operation, { as: owner, body });
  const harmless = textsOf(operation).filter(({ name }) => !signsIn.test(name));
  const touched = new Set<string>();
  try {
    return await signalsIn(context, harmless, {
      ask: (member) => {
        touched.add(String(member.path[0]));
        return (text) => withText(context, write(base), member, text);
      },
      send: (leg, outgoing) => context.send(leg, outgoing),
      read: () => readAs(context, view, owner),
    });
  } finally {
    const before = Object.fromEntries([...touched].map((name) => [name, record[name] ?? null]));
    await context.send("positive", write({ ...base, ...before }));
  }
}

async function readAs(context: ProbeContext, view: Operation, owner: Identity): Promise<Trial> {
  return await context.send("reread", requestFor(view, { as: owner }));
}

function withText(context: ProbeContext, honest: Outgoing, { path }: TextMember, text: string): Outgoing {
  const changed = withMember(fieldsOf(honest), path, `${context.objects.canary()}${text}`);
  return isRecord(changed) ? withFields(honest, changed) : honest;
}

/** Quotes, sums and markup in each text. */
async function signalsIn(
  context: ProbeContext,
  members: readonly TextMember[],
  { ask: asking, send, read }: Writing,
): Promise<readonly NamedOutcome[]> {
  const own = { ...context, send };
  const found: NamedOutcome[] = [];
  for (const member of members.slice(0, most.members)) {
    const ask = asking(member);
    const plain = await send("positive", ask(""));
    if (!isSuccess(plain.answer)) {
      found.push({ check: `quote-body-${member.name}`, ...refusedAnyway(plain) });
      continue;
    }
    found.push({ check: `quote-body-${member.name}`, ...(await quoteBreaks(own, ask)) });
    found.push({ check: `sql-body-${member.name}`, ...(await sumTaken(own, ask, read)) });
    const shown = await read();
    const isPage = shown !== undefined && !mediaTypeOf(shown.answer).endsWith("json");
    const seen = async (): Promise<Trial> => (await read()) ?? shown ?? Promise.reject(new Error("nothing was read"));
    if (isPage) found.push({ check: `markup-body-${member.name}`, ...(await markupReturned(own, ask, seen)) });
  }
  return found.length > 0 ? found : [{ check: "quote-body", ...notApplicable("It takes no free text.") }];
}

/** What is refused without a quote says nothing of one that is. */
function refusedAnyway(plain: Trial): Outcome {
  if (isLimited(plain.answer)) return inconclusive(limitedWhy(plain.answer), [plain]);
  return plain.answer.status >= 400 && plain.answer.status < 500
    ? notApplicable(`An honest text ${outcome(plain.answer)}.`)
    : inconclusive(`an honest text ${outcome(plain.answer)}`, [plain]);
}

/** A product of two numbers, as a value that is pasted into a statement is left and entered again around it. */
const sums: readonly ((left: number, right: number) => string)[] = [
  (left, right) => `'||(${left}*${right})||'`,
  (left, right) => `'+CAST(${left}*${right} AS varchar)+'`,
];

/**
 * A sum in a value that is stored: what comes back has the product in it, and of a sum without its operator it has not;
 * twice, with other numbers. A text that is stored as it is comes back with the sum.
 */
async function sumTaken(context: ProbeContext, ask: Ask, read: () => Promise<Trial | undefined>): Promise<Outcome> {
  const trials: Trial[] = [];
  for (const sum of sums) {
    let taken = 0;
    for (let round = 0; round < 2; round += 1) {
      const [left, right] = [context.random.int(1000, 9999), context.random.int(1000, 9999)];
      const attack = await context.send("attack", ask(sum(left, right)));
      trials.push(attack);
      if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [attack]);
      if (!isSuccess(attack.answer)) break;
      const product = String(left * right);
      let shown: Trial | undefined = attack;
      if (!attack.answer.text.includes(product) && attack.answer.text.includes(`${left}*${right}`)) break;
      if (!attack.answer.text.includes(product)) {
        shown = await read();
        if (shown !== undefined) trials.push(shown);
      }
      if (shown?.answer.text.includes(product) !== true) break;
      const control = await context.send("negative", ask(sum(left, right).replace("*", " ")));
      trials.push(control);
      if (control.answer.text.includes(product)) break;
      taken += 1;
    }
    if (taken === 2)
      return broken("a sum inside the value is executed as SQL: its product is stored", trials.slice(-4));
  }
  return held("a sum inside the value is stored as text, or refused", trials.slice(0, 2));
}
