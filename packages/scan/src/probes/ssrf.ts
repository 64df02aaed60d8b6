import { type ProbeContext, requiredQuery, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { honestBody } from "../bodies.ts";
import { canAct, type Identity } from "../identities.ts";
import { type Listener, listen } from "../listener.ts";
import { type JsonRecord, textAt } from "../json.ts";
import { broken, type Check, held, inconclusive, notApplicable, type Outcome, type Probe } from "../probe.ts";
import { requestFor, withFields } from "../requests.ts";
import { propertiesOf, simplified, typeOf } from "../schema.ts";
import { isGone, isSafe, type Operation, tightLimit } from "../target.ts";

/**
 * Every place that takes an address is given one of ours on this machine, in the spellings that filters forget. A call to
 * the listener is proof, whatever is answered.
 */
export const ssrf: Probe = { id: "ssrf", plan: planSsrf };

/** How long a call may come after the answer, milliseconds. */
const lateCallMs = 150;

/** Names of members and parameters that hold an address. */
const addressName = /(?:url|uri|href|link|callback|webhook|endpoint|feed|site|target|host|domain|avatar|image)s?$/i;

function planSsrf(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks = context.target.operations.flatMap((operation): readonly Check[] => {
    if (isGone(operation, now) || (!isSafe(operation) && operation.method !== "POST")) return [];
    return placesOf(operation).map(({ name, inBody }) => {
      const check = `fetch-${name}`;
      const tight = tightLimit(operation, 14, context.patienceMs);
      if (tight !== undefined) return { check, operation, notApplicable: tight };
      return { check, operation, run: () => asFirstAble(context, operation, name, inBody) };
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
  return [...query, ...(operation.method === "POST" ? body : [])];
}

function takesAddress(name: string, schema: JsonRecord): boolean {
  const plain = simplified(schema);
  if (typeOf(plain) !== "string" || plain["enum"] !== undefined || plain["const"] !== undefined) return false;
  return /^(?:uri|url|iri)(?:-reference)?$/.test(textAt(plain, "format") ?? "") || addressName.test(name);
}

/** This machine, in the spellings that are compared with a list of forbidden names and found not to stand on it. */
function spellings({ origin, port }: Listener): readonly string[] {
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
  return [origin, ...names.map((name) => `http://${name}:${port}`), `http://www.example.com@127.0.0.1:${port}`];
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
  const ask = await asker(context, operation, owner, name, inBody);
  if (typeof ask === "string") return notApplicable(ask);
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
    if (called === undefined)
      return held(`nothing is fetched from an address on this machine given as ${name}`, trials.slice(0, 2));
    // Once more, under a path of its own.
    const again = await one(called.address);
    await listener.called(again, lateCallMs);
    const last = tried.at(-1)?.trial ?? called.trial;
    const what = called.address === listener.origin ? "" : ` (written ${called.address.replace(/:\d+$/, "")})`;
    return broken(`the API fetches an address on this machine given as ${name}${what}`, [called.trial, last]);
  } finally {
    await listener.close();
  }
}

type Ask = (address: string) => Promise<{ outgoing: Outgoing; sent: (trial: Trial) => void }>;

/** How an address is given to the place; a reason where no request can be made. */
async function asker(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  name: string,
  inBody: boolean,
): Promise<Ask | string> {
  const as = operation.access.kind === "public" ? undefined : owner;
  const { params } = await context.objects.fill(operation, owner);
  const query = requiredQuery(operation, context.random);
  if (!inBody) {
    return (address) =>
      Promise.resolve({
        outgoing: { ...requestFor(operation, { as, params, query: { ...query, [name]: address } }), label: owner.name },
        sent: () => {},
      });
  }
  const kind = context.objects.kinds.find(({ create }) => create === operation);
  if (kind !== undefined) {
    const parent = kind.parent === undefined ? undefined : await context.objects.shared(kind.parent, owner);
    return (address) => {
      const honest = context.objects.creation(kind, owner, parent, context.objects.canary());
      const sent = (trial: Trial) => void context.objects.adopt(kind, owner, trial, parent?.params ?? {}, "");
      return Promise.resolve({ outgoing: withFields(honest, { [name]: address }), sent });
    };
  }
  return (address) => {
    const honest = honestBody(operation, {
      random: context.random,
      canary: context.objects.canary(),
      person: () => undefined,
    });
    const body = { ...(typeof honest === "object" ? honest : {}), [name]: address };
    return Promise.resolve({
      outgoing: { ...requestFor(operation, { as, params, query, body }), label: owner.name },
      sent: () => {},
    });
  };
}
