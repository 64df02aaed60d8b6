import type { ProbeContext, Witness } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Header } from "../identities.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
  mustRefuse,
} from "../probe.ts";
import { outcome } from "../objects.ts";
import { isLimited, judge } from "../oracle.ts";
import { withHeaders } from "../requests.ts";

/**
 * Requests for host names nobody configured, and forwarded headers from somebody who is no proxy: neither may be served
 * nor stand in an answer.
 */
export const host: Probe = { id: "host", plan: planHost };

function planHost(context: ProbeContext): readonly Check[] {
  return [
    { check: "unknown-host", run: () => unknownHosts(context) },
    { check: "forwarded-host", run: () => forwardedHosts(context) },
  ];
}

/**
 * Names nobody configured. A manifest says which are served, so that every spelling counts. A plain description does not;
 * then names below `.example` decide, which nobody can serve (RFC 6761 section 6.5): an API that gives its data away
 * under one compares the name with nothing, and is told so once.
 */
async function unknownHosts(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const { url } = context.fetcher;
  const exact = context.target.source === "manifest";
  const foreign = `pc-${context.random.text(6)}.example`;
  const names: readonly (readonly [string, string])[] = [
    ["suffix", `${url.hostname}.evil.example`],
    ["prefix", `evil${url.hostname}`],
    ...(exact
      ? ([
          ["foreign-port", `evil.example:${url.port === "" ? "443" : url.port}`],
          ["userinfo", `evil.example@${url.host}`],
          ["two-names", `${url.host}, evil.example`],
        ] as const)
      : []),
  ];
  const first = await unknownHost(context, witness, exact ? "foreign" : "any", foreign);
  // Where any name is served, those that look like the right one say nothing more.
  if (first.verdict === "broken") return [first];
  const found = [first];
  for (const [check, name] of names) found.push(await unknownHost(context, witness, check, name));
  return found;
}

async function unknownHost(
  context: ProbeContext,
  witness: Witness,
  check: string,
  name: string,
): Promise<NamedOutcome> {
  const result = await mustRefuse({
    positive: witness.positive,
    negatives: witness.negatives,
    canary: witness.canary,
    attack: () => context.send("attack", anonymousPace(witness, name)),
    broken: `a request for the host "${name}" is served`,
    held: `a request for the host "${name}" is refused`,
  });
  return { check: `host-${check}`, ...result };
}

function anonymousPace(witness: Witness, name: string) {
  const { as: _as, operation: _operation, ...rest } = witness.positive.outgoing;
  return { ...rest, host: name, label: `${witness.identity.name}, Host: ${name}` };
}

/** A name that only we know, in every header that might carry it; it must not come back. */
async function forwardedHosts(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const witness = await context.witness();
  const trusted = context.target.policy.proxies.trusted.some((range) => /^(?:127\.|::1)/.test(range));
  const name = `pc-${context.random.text(10)}.example`;
  const headers: readonly Header[] = [
    ["x-forwarded-host", name],
    ["x-forwarded-server", name],
    ["x-host", name],
    ["x-original-host", name],
    ["forwarded", `host=${name};proto=https`],
  ];
  const found: NamedOutcome[] = [];
  for (const header of headers) {
    if (trusted && context.target.policy.proxies.header === header[0]) continue;
    const trial = await context.send(
      "attack",
      withHeaders(witness.positive.outgoing, [header], `${witness.identity.name}, ${header[0]}`),
    );
    found.push({ check: `reflects-${header[0]}`, ...reflection(trial, name, header[0]) });
  }
  found.push(...(await createdLinks(context, name)));
  return found.map((entry) => decidedByWitness(entry, witness));
}

function reflection(trial: Trial, name: string, header: string): Outcome {
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
  const place =
    trial.answer.headers.find(([, value]) => value.includes(name))?.[0] ??
    (trial.answer.text.includes(name) ? "the body" : undefined);
  return place === undefined
    ? held(`the value of ${header} does not come back`, [trial])
    : broken(`the value of ${header} comes back in ${place}`, [trial]);
}

function decidedByWitness(entry: NamedOutcome, witness: Witness): NamedOutcome {
  const trial = entry.trials[0];
  if (entry.verdict !== "held" || trial === undefined || trial.outgoing.method !== "GET") return entry;
  // Misdirected is an answer to the host itself (RFC 9110 section 15.5.20).
  if (trial.answer.status === 421) return entry;
  const known = {
    positive: witness.positive.answer,
    negatives: witness.negatives.map((negative) => negative.answer),
    canary: witness.canary,
  };
  // Refused altogether is fine as well; only silence would decide nothing.
  return judge(trial.answer, known) === "unclear"
    ? { ...entry, ...inconclusive("the answer looks like nothing known", entry.trials) }
    : entry;
}

/** Links in the answer to a creation are where a host most often slips in. */
async function createdLinks(context: ProbeContext, name: string): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const kind of context.objects.kinds) {
    const owner = kind.create === undefined ? undefined : context.permitted(kind.create);
    if (kind.parent !== undefined || owner === undefined) continue;
    const mark = context.objects.canary();
    const honest = context.objects.creation(kind, owner, undefined, mark);
    const headers: readonly Header[] = [["x-forwarded-host", name]];
    const trial = await context.send("attack", withHeaders(honest, headers, `${owner.name}, x-forwarded-host`));
    context.objects.adopt(kind, owner, trial, {}, mark);
    const check = `reflects-in-created-${kind.name}`;
    if (trial.answer.status >= 500)
      found.push({ check, ...inconclusive(`creating ${outcome(trial.answer)}`, [trial]) });
    else found.push({ check, ...reflection(trial, name, "x-forwarded-host") });
  }
  return found;
}
