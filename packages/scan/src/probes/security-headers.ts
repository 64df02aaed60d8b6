import { type Answer, headerOf, headersOf, isSuccess, mediaTypeOf } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { isKept } from "../framework.ts";
import { broken, type Check, held, inconclusive, type NamedOutcome, type Probe } from "../probe.ts";
import { withCredential } from "../requests.ts";

/**
 * The header profile of an API, looked for on a success and on refusals: 401, 404, 400 and 405. One finding per header
 * for the whole API, never one per route.
 */
export const securityHeaders: Probe = { id: "security-headers", plan: planSecurityHeaders };

function planSecurityHeaders(context: ProbeContext): readonly Check[] {
  return [{ check: "headers", run: () => everyHeader(context) }];
}

interface Rule {
  readonly check: string;
  readonly what: string;
  /** What is wrong with it; undefined where nothing is. */
  wrong(answer: Answer, authenticated: boolean): string | undefined;
}

const rules: readonly Rule[] = [
  {
    check: "nosniff",
    what: "X-Content-Type-Options: nosniff",
    wrong: (answer) =>
      headerOf(answer, "x-content-type-options")?.toLowerCase() === "nosniff" ? undefined : "missing",
  },
  {
    check: "frame-options",
    what: "X-Frame-Options: DENY",
    wrong: (answer) =>
      headerOf(answer, "x-frame-options")?.toUpperCase() === "DENY" ? undefined : "missing or weaker",
  },
  {
    check: "content-security-policy",
    what: "Content-Security-Policy with default-src 'none' and frame-ancestors 'none'",
    wrong(answer) {
      const value = headerOf(answer, "content-security-policy") ?? "";
      return /default-src 'none'/.test(value) && /frame-ancestors 'none'/.test(value)
        ? undefined
        : value === ""
          ? "missing"
          : "weaker";
    },
  },
  {
    check: "referrer-policy",
    what: "Referrer-Policy",
    wrong: (answer) =>
      /^(?:no-referrer|same-origin|strict-origin)$/.test(headerOf(answer, "referrer-policy") ?? "")
        ? undefined
        : "missing or weak",
  },
  {
    check: "resource-policy",
    what: "Cross-Origin-Resource-Policy",
    wrong: (answer) => (headerOf(answer, "cross-origin-resource-policy") === undefined ? "missing" : undefined),
  },
  {
    check: "no-store",
    what: "Cache-Control: no-store on answers that need a caller",
    wrong: (answer, authenticated) =>
      !authenticated || /\bno-store\b/.test(headerOf(answer, "cache-control") ?? "") ? undefined : "missing",
  },
  {
    check: "content-type",
    what: "a Content-Type that says what the body is",
    wrong: (answer) =>
      answer.text === "" || (answer.json === undefined ? mediaTypeOf(answer) !== "" : /json/.test(mediaTypeOf(answer)))
        ? undefined
        : "missing or wrong",
  },
  {
    check: "no-banner",
    what: "no banner of software and version",
    wrong(answer) {
      const banner =
        headersOf(answer, "x-powered-by")[0] ??
        headersOf(answer, "x-aspnet-version")[0] ??
        headersOf(answer, "server").find((value) => /\d/.test(value));
      return banner === undefined ? undefined : `it says "${banner}"`;
    },
  },
];

async function everyHeader(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const answers = await samples(context);
  const good = answers.find((sample) => sample.name === "200");
  if (good === undefined) return [{ check: "headers", ...inconclusive("no honest request succeeded") }];
  return rules.map((rule) => {
    const bad = answers.flatMap((sample) => {
      const wrong = rule.wrong(sample.trial.answer, sample.authenticated);
      return wrong === undefined ? [] : [{ ...sample, wrong }];
    });
    const first = bad[0];
    if (first === undefined) return { check: rule.check, ...held(`every answer has ${rule.what}`, [good.trial]) };
    const where =
      bad.length === answers.length ? "on every answer" : `on ${bad.map((sample) => sample.name).join(", ")}`;
    return {
      check: rule.check,
      ...broken(
        `${rule.what}: ${first.wrong} ${where}`,
        bad.slice(0, 3).map((sample) => sample.trial),
      ),
    };
  });
}

interface Sample {
  readonly name: string;
  readonly trial: Trial;
  readonly authenticated: boolean;
}

/** One answer of each kind. */
async function samples(context: ProbeContext): Promise<readonly Sample[]> {
  const witness = await context.witness();
  const { outgoing } = witness.positive;
  const list: Sample[] = [];
  if (isSuccess(witness.positive.answer)) list.push({ name: "200", trial: witness.positive, authenticated: true });
  const add = (trial: Trial) => {
    // A refusal is named by its status; what was not refused is no sample of one.
    if (!isSuccess(trial.answer) && trial.answer.status !== 0)
      list.push({ name: String(trial.answer.status), trial, authenticated: false });
  };
  add(await context.send("attack", withCredential(outgoing, undefined, "nobody")));
  add(await context.nowhere());
  const { as: _as, operation: _operation, ...rest } = outgoing;
  const escape = { ...rest, target: `${outgoing.target.split("?")[0]}/%zz`, label: "a broken escape" };
  if (!isKept(context.target, "raw target")) add(await context.send("attack", escape));
  const declared = context.target.operations
    .filter((entry) => entry.path === witness.operation.path)
    .map((entry) => entry.method);
  const method = ["PUT", "PATCH"].find((name) => !declared.includes(name));
  if (method !== undefined) add(await context.send("attack", { ...rest, method, label: "an undeclared method" }));
  return list;
}
