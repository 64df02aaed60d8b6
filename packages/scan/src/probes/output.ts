import { type Answer, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { type JsonRecord, walk } from "../json.ts";
import type { Thing } from "../objects.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  type Outcome,
  type Probe,
  notHonest,
  untried,
} from "../probe.ts";
import { redirectChecks, sendsOn } from "../redirects.ts";
import { registeredPassword } from "../registration.ts";
import { fieldsOf } from "../requests.ts";
import { propertiesOf, undeclaredMembers, unsaidMembers } from "../schema.ts";
import { isGone, isSafe, type Operation, tightLimit } from "../target.ts";

/**
 * What leaves: members the answer's schema does not declare, and values or names that are secrets. A secret's shape is
 * proof, and so is a secret the scan itself sent and finds again; a suspicious name alone counts only where the schema
 * forbids it. An open schema of a plain description (no `additionalProperties: false`) forbids nothing: there only
 * secrets decide, and the verdict says so. Browsers leave too: nobody is sent to where a stranger says.
 */
export const output: Probe = { id: "output", plan: planOutput };

function planOutput(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    if (isGone(operation, now) || tightLimit(operation, 2, context.patienceMs) !== undefined) continue;
    if (isSafe(operation)) checks.push({ check: "answer", operation, run: () => read(context, operation) });
    else if (operation.body !== undefined) {
      const kind = context.objects.kinds.find((entry) => entry.create === operation);
      if (kind !== undefined) checks.push({ check: "answer", operation, run: () => created(context, operation) });
    }
  }
  checks.push(...redirectChecks(context));
  return checks.length > 0 ? checks : [{ check: "answer", notApplicable: "Nothing answers with data." }];
}

async function read(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const trial = await context.baseline(operation);
  const owner = trial.outgoing.as;
  const shown = owner === undefined ? [] : (await context.objects.fill(operation, owner)).things;
  return judgeAnswer(context, operation, trial, shown);
}

async function created(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const kind = context.objects.kinds.find((entry) => entry.create === operation);
  const owner = context.permitted(operation);
  if (kind === undefined || owner === undefined)
    return [{ check: "answer", ...inconclusive("no identity may call it") }];
  const thing = await context.objects.shared(kind, owner);
  return judgeAnswer(context, operation, thing.created, [thing]);
}

function judgeAnswer(
  context: ProbeContext,
  operation: Operation,
  trial: Trial,
  shown: readonly Thing[],
): readonly NamedOutcome[] {
  const { answer } = trial;
  if (sendsOn(operation, answer)) return [{ check: "answer", ...held("it sends on and shows nothing", [trial]) }];
  // Nothing the scan knows may get more of it, such as the step of a sign-in that nobody began.
  const isItsOwn =
    operation.access.kind === "public" && operation.outputs.some(({ status }) => status === answer.status);
  if (!isSuccess(answer) && !isItsOwn) return [{ check: "answer", ...notHonest(trial) }];
  const more = `What ${operation.id} answers where it succeeds was not looked at: it answered ${answer.status}, as it declares.`;
  return [
    ...(isSuccess(answer) ? [] : [{ check: "answer", ...untried(more) }]),
    { check: "undeclared-fields", ...undeclared(context, operation, trial) },
    { check: "secrets", ...secrets(context, operation, trial, shown) },
  ];
}

function undeclared(context: ProbeContext, operation: Operation, trial: Trial): Outcome {
  const schema = operation.responses.get(trial.answer.status);
  if (schema === undefined) {
    if (trial.answer.json === undefined) return held("it answers without data", [trial]);
    const why = `its ${trial.answer.status} answer has no declared schema`;
    return context.target.source === "manifest"
      ? broken(`${why} and still carries data`, [trial])
      : inconclusive(why, [trial]);
  }
  const extra = undeclaredMembers(trial.answer.json, schema, context.target.source === "manifest");
  if (extra.length > 0)
    return broken(`${operation.id} answers with fields nobody declared: ${extra.slice(0, 8).join(", ")}`, [trial]);
  if (unsaid(context, trial, schema).length > 0) {
    const why = "fields nobody declared, where answers have an open schema (no additionalProperties: false)";
    return { ...untried(why), trials: [trial] };
  }
  return held("only declared fields leave", [trial]);
}

