/** What is waited for, and not a moment longer than the budget. */
export interface Waiting {
  /**
   * Ends the waiting because the answer is here.
   *
   * @returns whether it still was in time; false once it was told to be late
   */
  end(): boolean;
  /** Whether somebody still waits. */
  readonly isOpen: boolean;
}

/** Bounds how long answers are waited for: all of them equally long, with one timer for all. */
export interface AnswerBudget {
  /** @param late  called once if {@link Waiting.end} has not been called within the budget; must not throw */
  begin(late: () => void): Waiting;
}

/**
 * Equal budgets end in the order in which they began, so a list and one timer do. `lib/deadlines.ts` is for long ones:
 * it looks four times a second.
 *
 * @param budgetMs   milliseconds; what is late is told within the accuracy of `schedule`
 * @param monotonic  milliseconds that never step back
 * @param schedule   runs work once after a delay, without keeping the process alive
 */
export function createAnswerBudget(
  budgetMs: number,
  monotonic: () => number,
  schedule: (delayMs: number, work: () => void) => void,
): AnswerBudget {
  let first: Link | undefined;
  let last: Link | undefined;
  let isScheduled = false;

  function plan(): void {
    while (first !== undefined && !first.isOpen) first = first.next;
    if (first === undefined) {
      last = undefined;
      return;
    }
    if (isScheduled) return;
    isScheduled = true;
    schedule(Math.max(1, first.untilMs - monotonic()), expire);
  }

  function expire(): void {
    isScheduled = false;
    const nowMs = monotonic();
    for (let link = first; link !== undefined && link.untilMs <= nowMs; link = link.next) link.expire();
    plan();
  }

  return {
    begin(late) {
      const link = new Link(monotonic() + budgetMs, late);
      if (last === undefined) first = link;
      else last.next = link;
      last = link;
      plan();
      return link;
    },
  };
}

class Link implements Waiting {
  readonly untilMs: number;
  next: Link | undefined = undefined;
  #late: (() => void) | undefined;

  constructor(untilMs: number, late: () => void) {
    this.untilMs = untilMs;
    this.#late = late;
  }

  get isOpen(): boolean {
    return this.#late !== undefined;
  }

  end(): boolean {
    const wasOpen = this.isOpen;
    // Frees the request it would have told; the link itself stands in the list until its turn.
    this.#late = undefined;
    return wasOpen;
  }

  expire(): void {
    const late = this.#late;
    this.#late = undefined;
    late?.();
  }
}
