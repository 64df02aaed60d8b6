import { isSuccess } from "./answer.ts";
import { createJar } from "./cookie-jar.ts";
import { type Cookie, sessionCookie } from "./cookies.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { type Browser, browse } from "./oauth-browser.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import type { Account } from "./account.ts";
import { isGone, isSafe, type Operation, pathParameters, type Target } from "./target.ts";

/** A way to begin a cookie session. */
export interface Entrance {
  /** The operation that sets the cookie. */
  readonly operation: Operation;
  /** What ends such a session, here alone. */
  readonly end: Operation | undefined;
  /** What ends all sessions of whoever has one. */
  readonly endAll: Operation | undefined;
  /**
   * Goes that way with an account, in a browser that has no other cookie.
   *
   * @param cookie  a Cookie header the browser comes with
   * @throws Unreachable where there is no such way after all, or it ends before a session begins
   */
  enter(
    account: Account,
    options?: { readonly cookie?: string; readonly leg?: Leg; readonly label?: string },
  ): Promise<Entered>;
  /**
   * Fills in the form somebody signs in with on that way, and goes no further; undefined where the entrance is that itself.
   *
   * @throws Unreachable where there is no form
   */
  readonly fill?: (account: Account, leg: Leg) => Promise<Trial>;
}

/** What came of it. */
export interface Entered {
  /** The request whose answer began the session, or would have. */
  readonly trial: Trial;
  /** The session's cookie; undefined where none was set. */
  readonly cookie: Cookie | undefined;
}

/** By one request that takes a name and a password. */
export function directEntrance(
  start: Operation,
  options: {
    readonly target: Target;
    readonly now: number;
    readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
    readonly attempt: (operation: Operation, user: string, password: string) => Outgoing;
  },
): Entrance {
  const { target } = options;
  return {
    operation: start,
    ...endsOf(start, target, options.now),
    async enter({ user, password }, { cookie, leg = "positive", label } = {}) {
      const attempt = options.attempt(start, user, password);
      const trial = await options.send(leg, {
        ...attempt,
        ...(cookie === undefined ? {} : { headers: [...attempt.headers, ["cookie", cookie]] }),
        ...(label === undefined ? {} : { label }),
      });
      return { trial, cookie: isSuccess(trial.answer) ? sessionCookie(trial.answer, target) : undefined };
    },
  };
}

/**
 * By a browser that is sent to an issuer and comes back: the operation it comes back to begins a session only for whom a
 * cookie of the way there says so, which the manifest names.
 *
 * @returns undefined where the manifest knows no such operation
 */
export function browserEntrance(options: {
  readonly browser: Browser;
  readonly target: Target;
  readonly now: number;
}): Entrance | undefined {
  const { browser, target, now } = options;
  const live = target.operations.filter((operation) => !isGone(operation, now));
  const back = live.find(({ begunBy }) => begunBy.length > 0);
  if (back === undefined) return undefined;
  const { begunBy } = back;
  let found: Promise<Operation> | undefined;
  return {
    operation: back,
    ...endsOf(back, target, now),
    async enter(account, { cookie, leg = "positive", label = "a browser" } = {}) {
      const trial = await go(account, { path: back.path }, { cookie, leg, label });
      const set = isSuccess(trial.answer) ? sessionCookie(trial.answer, target) : undefined;
      return { trial: { ...trial, outgoing: { ...trial.outgoing, operation: back } }, cookie: set };
    },
    fill: (account, leg) => go(account, "form", { leg, label: "a browser" }),
  };

  async function go(
    account: Account,
    until: { readonly path: string } | "form",
    { cookie, leg, label }: { readonly cookie?: string | undefined; readonly leg: Leg; readonly label: string },
  ): Promise<Trial> {
    found ??= findStart(begunBy);
    const begin = await found;
    const here = { isHere: (to: URL) => to.origin === browser.fetcher.url.origin };
    const person = { jar: createJar(cookie), account };
    const way = { target: requestFor(begin, {}).target, state: "", leg, label, until };
    const arrival = await browse(browser, here, person, way);
    const trial = arrival.trials.at(-1);
    if (trial === undefined || arrival.kind !== "stopped") throw new Unreachable(`${begin.id} leads elsewhere`);
    if (arrival.as !== "arrived") throw new Unreachable(`${begin.id} leads to no session: ${arrival.why}`);
    return trial;
  }

  /** Where the way begins: what sends on and sets one of those cookies. */
  async function findStart(names: readonly string[]): Promise<Operation> {
    const likely = live.filter(
      (operation) =>
        isSafe(operation) &&
        operation !== back &&
        pathParameters(operation.path).length === 0 &&
        !operation.parameters.some(({ required }) => required) &&
        [...operation.responses.keys()].some((status) => status >= 300 && status < 400),
    );
    const rank = ({ path }: Operation) => (/log-?in|sign-?in|connect|start|begin/i.test(path) ? 0 : 1);
    for (const operation of likely.toSorted((left, right) => rank(left) - rank(right))) {
      const trial = await browser.send("negative", requestFor(operation, { label: "a browser" }));
      const sets = trial.answer.headers.some(
        ([field, value]) => field === "set-cookie" && names.some((name) => value.startsWith(`${name}=`)),
      );
      if (sets) return operation;
    }
    throw new Unreachable(`nothing that redirects sets ${names.join(" or ")}, with which a session begins`);
  }
}

/** What ends the sessions that begin at an operation: below the same path where there are several. */
export function endsOf(start: Operation, target: Target, now: number): Pick<Entrance, "end" | "endAll"> {
  const live = target.operations.filter((one) => !isGone(one, now) && pathParameters(one.path).length === 0);
  const above = start.path.slice(0, start.path.lastIndexOf("/") + 1);
  const near = (operations: readonly Operation[]) =>
    operations.find(({ path }) => path.startsWith(above)) ?? operations[0];
  const all = live.filter((one) => !isSafe(one) && everywhere.test(words(one.path)));
  const byFlag = (one: Operation) => one.parameters.some(({ name, in: place }) => place === "query" && flag.test(name));
  const outs = live.filter(
    (one) => one.method === "POST" && /log-?out|sign-?out/i.test(one.path) && !all.includes(one),
  );
  return {
    end: live.find((one) => one.method === "DELETE" && one.path === start.path) ?? near(outs),
    endAll: near([...all, ...outs.filter(byFlag)]),
  };
}

/** Query that makes a sign-out one from everywhere, where it takes such a flag. */
export function everywhereQuery({ parameters }: Operation): Readonly<Record<string, string>> {
  const named = parameters.find(({ name, in: place }) => place === "query" && flag.test(name));
  return named === undefined ? {} : { [named.name]: "true" };
}

const flag = /^(?:everywhere|all(?:[-_]?(?:sessions|devices))?)$/i;
const everywhere =
  /(?:log|sign)[-_]?out[-_/]?(?:all|everywhere|others?)|(?:other|all)[-_/]?sessions|sessions[-_/](?:others?|all)|(?:end|revoke|close)[-_/]?all/i;

function words(path: string): string {
  return path.replace(/([a-z\d])([A-Z])/g, "$1-$2");
}
