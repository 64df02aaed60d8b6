import { createAnswerBudget } from "../lib/answer-budget.ts";
import type { RedisClient } from "./redis-client.ts";
import type { RedisScript } from "./redis-script.ts";

/** One command to Redis, and what to do with what comes of it. */
export interface Question<T> {
  readonly script: RedisScript;
  readonly keys: readonly string[];
  readonly parameters: readonly (string | number)[];
  /** Goes on with the answer that came in time; throwing counts as no answer. */
  use(answer: unknown): T;
  /** Goes on without: Redis is gone, slow, or says something else than an answer. May throw. */
  without(cause: Error): T;
  /** Told of an answer nobody waited for any longer; what it throws is nobody's. */
  late?(answer: unknown): void;
}

/** What a link is made of. */
export interface RedisLinkOptions {
  readonly client: RedisClient;
  /** Longest wait for one answer, in milliseconds. */
  readonly budgetMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Runs work once after a delay, without keeping the process alive. */
  readonly schedule: (delayMs: number, work: () => void) => void;
  /** Asks Redis for something harmless that writes, to learn whether it is back. */
  readonly probe: (client: RedisClient) => Promise<unknown>;
  /** Told when Redis is given up and when it is back. */
  readonly onChange: (isGone: boolean, reason: string) => void;
}

/** Failures in a row after which Redis is given up. One may be a hiccup; each costs a request the whole budget. */
const failuresToGiveUp = 3;
/** How often a Redis that was given up is asked whether it is back. */
const probeEveryMs = 250;

/**
 * Asks Redis within a budget. After three failures in a row, or as soon as the connection is gone, nobody is made to wait
 * any more: every question goes on without, until a question of our own, asked in the background, is answered in time.
 * No question is queued and none is asked twice.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #budget: ReturnType<typeof createAnswerBudget>;
  #failures = 0;
  #isGone = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.#budget = createAnswerBudget(options.budgetMs, options.now, options.schedule);
  }

  /** True where a question would not be asked. Looks at the connection, so that a lost one is noticed at once. */
  get isGone(): boolean {
    if (!this.#isGone && this.#options.client.status !== "ready") this.#giveUp("the connection is not ready");
    return this.#isGone;
  }

  /** Asks, or goes on without; at once where Redis is gone. */
  ask<T>(question: Question<T>): T | Promise<T> {
    if (this.isGone) return question.without(new Error("Redis is gone"));
    return new Promise((resolve, reject) => {
      const goOnWithout = (cause: Error): void => {
        try {
          resolve(question.without(cause));
        } catch (error) {
          reject(error);
        }
      };
      const waiting = this.#budget.begin(() => {
        const cause = new Error(`Redis did not answer within ${this.#options.budgetMs} ms`);
        this.#failed(cause.message);
        goOnWithout(cause);
      });
      const { script, keys, parameters } = question;
      script
        .run(this.#options.client, keys, parameters, () => waiting.isOpen)
        .then(
          (answer) => {
            if (!waiting.end()) return ignoreThrown(() => question.late?.(answer));
            try {
              resolve(question.use(answer));
              this.#failures = 0;
            } catch (error) {
              this.#failed("an answer could not be read");
              goOnWithout(asError(error));
            }
          },
          (error: unknown) => {
            if (!waiting.end()) return;
            this.#failed(asError(error).message);
            goOnWithout(asError(error));
          },
        );
    });
  }

  /** Sends what nobody waits for; lost where Redis is gone. */
  tell(question: Pick<Question<unknown>, "script" | "keys" | "parameters">, use?: (answer: unknown) => void): void {
    const asked = this.ask<void>({
      ...question,
      use: (answer) => use?.(answer),
      without: () => undefined,
      late: (answer) => use?.(answer),
    });
    if (asked instanceof Promise) asked.catch(() => undefined);
  }

  /**
   * Takes back what a late answer did: it has just come, so somebody is there, although Redis counts as gone. Nobody
   * waits, and only late answers lead here, so no more is on its way than was before.
   */
  undo({ script, keys, parameters }: Pick<Question<unknown>, "script" | "keys" | "parameters">): void {
    script.run(this.#options.client, keys, parameters).catch(() => undefined);
  }

  #failed(reason: string): void {
    this.#failures++;
    if (this.#failures >= failuresToGiveUp) this.#giveUp(reason);
  }

  #giveUp(reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#options.onChange(true, reason);
    this.#probeLater();
  }

  #probeLater(): void {
    this.#options.schedule(probeEveryMs, () => {
      if (this.#options.client.status !== "ready") return this.#probeLater();
      const waiting = this.#budget.begin(() => this.#probeLater());
      this.#options.probe(this.#options.client).then(
        () => {
          if (!waiting.end()) return;
          this.#failures = 0;
          this.#isGone = false;
          this.#options.onChange(false, "it answers in time again");
        },
        () => {
          if (waiting.end()) this.#probeLater();
        },
      );
    });
  }
}

function ignoreThrown(work: () => void): void {
  try {
    work();
  } catch {
    // A late answer that cannot be read has nothing that could be taken back.
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
