import type { Exchange } from "./exchange.ts";
import type { Auditor, HeaderGate, Step } from "./gate.ts";
import type { Handled } from "./listen.ts";
import { type NotYetPassing, PassedOn } from "./passing.ts";

/** Lets the requests of listed routes through; stands right before the route lookup. */
export function passNotYet({ find }: NotYetPassing): Step {
  return function passOn(x) {
    const route = find(x.method, x.path, x.segments);
    return route === undefined ? undefined : new PassedOn("not-yet", route);
  };
}

/**
 * What an adapter is told of a request that goes on: nothing to send, and whom to tell how it was answered. Limits are
 * settled by what was answered or, in shadow mode, by what would have been.
 */
export function handedOn(
  x: Exchange,
  passed: PassedOn,
  { settle, auditor }: { readonly settle: ReturnType<HeaderGate>; readonly auditor: ReturnType<Auditor> },
): Handled {
  let told = false;
  x.passedOn = passed;
  return {
    passes: true,
    answer: { status: 500, headers: [], body: undefined, close: true },
    isHead: x.isHead,
    unsendable: () => ({ status: 500, headers: [], body: undefined, close: true }),
    finished(aborted, status = 0) {
      if (told) return;
      told = true;
      try {
        x.status = passed.wouldRefuse?.status ?? status;
        x.refusal = passed.wouldRefuse;
        settle(x, []);
      } catch (error) {
        auditor.failed(x, error, "limits of a request that went on");
      }
      // What was answered is what is recorded; what would have been is an event of its own.
      x.refusal = undefined;
      x.status = status;
      auditor.finished(x, aborted);
    },
  };
}
