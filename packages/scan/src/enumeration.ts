import { isSuccess, mediaTypeOf } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Leg, Trial } from "./exchange.ts";
import { unescaped } from "./html-forms.ts";
import { walk } from "./json.ts";
import { outcome } from "./objects.ts";
import { blank, isLimited } from "./oracle.ts";
import { type Attack, broken, held, inconclusive, limitedWhy, notApplicable, type Outcome } from "./probe.ts";
import type { Account } from "./account.ts";
import { tokenIn } from "./sign-in.ts";
import { type Operation, tightLimit } from "./target.ts";
import { compareTimes } from "./timing.ts";

/** A route that is told a user name, and what asking it about somebody looks like. */
interface Route {
  readonly operation: Operation;
  readonly what: "sign-in" | "sign-up" | "reset";
  /** Sends what names this user, with a wrong password; it must not tell whether there is one. */
  ask(leg: Leg, user: string, burst?: true): Promise<Trial>;
  /** Somebody signs in. */
  honest(account: Account, burst?: true): Promise<Trial>;
}

/** Pairs of requests that compare words, statuses and headers. */
const pairs = 2;

/**
 * Whether sign-in, sign-up and password reset tell who has an account: by what they answer, and by how long it takes.
 *
 * @param account  somebody who has one
 * @returns the checks; those of times run last, alone, since they use the limits of sign-in up
 * @see OWASP ASVS 5.0 6.3.8
 */
export function enumerationChecks(context: ProbeContext, account: Account): readonly Attack[] {
  const timed = new Set<Route["what"]>();
  return routesOf(context).flatMap((route): Attack[] => {
    const words: Attack = {
      check: "one-answer",
      operation: route.operation,
      run: () => compareWords(context, route, account),
    };
    // Limits of sign-ins are low: they are waited for once, not again for every route.
    const stops = timed.has(route.what);
    timed.add(route.what);
    const times: Attack = {
      check: "one-time",
      operation: route.operation,
      phase: "limits",
      run: () => compareDurations(context, route, account, stops),
    };
    // A sign-up that succeeds leaves an account behind: it is tried as often as the words take, and no more.
    if (route.what === "sign-up") return [words];
    return [words, times];
  });
}

function routesOf(context: ProbeContext): readonly Route[] {
  const { sessions } = context;
  const wrong = () => `Pc-${context.random.text(16)}-7`;
  const send = (leg: Leg, operation: Operation, { user, password }: Account, burst?: true) => {
    const attempt = sessions.attempt(operation, user, password);
    return context.send(leg, burst === true ? { ...attempt, burst } : attempt);
  };
  const asked =
    (what: Route["what"]) =>
    (operation: Operation): Route => ({
      operation,
      what,
      ask: (leg, user, burst) => send(leg, operation, { user, password: wrong() }, burst),
      honest: (account, burst) => send("positive", operation, account, burst),
    });
  const inBrowser = sessions.entrances.flatMap((entrance): Route[] => {
    const { fill } = entrance;
    if (fill === undefined) return [];
    return [
      {
        operation: sessions.underWay ?? entrance.operation,
        what: "sign-in",
        ask: (leg, user) => fill({ user, password: wrong() }, leg),
        honest: async (account) => (await entrance.enter(account)).trial,
      },
    ];
  });
  return [
    ...sessions.signIns.map(asked("sign-in")),
    ...inBrowser,
    ...sessions.signUps.map(asked("sign-up")),
    ...sessions.resets.map(asked("reset")),
  ];
}

/** A name of the same shape as the known one, so that only its existence differs. */
function strangerLike(context: ProbeContext, { user }: Account): string {
  const at = user.indexOf("@");
  const local = at < 0 ? user.length : at;
  return `pc${context.random.text(Math.max(6, local - 2))}${at < 0 ? "" : user.slice(at)}`;
}

