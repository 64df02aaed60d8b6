import { type Answer, headersOf, isSuccess, mediaTypeOf } from "./answer.ts";
import { type ProbeContext, requiredQuery } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { refreshesIn } from "./html-forms.ts";
import { type JsonRecord, textAt } from "./json.ts";
import { isLimited } from "./oracle.ts";
import { broken, type Check, held, inconclusive, notApplicable, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { simplified, typeOf } from "./schema.ts";
import { isGone, isSafe, type Operation, tightLimit } from "./target.ts";

/**
 * Open redirects: every read that takes an address is given one of a host nobody has, in the spellings that filters
 * forget. A browser that would go there, by `Location` or by a page's refresh, is proof; it has to be sent there twice, to
 * two different hosts. An address of the attacker's that only stands in the query of another one is no redirect to him.
 *
 * @see OWASP ASVS 5.0 3.7.2, RFC 9700 section 4.11
 */
export function redirectChecks(context: ProbeContext): readonly Check[] {
  const now = context.now();
  return context.target.operations.flatMap((operation): readonly Check[] => {
    if (isGone(operation, now) || !isSafe(operation)) return [];
    const names = operation.parameters
      .filter((one) => one.in === "query" && takesTarget(operation, one.name, one.schema))
      .map(({ name }) => name);
    const tight = tightLimit(operation, spellings("", "").length + 2, context.patienceMs);
    return names.map((name) => {
      const check = `redirect-${name}`;
      if (tight !== undefined) return { check, operation, notApplicable: tight };
      return { check, operation, run: () => sendElsewhere(context, operation, name) };
    });
  });
}

/** True where an answer sends on as its operation says it does: nothing of the API's data leaves with it. */
export function sendsOn(operation: Operation, answer: Answer): boolean {
  return isRedirect(answer.status) && operation.responses.has(answer.status);
}

/** Names of parameters that say where to go on. */
const targetName =
  /^(?:to|url|uri|u)$|(?:next|continue|goto|dest|destination|target|forward|return_?(?:to|path)?)$|(?:redirect|return|callback|back|success|cancel|logout)_?(?:to|url|uri)?$/i;

function takesTarget(operation: Operation, name: string, schema: JsonRecord): boolean {
  const plain = simplified(schema);
  if (typeOf(plain) !== "string" || plain["enum"] !== undefined || plain["const"] !== undefined) return false;
  const isAddress = /^(?:uri|url|iri)(?:-reference)?$/.test(textAt(plain, "format") ?? "");
  return isAddress || targetName.test(name) || [...operation.responses.keys()].some(isRedirect);
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** A host nobody has (RFC 6761 section 6.5), as filters are told it is ours, a path, or an address that is allowed. */
function spellings(elsewhere: string, own: string): readonly string[] {
  return [
    `https://${elsewhere}/`,
    `//${elsewhere}/`,
    `/\\${elsewhere}/`,
    `/\t/${elsewhere}/`,
    `https:///${elsewhere}/`,
    `https://${own}@${elsewhere}/`,
    `https://${own}.${elsewhere}/`,
  ];
}

async function sendElsewhere(context: ProbeContext, operation: Operation, name: string): Promise<Outcome> {
  const owner = context.worker(operation) ?? context.identities[0];
  const as = operation.access.kind === "public" ? undefined : owner;
  if (as === undefined && operation.access.kind !== "public") {
    return notApplicable("No identity was given that could ask.");
  }
  const params = owner === undefined ? {} : (await context.objects.fill(operation, owner)).params;
  const required = requiredQuery(operation, context.random);
  const own = context.fetcher.url.host;
  const ask = (value: string): Outgoing => requestFor(operation, { as, params, query: { ...required, [name]: value } });

  // Where it goes on its own, for the reader; whether it goes there at all does not decide.
  const trials: Trial[] = [await context.send("positive", ask(`/pc-${context.random.text(6)}`))];
  let unclear = 0;
  for (let at = 0; at < spellings("", "").length; at++) {
    const first = await attack(at);
    if (isLimited(first.trial.answer) || first.trial.answer.status === 0) unclear++;
    if (!first.goes) continue;
    const again = await attack(at);
    if (again.goes) {
      return broken(`${operation.id} sends a browser to whatever address ${name} names`, trials.slice(-2));
    }
  }
  if (unclear > 0)
    return inconclusive(`${unclear} of its answers said nothing: it slowed us down or was silent`, trials);
  return held("it sends nobody to an address of a stranger", trials);

  async function attack(at: number): Promise<{ readonly trial: Trial; readonly goes: boolean }> {
    const elsewhere = `pc-${context.random.text(10).toLowerCase()}.example`;
    const trial = await context.send("attack", ask(spellings(elsewhere, own)[at] ?? ""));
    trials.push(trial);
    return { trial, goes: goesTo(trial.answer, own, elsewhere) };
  }
}

/** Whether a browser that came from our host by https would go to the other one, or to one below it. */
function goesTo(answer: Answer, own: string, elsewhere: string): boolean {
  const isPage = isSuccess(answer) && mediaTypeOf(answer) === "text/html";
  const targets = isRedirect(answer.status) ? headersOf(answer, "location") : isPage ? refreshesIn(answer.text) : [];
  return targets.some((target) => {
    const base = `https://${own}/`;
    const there = URL.canParse(target, base) ? new URL(target, base).hostname : "";
    return there === elsewhere || there.endsWith(`.${elsewhere}`);
  });
}
