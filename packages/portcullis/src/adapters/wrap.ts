import type { Api } from "../api.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import type { OutputPolicy } from "../output.ts";
import type {
  AccessPolicy,
  Given,
  InputPolicy,
  NoInputs,
  NoObjects,
  ObjectsPolicy,
  PagePolicy,
  RoutePath,
  RoutePolicy,
} from "../policy.ts";
import type { PolicyChecks } from "../policy-checks.ts";
import type { Next } from "./express-shape.ts";
import { createAnswering } from "./wrap-answering.ts";
import { type Declared, declaredBy } from "./wrap-declared.ts";
import { makeRequest, type Proved, type WrappedRequest } from "./wrap-request.ts";
import { WrappedResponse } from "./wrap-response.ts";

/** A handler in the manner of Express, behind a policy. */
export type WrappedHandler<G extends Proved = Proved> = (
  req: WrappedRequest<G>,
  res: WrappedResponse,
  next: Next,
) => unknown;

/** A handler that was written with Express's own types. What it reads that nobody proved is an error when it runs. */
export type ExpressHandler = (req: never, res: never, next: Next) => unknown;

/** Takes the handlers of a wrapped route: written for it, or with Express's own types. */
export interface Wrapping<G extends Proved> {
  /** @param handlers  run in order, each going on with `next()`, as in `app.get(path, first, second)` */
  (...handlers: readonly WrappedHandler<G>[]): void;
  (...handlers: readonly ExpressHandler[]): void;
}

/**
 * Puts existing handlers of Express behind a policy: `wrap(api, policy)((req, res) => …)` where `app.get(path, …)` stood.
 * They get the values that were proved, in the places they know: `req.params`, `req.query`, `req.body`, `req.user`,
 * `req.caller`, `req.objects`, `req.page`, `req.cookies` where the policy declares some. What they answer with `res.json`
 * or `res.send` goes the way of a returned value: status, egress, output, headers; `res.redirect` likewise, where the
 * output is a redirect. A status of 400 and above becomes the refusal of that status, without the handler's own body
 * unless the output declares it; what is thrown or handed to `next` is an error. The answer leaves when the last handler
 * has come to its end.
 *
 * What cannot be filtered (`write`, `pipe`, `sendFile`, `download`, `render`) and what was not proved (`req.headers` and
 * `req.cookies` the policy does not name, `req.session`, `req.hostname`) is a 500 whose record says what
 * to write instead. So is answering twice, and `next()` with nobody behind. Never answering is `handler-timeout` (503).
 *
 * @param api     declares the route, at once
 * @param policy  what the route demands, as `api.route` takes it
 * @returns takes the handlers; a route that was given none answers 500
 */
export function wrap<
  const Path extends RoutePath,
  const Access extends AccessPolicy,
  const Output extends OutputPolicy,
  Input extends InputPolicy = NoInputs,
  const Objects extends ObjectsPolicy = NoObjects,
  const Paging extends PagePolicy | undefined = undefined,
>(
  api: Pick<Api, "route">,
  policy: RoutePolicy<Path, Access, Input, Objects, Output, Paging> &
    PolicyChecks<Path, Access, Input, Objects, Output, Paging>,
): Wrapping<Given<Path, Access, Input, Objects, Paging>> {
  const all: ExpressHandler[] = [];
  // What they answer is held against the route's output when it is answered; no type can say it before.
  Reflect.apply(api.route, api, [policy, inTurn(all, declaredBy(policy))]);
  return (...handlers: readonly ExpressHandler[]) => {
    all.push(...handlers);
  };
}

/** The handlers as one function of what the gates proved. */
function inTurn(handlers: readonly ExpressHandler[], declared: Declared): (given: Proved) => Promise<unknown> {
  return function runWrapped(given) {
    return new Promise((resolve, reject) => {
      const answering = createAnswering(resolve, reject, declared);
      const req = makeRequest(given, answering, declared);
      const res = new WrappedResponse(answering, declared);

      function run(at: number): void {
        const handler = handlers[at];
        if (handler === undefined) {
          answering.fail(new Error("next() was called without an answer, and nobody stands behind a wrapped handler"));
          return;
        }
        let hasGoneOn = false;
        const next: Next = (error) => {
          if (error !== undefined && error !== null && error !== "route" && error !== "router") answering.fail(error);
          else if (hasGoneOn) answering.fail(new Error("next() was called twice"));
          else {
            hasGoneOn = true;
            run(error === undefined || error === null ? at + 1 : handlers.length);
          }
        };
        const release = answering.hold();
        try {
          const returned: unknown = Reflect.apply(handler, undefined, [req, res, next]);
          if (isPromise(returned)) {
            returned.then(release, (error: unknown) => {
              answering.fail(error);
              release();
            });
            return;
          }
        } catch (error) {
          answering.fail(error);
        }
        release();
      }

      run(0);
    });
  };
}
