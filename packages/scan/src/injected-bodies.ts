import { isSuccess, mediaTypeOf } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import { type Ask, markupReturned, operatorTaken, pauseTaken, quoteBreaks } from "./injected.ts";
import { isRecord } from "./json.ts";
import { outcome, type Thing } from "./objects.ts";
import { contentOf, isLimited } from "./oracle.ts";
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
import { isRegistration } from "./sign-in.ts";
import { booleanPairs, searchedKinds } from "./sql-conditions.ts";
import { type Operation, pathParameters, tightLimit } from "./target.ts";
import { type TextMember, textMembers, withMember, withoutOptional } from "./text-members.ts";

/** Most members of a body that are tried, each with objects of its own. */
const mostMembers = 4;
/** Most members of a body that finds or shows something, where far more is tried of each. */
const mostAsked = 3;

/**
 * Texts in bodies: of what is created, where it is deleted again, and of POSTs that by their name only find, show or export
 * something. Any other write would do something to what the scan did not make.
 */
export function bodyChecks(context: ProbeContext, operation: Operation): readonly Check[] {
  if (context.objects.kinds.some((kind) => kind.create === operation && kind.parent === undefined))
    return [{ check: "signals-body", operation, run: () => createdSignals(context, operation) }];
  if (operation.body === undefined || !onlyAsks(context, operation)) return [];
  const tight = tightLimit(operation, 26, context.patienceMs);
  if (tight !== undefined) return [{ check: "signals-body", operation, notApplicable: tight }];
  const members = textMembers(operation.body.schema).slice(0, mostAsked);
  if (members.length === 0) return [{ check: "signals-body", operation, notApplicable: "It takes no free text." }];
  return members.flatMap((member): readonly Check[] => [
    { check: `signals-body-${member.name}`, operation, run: () => askedSignals(context, operation, member) },
    // They run after everything was deleted, alone: what names objects has none any more.
    ...(pathParameters(operation.path).length > 0
      ? []
      : [
          {
            check: `pause-body-${member.name}`,
            operation,
            phase: "limits",
            run: () => pauseIn(context, operation, member),
          } as const,
        ]),
  ]);
}

/** True for a POST that by its last word changes nothing. */
function onlyAsks(context: ProbeContext, operation: Operation): boolean {
  if (operation.method !== "POST" || isRegistration(operation)) return false;
  const { kinds } = context.objects;
  if (kinds.some((kind) => kind.create === operation || kind.update === operation)) return false;
  const word = operation.path.split("/").findLast((part) => part !== "" && !part.startsWith("{")) ?? "";
  return /(?:^|[-_.:])(?:search|quer(?:y|ies)|find|filter|lookup|suggest|autocomplete|preview|render|exports?|reports?|validate|estimate|calculate|count)$/i.test(
    word.replace(/([a-z\d])([A-Z])/g, "$1-$2"),
  );
}

/** How somebody asks with one text in a body that is honest but for it. */
async function asking(
  context: ProbeContext,
  operation: Operation,
  member: TextMember,
  mark: string,
): Promise<{ readonly ask: (value: unknown) => ReturnType<Ask>; readonly owner: Identity } | undefined> {
  const owner = context.worker(operation) ?? context.identities[0];
  if (owner === undefined) return undefined;
  const as = operation.access.kind === "public" ? undefined : owner;
  const filled = await context.objects.fill(operation, owner);
  await context.objects.learnBody(operation, owner);
  const whole = context.objects.body(operation, owner, mark);
  const body = isRecord(whole) ? withoutOptional(whole, operation.body?.schema ?? {}) : {};
  return {
    owner,
    ask: (value) => ({
      ...requestFor(operation, { as, ...filled, body: withMember(body, member.path, value) }),
      label: owner.name,
    }),
  };
}