/** Shapes that are secrets wherever they appear. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}/, "a bcrypt hash"],
  [/\$argon2(?:id|i|d)\$/, "an Argon2 hash"],
  [/\b(?:scrypt|pbkdf2)[$:][^\s"]{16,}/i, "a password hash"],
  [/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/, "a private key"],
  [/\bAKIA[0-9A-Z]{16}\b/, "an AWS key"],
  [/\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,}/, "a Stripe key"],
  [/\bgh[pousr]_[0-9A-Za-z]{30,}/, "a GitHub token"],
  [
    /\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis):\/\/[^\s"/:]{1,200}:[^\s"@]{1,200}@/,
    "a database address with its password",
  ],
];

/** Names whose values do not belong in answers; whole words only. */
const names =
  /^(?:password|passwd|pass_?word_?hash|hash(?:ed)?_?password|salt|secret|client_?secret|private_?key|api_?secret|otp|cvv|ssn|session_?id|refresh_?token|reset_?token|key_?hash|internal_?notes?|stripe_?\w+_?id)$/i;

function secrets(context: ProbeContext, operation: Operation, trial: Trial, shown: readonly Thing[]): Outcome {
  const { answer } = trial;
  const shape = shapes.find(([pattern]) => pattern.test(answer.text))?.[1] ?? cardIn(answer);
  if (shape !== undefined) return broken(`${operation.id} answers with ${shape}`, [trial]);
  const passwords = context.sessions.accounts.map(({ password }) => password).filter(({ length }) => length >= 8);
  if (registeredPassword.test(answer.text) || passwords.some((one) => answer.text.includes(one)))
    return broken(`${operation.id} answers with the password of an account`, [trial]);
  const echoed = sentSecrets(shown).find(([, value]) => answer.text.includes(value));
  if (echoed !== undefined) return broken(`${operation.id} answers with the ${echoed[0]} it was sent`, [trial]);
  const schema = operation.responses.get(answer.status);
  const undeclaredHere = schema === undefined ? undefined : new Set(undeclaredMembers(answer.json, schema, true));
  const open = new Set(schema === undefined ? [] : unsaid(context, trial, schema));
  const hits = new Set<string>();
  const allowed = new Set<string>();
  walk(answer.json, (path, name, value) => {
    if (!names.test(name) || value === null || value === "" || typeof value === "object") return;
    const place = path.replace(/^\[\]\.?/, "");
    if (open.has(path) || open.has(place)) allowed.add(place);
    else if (undeclaredHere === undefined || undeclaredHere.has(path) || undeclaredHere.has(place)) hits.add(place);
  });
  if (hits.size > 0)
    return broken(`${operation.id} answers with ${[...hits].join(", ")}, which nobody declared`, [trial]);
  if (allowed.size > 0)
    return inconclusive(
      `${operation.id} answers with ${[...allowed].join(", ")}, which its open schema neither declares nor forbids`,
      [trial],
    );
  if (open.size > 0)
    return held("nothing in it has the shape of a secret; its schema is open, so nothing else decides", [trial]);
  return held("nothing in it looks like a secret", [trial]);
}

/** What an open schema leaves unsaid; a manifest's schemas are closed by what they promise. */
function unsaid(context: ProbeContext, { answer }: Trial, schema: JsonRecord): readonly string[] {
  return context.target.source === "manifest" ? [] : unsaidMembers(answer.json, schema);
}

/** Members the scan sent that no answer may show: those a schema calls `writeOnly`, and secrets by their name. */
function sentSecrets(things: readonly Thing[]): readonly (readonly [name: string, value: string])[] {
  return things.flatMap(({ kind, created }) => {
    const declared = propertiesOf(kind.create?.body?.schema ?? {});
    return Object.entries(fieldsOf(created.outgoing) ?? {}).flatMap(([name, value]) => {
      const isSecret = declared.get(name)?.["writeOnly"] === true || names.test(name);
      return isSecret && typeof value === "string" && value.length >= 8 ? [[name, value] as const] : [];
    });
  });
}

/** A payment card number: 13 to 19 digits, a known first digit and a right check digit (ISO/IEC 7812-1). */
function cardIn(answer: Answer): string | undefined {
  for (const match of answer.text.matchAll(/"([3-6]\d{12,18})"/g)) {
    const digits = Array.from(match[1] ?? "", Number).reverse();
    const sum = digits.reduce((total, digit, index) => {
      const doubled = index % 2 === 1 ? digit * 2 : digit;
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
    if (sum % 10 === 0) return "a payment card number";
  }
  return undefined;
}
