import { hostOf, isLoopbackName } from "../address.ts";
import { type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { canAct, type Identity } from "../identities.ts";
import { type Listener, listen } from "../listener.ts";
import { isRecord, type JsonRecord, textAt } from "../json.ts";
import { isOwnRecord, viewOf, writableOf } from "../own-record.ts";
import { broken, type Check, held, inconclusive, notApplicable, type Outcome, type Probe, untried } from "../probe.ts";
import { requestFor, withFields } from "../requests.ts";
import { propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, tightLimit } from "../target.ts";

/**
 * Every place that takes an address is given one of ours on this machine, in the spellings that filters forget. A call to
 * the listener is proof, whatever is answered; that none comes says something only of a target on this machine.
 */
export const ssrf: Probe = { id: "ssrf", plan: planSsrf };

/** How long a call may come after the answer, milliseconds. */
const lateCallMs = 150;

/** Names of members and parameters that hold an address. */
const addressName = /(?:url|uri|href|link|callback|webhook|endpoint|feed|site|target|host|domain|avatar|image)s?$/i;

function planSsrf(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks = context.target.operations.flatMap((operation): readonly Check[] => {
    if (isGone(operation, now) || (!isSafe(operation) && operation.method !== "POST" && !isUndone(context, operation)))
      return [];
    return placesOf(operation).map(({ name, inBody }) => {
      const check = `fetch-${name}`;
      const tight = tightLimit(operation, 14, context.patienceMs);
      if (tight !== undefined) return { check, operation, notApplicable: tight };
      const run = () => asFirstAble(context, operation, name, inBody);
      // Nobody else looks at the caller's own record by then.
      return isOwnRecord(context, operation) ? { check, operation, phase: "limits", run } : { check, operation, run };
    });
  });
  return checks.length > 0 ? checks : [{ check: "fetch", notApplicable: "Nothing takes an address." }];
}

function placesOf(operation: Operation): readonly { readonly name: string; readonly inBody: boolean }[] {
  const query = operation.parameters
    .filter((parameter) => parameter.in === "query" && takesAddress(parameter.name, parameter.schema))
    .map(({ name }) => ({ name, inBody: false }));
  const body = [...propertiesOf(operation.body?.schema ?? {})]
    .filter(([name, schema]) => takesAddress(name, schema))
    .map(([name]) => ({ name, inBody: true }));
  return [...query, ...(isSafe(operation) ? [] : body)];
}

/** True for a change of what the scan made, or of what it can put back. */
function isUndone(context: ProbeContext, operation: Operation): boolean {
  return context.objects.kinds.some(({ update }) => update === operation) || isOwnRecord(context, operation);
}

function takesAddress(name: string, schema: JsonRecord): boolean {
  const plain = simplified(schema);
  if (typeOf(plain) !== "string" || plain["enum"] !== undefined || plain["const"] !== undefined) return false;
  return /^(?:uri|url|iri)(?:-reference)?$/.test(textAt(plain, "format") ?? "") || addressName.test(name);
}

/** This machine, in the spellings that are compared with a list of forbidden names and found not to stand on it. */
function spellings({ origin, other, port }: Listener): readonly string[] {
  const names = [
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "localhost.",
  ];
  const own = other === undefined ? [origin] : [origin, other];
  return [...own, ...names.map((name) => `http://${name}:${port}`), `http://www.example.com@127.0.0.1:${port}`];
}

/** As the first caller who is not refused outright: what a key may do is often not said. */
async function asFirstAble(
  context: ProbeContext,
  operation: Operation,
  name: string,
  inBody: boolean,
): Promise<Outcome> {
  const likely = context.permitted(operation);
  const able = context.identities.filter((identity) => canAct(identity) && takes(operation, identity, context.target));
  const callers = new Set(likely === undefined ? able : [likely, ...able]);
  let found = notApplicable("No identity was given that could ask.");
  for (const caller of [...callers].slice(0, mostCallers)) {
    found = await fetches(context, operation, caller, name, inBody);
    const refused = found.trials.every(({ answer }) => answer.status === 401 || answer.status === 403);
    if (found.verdict === "broken" || (found.verdict === "held" && !refused)) return found;
  }
  return found.verdict === "held" ? inconclusive("nobody of the scan may ask it", found.trials) : found;
}

/** Callers that are tried where the first is refused. */
const mostCallers = 3;

async function fetches(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  name: string,
  inBody: boolean,
): Promise<Outcome> {
  const asked = await asker(context, operation, owner, name, inBody);
  if (typeof asked === "string") return notApplicable(asked);
  const { ask, undo } = asked;
  const listener = await listen(context.fetcher.url);
  try {
    const trials: Trial[] = [];
    const tried: { address: string; path: string; trial: Trial }[] = [];
    const one = async (base: string) => {
      const path = `/pc-${context.random.text(14)}`;
      listener.serve(path, { headers: { "content-type": "text/plain" }, body: "pc" });
      const { outgoing, sent } = await ask(`${base}${path}`);
      const trial = await context.send("attack", outgoing);
      sent(trial);
      tried.push({ address: base, path, trial });
      trials.push(trial);
      return path;
    };
    for (const base of spellings(listener)) await one(base);
    await listener.called(tried.at(-1)?.path ?? "/", lateCallMs);
    const called = tried.find(({ path }) => listener.calls(path).length > 0);
    if (called === undefined && !isLoopbackName(hostOf(context.fetcher.url)))
      return untried(`Whether ${operation.id} fetches what ${name} names: from another machine nothing leads here.`);
    if (called === undefined)
      return held(`nothing is fetched from an address on this machine given as ${name}`, trials.slice(0, 2));
    // Once more, under a path of its own.
    const again = await one(called.address);
    await listener.called(again, lateCallMs);
    const last = tried.at(-1)?.trial ?? called.trial;
    const what = called.address === listener.origin ? "" : ` (written ${called.address.replace(/:\d+$/, "")})`;
    return broken(`the API fetches an address on this machine given as ${name}${what}`, [called.trial, last]);
  } finally {
    await undo?.();
    await listener.close();
  }
}

interface Asker {
  /** The request that gives an address. */
  readonly ask: (address: string) => Promise<{ outgoing: Outgoing; sent: (trial: Trial) => void }>;
  /** Puts back what it changed, where that is not deleted at the end. */
  readonly undo?: () => Promise<unknown>;
}

/** How an address is given to the place; a reason where no request can be made. */
async function asker(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  name: string,
  inBody: boolean,
): Promise<Asker | string> {
  const as = operation.access.kind === "public" ? undefined : owner;
  const { params, query } = await context.objects.fill(operation, owner);
  const give = (outgoing: (address: string) => Outgoing): Asker["ask"] => {
    return (address) => Promise.resolve({ outgoing: { ...outgoing(address), label: owner.name }, sent: () => {} });
  };
  if (!inBody) {
    return {
      ask: give((address) => requestFor(operation, { as, params, query: { ...query, [name]: address } })),
    };
  }
  const kind = context.objects.kinds.find(({ create }) => create === operation);
  if (kind !== undefined) {
    const parent = kind.parent === undefined ? undefined : await context.objects.shared(kind.parent, owner);
    const ask: Asker["ask"] = (address) => {
      const honest = context.objects.creation(kind, owner, parent, context.objects.canary());
      const sent = (trial: Trial) => void context.objects.adopt(kind, owner, trial, parent?.params ?? {}, "");
      return Promise.resolve({ outgoing: withFields(honest, { [name]: address }), sent });
    };
    return { ask };
  }
  if (isOwnRecord(context, operation)) return await ownRecordAsker(context, operation, owner, name);
  await context.objects.learnBody(operation, owner);
  const changed = context.objects.kinds.find(({ update }) => update === operation);
  const place = changed === undefined ? params : (await context.objects.fresh(changed, owner)).params;
  return {
    ask: give((address) => {
      const honest = context.objects.body(operation, owner, context.objects.canary());
      const body = { ...(isRecord(honest) ? honest : {}), [name]: address };
      return requestFor(operation, { as, params: place, query, body });
    }),
  };
}

/** The caller's own record keeps everything else, and is put back at the end. */
async function ownRecordAsker(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  name: string,
): Promise<Asker | string> {
  const seen = await viewOf(context, operation, owner);
  if (!("record" in seen)) return "Nothing shows what it was before, so that it could not be put back.";
  const base = writableOf(operation, seen.record);
  const write = (body: JsonRecord) => requestFor(operation, { as: owner, body });
  return {
    ask: (address) => Promise.resolve({ outgoing: write({ ...base, [name]: address }), sent: () => {} }),
    undo: () => context.send("positive", write({ ...base, [name]: seen.record[name] ?? null })),
  };
}
