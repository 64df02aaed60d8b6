import type { Burst } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Header } from "./identities.ts";
import { sameSignature } from "./oracle.ts";
import { broken, held, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import { withHeaders } from "./requests.ts";

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
  const control = await context.send("negative", { ...honest, burst: true });
  if (control.answer.status !== 429)
    return [{ check: `${name}-bypass`, ...notApplicable("The limit was over before a bypass could be tried.") }];
  const trials: Trial[] = [control];
  for (const spoof of spoofs) {
    const got: Trial[] = [];
    for (let round = 0; round < 2; round += 1) {
      const address = `203.0.113.${context.random.int(1, 254)}`;
      const trial = await context.send("attack", {
        ...withHeaders(honest, spoof(address), `${honest.label}, ${spoof(address)[0]?.[0] ?? ""}`),
        burst: true,
      });
      const { status } = trial.answer;
      // 421: the header costs the request its way to the limiter, which lifts nothing.
      if (open.size > 0 ? !open.has(status) : status === 429 || status === 421) break;
      got.push(trial);
    }
    if (got.length < 2) continue;
    const still = await context.send("negative", { ...honest, burst: true });
    // Refused without the header and let through with it, twice: the header lifts the limit.
    if (still.answer.status === 429) {
      return [
        {
          check: `${name}-bypass`,
          ...broken(`the limit is lifted by a header the client invents (${spoof("")[0]?.[0] ?? ""})`, [still, ...got]),
        },
      ];
    }
    return [{ check: `${name}-bypass`, ...notApplicable("The limit was over before a bypass could be told from it.") }];
  }
  const spelled = await spellings(context, honest, before);
  return [
    {
      check: `${name}-bypass`,
      ...(spelled ?? held("no invented header and no other spelling lifts the limit", trials)),
    },
  ];
}

/** Other spellings of the same target. Those the API does not know are 404 there, and lift nothing. */
const respelled: readonly (readonly [what: string, spell: (path: string, query: string, noise: string) => string])[] = [
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
  for (const [what, spell] of respelled) {
    const got: Trial[] = [];
    for (let round = 0; round < 2; round += 1) {
      const target = spell(path, query, context.random.text(6));
      if (target === honest.target) break;
      const outgoing = { ...honest, target, burst: true, label: `${honest.label}, ${what}` };
      const trial = await context.send("attack", outgoing);
      if (!sameSignature(trial.answer, sample.answer)) break;
      got.push(trial);
    }
    if (got.length < 2) continue;
    const still = await context.send("negative", { ...honest, burst: true });
    if (still.answer.status === 429)
      return broken(`the limit is lifted by another spelling of the path (${what})`, [still, ...got]);
    return notApplicable("The limit was over before a bypass could be told from it.");
  }
  return undefined;
}
