import type { ProbeContext } from "./context.ts";
import type { Identity } from "./identities.ts";
import { type Ask, markupReturned, operatorTaken, pauseTaken, quoteBreaks } from "./injected.ts";
import { writtenChecks } from "./injected-writes.ts";
import { isRecord } from "./json.ts";
import { outcome } from "./objects.ts";
import { contentOf, isLimited } from "./oracle.ts";
import { type Check, inconclusive, limitedWhy, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { isRegistration } from "./sign-in.ts";
import { booleanPairs, searchedKinds } from "./sql-conditions.ts";
import { type Operation, pathParameters, tightLimit } from "./target.ts";
import { type TextMember, textMembers, withMember, withoutOptional } from "./text-members.ts";

/** Most members of a body that finds or shows something, where far more is tried of each. */
const mostAsked = 3;

/**
 * Texts in bodies: of what is created or changed, where the scan made it or puts it back, and of POSTs that by their name only
 * find, show or export something. Any other write would do something to what the scan did not make.
 */
export function bodyChecks(context: ProbeContext, operation: Operation): readonly Check[] {
  if (operation.body === undefined) return [];
  const written = writtenChecks(context, operation);
  if (written.length > 0 || !onlyAsks(operation)) return written;
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
function onlyAsks(operation: Operation): boolean {
  if (operation.method !== "POST" || isRegistration(operation)) return false;
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