async function compareWords(context: ProbeContext, route: Route, account: Account): Promise<Outcome> {
  const { what } = route;
  const honest = what === "sign-in" ? await route.honest(account) : undefined;
  if (honest !== undefined && !isSuccess(honest.answer))
    return inconclusive(`the account given ${outcome(honest.answer)}`, [honest]);
  const asked: { user: string; known: boolean; trial: Trial }[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    for (const known of [false, true]) {
      const user = known ? account.user : strangerLike(context, account);
      const trial = await route.ask(known ? "attack" : "negative", user);
      asked.push({ user, known, trial });
      if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [trial]);
    }
  }
  const trials = asked.map(({ trial }) => trial);
  const [stranger, owner] = trials;
  if (stranger === undefined || owner === undefined) return inconclusive("nothing was sent");
  if (what === "sign-in" && isSuccess(owner.answer) && tokenIn(owner.answer.json) !== undefined)
    return broken("a wrong password signs in", trials);
  if (what === "sign-up" && isSuccess(stranger.answer) && !isSuccess(owner.answer) && !isLater(stranger))
    return notApplicable(
      "It makes the account at once, so that a name that is taken has to be refused; only a message to its owner could hide that.",
    );
  if (what !== "sign-in" && !isSuccess(stranger.answer) && !isSuccess(owner.answer))
    return inconclusive(`the request ${outcome(stranger.answer)}, whoever it is about`, trials);
  const facts = (known: boolean) =>
    asked.filter((one) => one.known === known).map(({ trial, user }) => factsOf(trial, user));
  const difference = differenceOf(facts(true), facts(false));
  if (difference !== undefined) {
    return broken(`${words[what].tells} (${difference} differs)`, trials);
  }
  return held(words[what].alike, trials);
}

const words = {
  "sign-in": {
    tells: "sign-in tells an unknown user from a wrong password",
    alike: "an unknown user and a wrong password are answered alike",
    slow: "sign-in takes another time for a user that exists",
  },
  "sign-up": {
    tells: "sign-up tells who has an account already",
    alike: "a new name and one that is taken are answered alike",
    slow: "sign-up takes another time for a user that exists",
  },
  reset: {
    tells: "a password reset tells who has an account",
    alike: "a reset is answered alike, whoever it is for",
    slow: "a password reset takes another time for a user that exists",
  },
} as const;

/** True where a success only promises something, so that it could be said to everybody: 202, or no record and no token. */
function isLater({ answer }: Trial): boolean {
  if (answer.status === 202 || answer.status === 204) return true;
  return answer.status === 200 && tokenIn(answer.json) === undefined && !/"_?id"\s*:/.test(answer.text);
}

/** Headers that say what time it is, how much of a limit is left or how long it took. */
const moving =
  /^(?:date|age|etag|expires|content-length|x-response-time|server-timing|x-runtime|retry-after)$|ratelimit/;

/** Everything an answer says, by where it says it; the user's name is taken out, and the name of the one sign-in it is of. */
function factsOf({ answer, outgoing }: Trial, user: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>([
    ["status", String(answer.status)],
    ["media type", mediaTypeOf(answer)],
  ]);
  const once = outgoing.target.split(/[/?&=]/).filter((part) => part.length >= 16 && /\d/.test(part));
  const plain = (text: string) =>
    [user, encodeURIComponent(user), ...once].reduce((rest, part) => rest.replaceAll(part, "#"), text);
  for (const [name, value] of answer.headers) {
    if (moving.test(name)) continue;
    const said = name === "set-cookie" ? (value.split("=")[0] ?? "") : value;
    facts.set(`header ${name}`, `${facts.get(`header ${name}`) ?? ""}${plain(said)};`);
  }
  if (answer.json === undefined) {
    // A page writes the name in its own way.
    const text = plain(unescaped(answer.text));
    facts.set("text", text).set("words", blank(text));
  }
  walk(answer.json, (path, _name, value) => {
    const said = typeof value === "object" && value !== null ? "…" : plain(JSON.stringify(value) ?? "");
    facts.set(`member ${path}`, `${facts.get(`member ${path}`) ?? ""}${said};`);
  });
  return facts;
}