/** Conditions, quotes, operators and markup in a text of a body that finds or shows something. */
async function askedSignals(
  context: ProbeContext,
  operation: Operation,
  member: TextMember,
): Promise<readonly NamedOutcome[]> {
  const name = `body-${member.name}`;
  const free = await asking(context, operation, member, context.objects.canary());
  if (free === undefined)
    return [{ check: `quote-${name}`, ...notApplicable("No identity was given that could ask.") }];
  const plain = await context.send("positive", free.ask(`pc${context.random.text(6)}`));
  if (isLimited(plain.answer)) return [{ check: `quote-${name}`, ...inconclusive(limitedWhy(plain.answer), [plain]) }];
  if (plain.answer.status >= 400 && plain.answer.status < 500)
    return [{ check: `quote-${name}`, ...notApplicable(`An honest body ${outcome(plain.answer)}.`) }];
  const found: NamedOutcome[] = [
    { check: `quote-${name}`, ...(await quoteBreaks(context, free.ask)) },
    { check: `markup-${name}`, ...(await markupReturned(context, free.ask)) },
  ];
  let sql = notApplicable("There is nothing to search for that the scan could create.");
  for (const kind of searchedKinds(context, operation)) {
    const thing = await context.objects.shared(kind, free.owner);
    const known = await asking(context, operation, member, thing.canary);
    if (known === undefined) break;
    sql = await booleanPairs(context, thing.canary, context.objects.canary(), known.ask);
    if (sql.verdict === "not-applicable") continue;
    const operator = await operatorTaken(
      context,
      known.ask,
      (sign, value) => known.ask({ [sign]: value }),
      thing.canary,
      (answer) => contentOf(answer, new Set()),
    );
    found.push({ check: `operator-${name}`, ...operator });
    break;
  }
  return [{ check: `sql-${name}`, ...sql }, ...found];
}

async function pauseIn(context: ProbeContext, operation: Operation, member: TextMember): Promise<Outcome> {
  const asked = await asking(context, operation, member, `pc${context.random.text(6)}`);
  if (asked === undefined) return notApplicable("No identity was given that could ask.");
  const plain = await context.send("positive", asked.ask(`pc${context.random.text(6)}`));
  if (plain.answer.status >= 400 && plain.answer.status < 500)
    return notApplicable(`An honest body ${outcome(plain.answer)}.`);
  return await pauseTaken(context, asked.ask);
}

/** Quotes, sums and markup in the texts of something that is created; what is created is deleted at the end. */
async function createdSignals(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.worker(operation) ?? context.identities[0];
  const kind = context.objects.kinds.find((entry) => entry.create === operation);
  if (owner === undefined || kind === undefined)
    return [{ check: "quote-body", ...notApplicable("Nobody was given who could create it.") }];
  const found: NamedOutcome[] = [];
  let last: Thing | undefined;
  const send = async (leg: Trial["leg"], outgoing: Trial["outgoing"]) => {
    const trial = await context.send(leg, outgoing);
    last = context.objects.adopt(kind, owner, trial, {}, "");
    return trial;
  };
  const own = { ...context, send };
  const read = async () => (last === undefined ? undefined : (await context.objects.reread(last)).trial);
  for (const member of textMembers(operation.body?.schema ?? {}).slice(0, mostMembers)) {
    const ask: Ask = (text) => {
      const honest = context.objects.creation(kind, owner, undefined, context.objects.canary());
      const changed = withMember(fieldsOf(honest), member.path, `${context.objects.canary()}${text}`);
      return isRecord(changed) ? withFields(honest, changed) : honest;
    };
    found.push({ check: `quote-body-${member.name}`, ...(await quoteBreaks(own, ask)) });
    found.push({ check: `sql-body-${member.name}`, ...(await sumTaken(own, ask, read)) });
    const shown = await read();
    const isPage = shown !== undefined && !mediaTypeOf(shown.answer).endsWith("json");
    const seen = async (): Promise<Trial> => (await read()) ?? shown ?? Promise.reject(new Error("nothing was read"));
    if (isPage) found.push({ check: `markup-body-${member.name}`, ...(await markupReturned(own, ask, seen)) });
  }
  return found.length > 0 ? found : [{ check: "quote-body", ...notApplicable("It takes no free text.") }];
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
