import { type Answer, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { walk } from "../json.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  type Outcome,
  type Probe,
  notHonest,
} from "../probe.ts";
import { undeclaredMembers } from "../schema.ts";
import { isGone, isSafe, type Operation, tightLimit } from "../target.ts";

/**
 * What leaves: members the answer's schema does not declare, and values or names that are secrets. A secret's shape is
 * proof; a suspicious name alone counts only where the schema does not declare it.
 */
export const output: Probe = { id: "output", plan: planOutput };

function planOutput(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of context.target.operations) {
    if (isGone(operation, now) || tightLimit(operation, 2) !== undefined) continue;
    if (isSafe(operation)) checks.push({ check: "answer", operation, run: () => read(context, operation) });
    else if (operation.body !== undefined) {
      const kind = context.objects.kinds.find((entry) => entry.create === operation);
      if (kind !== undefined) checks.push({ check: "answer", operation, run: () => created(context, operation) });
    }
  }
  return checks.length > 0 ? checks : [{ check: "answer", notApplicable: "Nothing answers with data." }];
}

async function read(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  return judgeAnswer(context, operation, await context.baseline(operation));
}

async function created(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const kind = context.objects.kinds.find((entry) => entry.create === operation);
  const owner = context.permitted(operation);
  if (kind === undefined || owner === undefined)
    return [{ check: "answer", ...inconclusive("no identity may call it") }];
  const thing = await context.objects.shared(kind, owner);
  return judgeAnswer(context, operation, thing.created);
}

function judgeAnswer(context: ProbeContext, operation: Operation, trial: Trial): readonly NamedOutcome[] {
  const { answer } = trial;
  if (!isSuccess(answer)) return [{ check: "answer", ...notHonest(trial) }];
  return [
    { check: "undeclared-fields", ...undeclared(context, operation, trial) },
    { check: "secrets", ...secrets(operation, trial) },
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
    /\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis):\/\/[^\s"/:]+:[^\s"@]+@/,
    "a database address with its password",
  ],
];

/** Names whose values do not belong in answers; whole words only. */
const names =
  /^(?:password|passwd|pass_?word_?hash|hash(?:ed)?_?password|salt|secret|client_?secret|private_?key|api_?secret|otp|cvv|ssn|session_?id|refresh_?token|reset_?token|key_?hash|internal_?notes?|stripe_?\w+_?id)$/i;

function secrets(operation: Operation, trial: Trial): Outcome {
  const { answer } = trial;
  const shape = shapes.find(([pattern]) => pattern.test(answer.text))?.[1] ?? cardIn(answer);
  if (shape !== undefined) return broken(`${operation.id} answers with ${shape}`, [trial]);
  const schema = operation.responses.get(answer.status);
  const declared = schema === undefined ? undefined : new Set(undeclaredMembers(answer.json, schema, true));
  const hits = new Set<string>();
  walk(answer.json, (path, name, value) => {
    if (!names.test(name) || value === null || value === "" || typeof value === "object") return;
    const place = path.replace(/^\[\]\.?/, "");
    if (declared === undefined || declared.has(path) || declared.has(place)) hits.add(place);
  });
  if (hits.size > 0)
    return broken(`${operation.id} answers with ${[...hits].join(", ")}, which nobody declared`, [trial]);
  return held("nothing in it looks like a secret", [trial]);
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
