import type { Exchange, Outcome } from "./exchange.ts";
import type { RouteGate } from "./gate.ts";
import { isPromise } from "./lib/maybe-promise.ts";
import { withinTime } from "./lib/within-time.ts";
import { Answered } from "./output.ts";
import type { RequestFacts } from "./policy.ts";
import { Refusal } from "./refusal.ts";

/**
 * Runs the application's own code with what the gates proved, and nothing raw. A handler that takes longer than its
 * time is answered for with 503 and told through its signal; what it throws is a bland 500.
 *
 * @returns step; refuses with whatever the handler refuses with, `internal` (500) or `handler-timeout` (503)
 */
export const handler: RouteGate = (api, route) => {
  const run = route.handler;
  const status = route.outputs[0]?.status ?? 200;

  return function runHandler(x) {
    const facts = new Facts(x);
    const given: Record<string, unknown> = {
      caller: x.caller,
      params: x.params,
      query: x.queryInput,
      headers: x.headerInput,
      cookies: x.cookieInput,
      body: x.bodyInput,
      page: x.page,
      delivery: x.delivery,
      request: facts,
    };
    for (const name in x.objects) given[name] = x.objects[name];
    x.status = status;
    const returned = run(given);
    if (!isPromise(returned)) return take(x, returned);
    const late = (): Refusal => {
      facts.timedOut();
      return new Refusal("handler-timeout", `still running after ${route.timeoutMs} ms`);
    };
    return withinTime<unknown, Outcome>(api.deadlines, route.timeoutMs, returned, late, (value) => take(x, value));
  };
};

function take(x: Exchange, returned: unknown): Outcome {
  if (returned instanceof Refusal) return returned;
  if (returned instanceof Answered) {
    x.result = returned.value;
    x.answerOptions = returned.options;
    if (returned.options.status !== undefined) x.status = returned.options.status;
    return undefined;
  }
  x.result = returned;
  return undefined;
}

/** Facts for the handler; the signal is made only where somebody asks for it. */
class Facts implements RequestFacts {
  readonly #x: Exchange;
  #timeout: AbortController | undefined;
  #signal: AbortSignal | undefined;
  #isTimedOut = false;

  constructor(x: Exchange) {
    this.#x = x;
  }

  get id(): string {
    return this.#x.id;
  }

  get timeMs(): number {
    return this.#x.timeMs;
  }

  get address(): string {
    return this.#x.address?.text ?? "unknown";
  }

  get sentFrom(): RequestFacts["sentFrom"] {
    return senders.get(this.#x.headers["sec-fetch-site"]) ?? "unknown";
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#timeout = new AbortController();
      if (this.#isTimedOut) this.#timeout.abort();
      this.#signal = AbortSignal.any([this.#x.arrival.signal(), this.#timeout.signal]);
    }
    return this.#signal;
  }

  timedOut(): void {
    this.#isTimedOut = true;
    this.#timeout?.abort();
  }
}

/** By Sec-Fetch-Site. */
const senders: ReadonlyMap<string | undefined, RequestFacts["sentFrom"]> = new Map([
  ["same-origin", "own-page"],
  ["same-site", "same-site"],
  ["cross-site", "elsewhere"],
  ["none", "no-page"],
]);
