import { type Burst, burstUntilRefused } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Header } from "./identities.ts";
import { numberAt } from "./json.ts";
import { resembles, sameSignature } from "./oracle.ts";
import { broken, held, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import { withHeaders } from "./requests.ts";
import { typeOf } from "./schema.ts";

/** Headers a client can invent; none may open a closed limiter. */
const spoofs: readonly ((address: string) => readonly Header[])[] = [
  (address) => [["x-forwarded-for", address]],
  (address) => [["x-forwarded-for", `${address}, 127.0.0.1`]],
  (address) => [["forwarded", `for=${address}`]],
  (address) => [["x-real-ip", address]],
  (address) => [["true-client-ip", address]],
  (address) => [["cf-connecting-ip", address]],
  (address) => [["x-client-ip", address]],
  (address) => [["x-cluster-client-ip", address]],
  (address) => [["x-originating-ip", address]],
  (address) => [["x-remote-ip", address]],
  (address) => [["x-remote-addr", address]],
  (address) => [["fastly-client-ip", address]],
  (address) => [["x-azure-clientip", address]],
  (address) => [["x-forwarded-for", `2001:db8::${address.split(".").at(-1) ?? "1"}`]],
  (address) => [["user-agent", `pc/${address}`]],
];

/**
 * While limited: the plain request stays refused, and each invented header must not change that. Let through is what is
 * answered like the requests before the limit; a header may also be refused for itself.
 *
 * @param before  the burst that reached the limit
 */
export async function bypasses(
  context: ProbeContext,
  honest: Outgoing,
  name: string,
  before: Burst,
): Promise<readonly NamedOutcome[]> {
  const open = new Set(
    before.trials.filter((trial) => !before.refused.includes(trial)).map((trial) => trial.answer.status),
  );
  let control = await limited(context, honest, before);
  for (let tries = 0; tries < 2 && control.answer.status !== 429; tries += 1)
    control = await limited(context, honest, before);
  if (control.answer.status !== 429)
    return [{ check: `${name}-bypass`, ...notApplicable("The limit was over before a bypass could be tried.") }];
  const trials: Trial[] = [control];
  for (const spoof of spoofs) {
    const send = async (): Promise<Trial> => {
      const address = `203.0.113.${context.random.int(1, 254)}`;
      const label = `${honest.label}, ${spoof(address)[0]?.[0] ?? ""}`;
      return await context.send("attack", { ...withHeaders(honest, spoof(address), label), burst: true });
    };
    const isOpen = ({ answer: { status } }: Trial) =>
      // 421: the header costs the request its way to the limiter, which lifts nothing.
      open.size > 0 ? open.has(status) : status !== 429 && status !== 421;
    if (!isOpen(await send())) continue;
    const lifted = await byTurns(context, honest, before, async () => {
      const trial = await send();
      return isOpen(trial) ? trial : undefined;
    });
    if (lifted === "no") continue;
    const why = `the limit is lifted by a header the client invents (${spoof("")[0]?.[0] ?? ""})`;
    return [{ check: `${name}-bypass`, ...(lifted === "over" ? overTooSoon() : broken(why, lifted)) }];
  }
  await fillUp(context, honest, before);
  const spelled = await spellings(context, honest, before);
  const method = spelled ?? (await otherMethod(context, honest, before));
  return [
    {
      check: `${name}-bypass`,
      ...(method ?? held("no invented header, no other spelling and no other method lifts the limit", trials)),
    },
  ];
}

/** How often the plain request and the changed one take turns before it is said that the change lifts the limit. */
const turns = 5;

/**
 * The plain request is refused and the changed one let through, again and again by turns: a limit that is over, or that
 * comes back bit by bit, lets either through.
 *
 * @param attack  sends the changed request; undefined where it is not let through
 * @returns the last turns; `no` where the change does not lift it, `over` where the limit ended each time it was tried
 */
async function byTurns(
  context: ProbeContext,
  honest: Outgoing,
  before: Burst,
  attack: () => Promise<Trial | undefined>,
): Promise<readonly Trial[] | "no" | "over"> {
  for (let tries = 0; tries < 3; tries += 1) {
    const trials: Trial[] = [];
    let still = await limited(context, honest, before);
    while (still.answer.status === 429) {
      const trial = await attack();
      if (trial === undefined) return "no";
      trials.push(still, trial);
      if (trials.length >= turns * 2) return trials.slice(-4);
      still = await context.send("negative", { ...honest, burst: true });
    }
  }
  return "over";
}

function overTooSoon(): Outcome {
  return notApplicable("The limit was over before a bypass could be told from it.");
}

/** Another spelling of a target, from its path, its query and something new each time. */
type Spelling = readonly [what: string, spell: (path: string, query: string, noise: string) => string];

/** A declared parameter with another of its values: the same operation, which a counter must not tell apart. */
function otherValue(context: ProbeContext, { operation }: Outgoing, own: string): Spelling | undefined {
  const parameter = operation?.parameters.find(
    ({ in: place, name, schema }) =>
      place === "query" &&
      /^(?:limit|page|size|per_?page|page_?size|offset|count)$/i.test(name) &&
      typeOf(schema) === "integer",
  );
  if (parameter === undefined || own !== "") return undefined;
  const least = numberAt(parameter.schema, "minimum") ?? 1;
  const most = Math.min(numberAt(parameter.schema, "maximum") ?? 50, least + 49);
  const value = () => context.random.int(least, Math.max(least, most));
  return ["another value of a parameter", (path) => `${path}?${parameter.name}=${value()}`];
}

/** Other spellings of the same target. Those the API does not know are 404 there, and lift nothing. */
const respelled: readonly Spelling[] = [
  ["a query nobody reads", (path, query, noise) => `${path}${query === "" ? "?" : `${query}&`}pc=${noise}`],
  ["a slash at the end", (path, query) => `${path}/${query}`],
  ["capital letters", (path, query) => `${path.replace(/[a-z]+(?=[^a-z]*$)/, (word) => word.toUpperCase())}${query}`],
  ["two slashes", (path, query) => `/${path}${query}`],
  [
    "an encoded letter",
    (path, query) =>
      `${path.replace(/[a-z](?=[^a-z]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}${query}`,
  ],
];

/** The same request spelled otherwise, twice, must not be answered as if there were no limit. */
async function spellings(context: ProbeContext, honest: Outgoing, before: Burst): Promise<Outcome | undefined> {
  const sample = before.trials.find((trial) => !before.refused.includes(trial));
  if (sample === undefined) return undefined;
  const [path = "/", rest] = honest.target.split("?");
  const query = rest === undefined ? "" : `?${rest}`;
  const other = otherValue(context, honest, query);
  // What an unknown path is answered with, which need not differ from what a wrong guess is.
  let unknown: Trial | undefined;
  for (const [what, spell] of other === undefined ? respelled : [other, ...respelled]) {
    const attack = async (): Promise<Trial | undefined> => {
      const target = spell(path, query, context.random.text(6));
      if (target === honest.target) return undefined;
      const outgoing = { ...honest, target, burst: true, label: `${honest.label}, ${what}` };
      const trial = await context.send("attack", outgoing);
      const isOpen = what === other?.[0] ? resembles : sameSignature;
      if (trial.answer.status === 429 || !isOpen(trial.answer, sample.answer)) return undefined;
      unknown ??= await context.send("negative", {
        ...honest,
        target: `${path}-${context.random.text(6)}${query}`,
        burst: true,
        label: `${honest.label}, a path nobody knows`,
      });
      return sameSignature(trial.answer, unknown.answer) ? undefined : trial;
    };
    if ((await attack()) === undefined) continue;
    const lifted = await byTurns(context, honest, before, attack);
    if (lifted === "no") continue;
    return lifted === "over"
      ? overTooSoon()
      : broken(`the limit is lifted by another spelling of the path (${what})`, lifted);
  }
  return undefined;
}

/** HEAD does what GET does (RFC 9110 section 9.3.2), so it is counted with it; a count of its own may be meant. */
async function otherMethod(context: ProbeContext, honest: Outgoing, before: Burst): Promise<Outcome | undefined> {
  if (honest.method !== "GET") return undefined;
  const head = { ...honest, method: "HEAD", label: `${honest.label}, HEAD` };
  const first = await context.send("attack", { ...head, burst: true });
  if (first.answer.status < 200 || first.answer.status >= 300) return undefined;
  const passed = passedIn(before);
  for (let tries = 0; tries < 3; tries += 1) {
    await fillUp(context, honest, before);
    const still = await context.send("negative", { ...honest, burst: true });
    const { refused, trials } = await burstUntilRefused(context, () => head, Math.min(mostOfHead, passed + 10));
    if (refused.length > 0 || trials.length <= passed) return undefined;
    const after = await context.send("negative", { ...honest, burst: true });
    // Limited before and after: the limit was there all the time.
    if (still.answer.status !== 429 || after.answer.status !== 429) continue;
    return broken(`the limit is lifted by asking with HEAD, ${trials.length} times`, [
      still,
      first,
      ...trials.slice(-1),
      after,
    ]);
  }
  return undefined;
}

/** The plain request, at the moment where it should be refused. */
async function limited(context: ProbeContext, honest: Outgoing, before: Burst): Promise<Trial> {
  await fillUp(context, honest, before);
  return await context.send("negative", { ...honest, burst: true });
}

/** A short limit may be over by now: it is reached again, with no more requests than before. */
async function fillUp(context: ProbeContext, honest: Outgoing, before: Burst): Promise<void> {
  if (honest.method === "GET")
    await burstUntilRefused(context, () => honest, Math.min(mostOfHead, passedIn(before) + 24));
}

function passedIn({ trials, refused }: Burst): number {
  return trials.length - refused.length;
}

/** Larger bursts are not sent for it. */
const mostOfHead = 400;