/** What every answer about the known user says in one way and every answer about a stranger in another. */
function differenceOf(
  known: readonly ReadonlyMap<string, string>[],
  strangers: readonly ReadonlyMap<string, string>[],
): string | undefined {
  const places = new Set([...known, ...strangers].flatMap((facts) => [...facts.keys()]));
  return [...places].find((place) => {
    const ours = new Set(known.map((facts) => facts.get(place)));
    const theirs = new Set(strangers.map((facts) => facts.get(place)));
    return ours.size === 1 && theirs.size === 1 && [...ours][0] !== [...theirs][0];
  });
}

/** Two measurements, the second only where the first shows something: unknown, known and unknown again, by turns. */
async function compareDurations(
  context: ProbeContext,
  route: Route,
  account: Account,
  stops: boolean,
): Promise<Outcome> {
  const { samples } = context.effort;
  const tight = tightLimit(route.operation, samples * 5, context.patienceMs);
  if (tight !== undefined) return notApplicable(tight);
  const first = await measure(context, route, account, stops);
  if (first.stopped !== undefined) return first.stopped;
  const one = compareTimes(first.known, first.strangers);
  // Said with its bound: what a machine hides from the scan it hides from others on the same line.
  if (one.kind === "noise") return held("no difference of times stands out of the noise of this machine", first.trials);
  if (one.kind === "same") return held("a user that exists takes no other time than one that does not", first.trials);
  const second = await measure(context, route, account, stops);
  if (second.stopped !== undefined) return second.stopped;
  const two = compareTimes(second.known, second.strangers);
  const trials = [...first.trials, ...second.trials];
  if (two.kind !== "different") return held("no difference of times that comes again", trials);
  const gap = Math.round(Math.min(one.gapMs, two.gapMs));
  return broken(`${words[route.what].slow} (${gap} ms, ${samples * 3} requests, twice)`, trials);
}

interface Measured {
  readonly known: readonly number[];
  readonly strangers: readonly [readonly number[], readonly number[]];
  /** One request of each kind, as evidence. */
  readonly trials: readonly Trial[];
  /** Why it could not be finished. */
  readonly stopped?: Outcome;
}

/** @param stops  at a limit, rather than wait until it is over */
async function measure(context: ProbeContext, route: Route, account: Account, stops: boolean): Promise<Measured> {
  const { samples } = context.effort;
  const burst = stops ? true : undefined;
  const known: number[] = [];
  const strangers: [number[], number[]] = [[], []];
  let trials: readonly Trial[] = [];
  let refusal: number | undefined;
  for (let round = 0; round < samples; round += 1) {
    const before = await route.ask("negative", strangerLike(context, account), burst);
    const owner = await route.ask("attack", account.user, burst);
    const after = await route.ask("negative", strangerLike(context, account), burst);
    const got = [before, owner, after];
    const limited = got.find(({ answer }) => isLimited(answer) || answer.status === 423);
    refusal ??= owner.answer.status;
    if (limited !== undefined || owner.answer.status !== refusal || got.some(({ answer }) => answer.status === 0)) {
      const stopped = notApplicable(
        "Its limits end the measurement, and anybody else's, before times could be told apart.",
      );
      return { known, strangers, trials: got, stopped };
    }
    // The first round opens connections and warms caches up.
    if (round > 0) {
      strangers[0].push(before.answer.ms);
      known.push(owner.answer.ms);
      strangers[1].push(after.answer.ms);
    }
    trials = got;
    // A success in between keeps the account from being locked by what is measured.
    if (route.what === "sign-in" && round % 2 === 1) await route.honest(account, burst);
  }
  return { known, strangers, trials };
}
