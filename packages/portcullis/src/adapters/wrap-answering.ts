import { type AnswerOptions, answer } from "../output.ts";
import { Refusal, type RefusalCode, refuse } from "../refusal.ts";
import type { Declared } from "./wrap-declared.ts";

/** The one answer of a wrapped handler, on its way to the pipeline. */
export interface Answering {
  /** Whether there is an answer already. */
  readonly isAnswered: boolean;
  /** A handler has begun; the answer waits until what is returned has been called. */
  hold(): () => void;
  /** A second answer is a misuse. */
  answer(value: unknown, options: AnswerOptions): void;
  /**
   * What a handler must not do. It becomes the outcome, whatever else the handler answers.
   *
   * @throws Error while a handler runs, so that it goes no further; in a callback nobody would catch it, and the process
   *   would end
   */
  misuse(message: string): void;
  /** What a handler threw or handed to `next`; before the answer has left it takes its place. */
  fail(error: unknown): void;
}

/**
 * Waits for the end of the handlers, so that what goes wrong after an answer is not lost: an error, a second answer.
 *
 * @param resolve  gets the answer or a refusal
 * @param reject   gets what becomes a 500
 * @param declared  statuses of 400 and above that it names have a body of the handler's
 */
export function createAnswering(
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
  declared: Declared,
): Answering {
  let held = 0;
  let given: { readonly value: unknown } | undefined;
  let failure: { readonly error: unknown } | undefined;
  let isOver = false;

  function end(): void {
    if (isOver || held > 0 || (given === undefined && failure === undefined)) return;
    isOver = true;
    if (failure === undefined) resolve(given?.value);
    else {
      const { error } = failure;
      const refusal = error instanceof Refusal ? error : refusalOf(error);
      if (refusal === undefined) reject(error);
      else resolve(refusal);
    }
  }

  function fail(error: unknown): void {
    if (isOver) {
      // Nobody is there to catch it, and no request may end the process.
      process.emitWarning(error instanceof Error ? error : "a wrapped handler failed after its answer", {
        code: "PORTCULLIS_LATE",
      });
      return;
    }
    failure ??= { error };
    end();
  }

  function misuse(message: string): void {
    const error = new Error(message);
    fail(error);
    if (held > 0) throw error;
  }

  return {
    get isAnswered() {
      return given !== undefined;
    },
    hold() {
      held++;
      let isHeld = true;
      return function release() {
        if (!isHeld) return;
        isHeld = false;
        held--;
        end();
      };
    },
    answer(value, options) {
      if (given !== undefined) {
        misuse("the handler answered twice");
        return;
      }
      const { status } = options;
      if (status === undefined || status < 400 || declared.refusals.has(status))
        given = { value: answer(value, options) };
      else {
        const code = codes[status];
        if (code === undefined) {
          misuse(`no refusal has the status ${status}; there are ${Object.keys(codes).join(", ")}, or throw refuse(…)`);
          return;
        }
        // Its own body is not shown: nobody declared it.
        given = { value: refuse(code, `the handler answered ${status}`) };
      }
      end();
    },
    misuse,
    fail,
  };
}

/** An error that says its own status, as those of `http-errors` do; 500 and above is what any error is. */
function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error)) return undefined;
  const status: unknown = Reflect.get(error, "status") ?? Reflect.get(error, "statusCode");
  const code = typeof status === "number" && status < 500 ? codes[status] : undefined;
  return code === undefined
    ? undefined
    : new Refusal(code, `the handler failed with ${String(status)}`, { cause: error });
}

const codes: Readonly<Record<number, RefusalCode>> = {
  400: "bad-request",
  401: "bad-credential",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  410: "gone",
  412: "precondition-failed",
  422: "unprocessable",
  429: "rate-limited",
  500: "internal",
  503: "overloaded",
};
