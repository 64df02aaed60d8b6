/** A time by which something has to have happened; given back to {@link Deadlines.remove} when it has. */
export interface Deadline {
  readonly atMs: number;
}

/**
 * Many deadlines with one timer: setting one costs a link in a list. Expires up to a quarter second late, never early.
 * Where the host has dropped the timer, as some do with a request's timers when it is answered, the next deadline that
 * is set sees to all of them.
 */
export interface Deadlines {
  add(timeoutMs: number, expire: () => void): Deadline;
  /**
   * Takes a deadline away.
   *
   * @returns whether it was still open; false where it has expired or was taken away before
   */
  remove(deadline: Deadline): boolean;
}

const sweepMs = 250;

/**
 * @param monotonic  milliseconds that never step back
 * @param schedule   runs work once after a delay, without keeping the process alive
 */
export function createDeadlines(
  monotonic: () => number,
  schedule: (delayMs: number, work: () => void) => void,
): Deadlines {
  const open = new OpenDeadlines();
  /** Until when the timer that was set last is believed to come. */
  let trustedUntilMs = Number.NEGATIVE_INFINITY;
  let timers = 0;

  function sweep(): void {
    for (const link of open.until(monotonic())) {
      // Another one's expiry may have taken it away.
      if (!open.remove(link)) continue;
      link.expire();
    }
    plan(monotonic());
  }

  function plan(nowMs: number): void {
    if (open.isEmpty || nowMs < trustedUntilMs) return;
    trustedUntilMs = nowMs + sweepMs * 4;
    timers++;
    const timer = timers;
    schedule(sweepMs, () => {
      // One that comes late after all does its work and is not followed by one more.
      if (timer === timers) trustedUntilMs = Number.NEGATIVE_INFINITY;
      sweep();
    });
  }

  return {
    add(timeoutMs, expire) {
      const nowMs = monotonic();
      const link = new Link(nowMs + timeoutMs, expire);
      open.add(link);
      plan(nowMs);
      return link;
    },
    remove(deadline) {
      return deadline instanceof Link && open.remove(deadline);
    },
  };
}

/**
 * A ring of links. A Set would do, but its table is made anew every few dozen removals, and the tables it leaves behind
 * hold each other and what stood in them: requests lived on until the next full collection, several MB a second.
 */
class OpenDeadlines {
  readonly #head = new Link(Infinity, () => undefined);

  constructor() {
    this.#head.next = this.#head;
    this.#head.previous = this.#head;
  }

  get isEmpty(): boolean {
    return this.#head.next === this.#head;
  }

  add(link: Link): void {
    const { previous } = this.#head;
    link.previous = previous;
    link.next = this.#head;
    if (previous !== undefined) previous.next = link;
    this.#head.previous = link;
  }

  /** @returns whether it was in the ring */
  remove(link: Link): boolean {
    const { previous, next } = link;
    if (previous === undefined || next === undefined) return false;
    previous.next = next;
    next.previous = previous;
    // Removed links must not hold each other either.
    link.previous = undefined;
    link.next = undefined;
    return true;
  }

  /** Those whose time has come. */
  until(nowMs: number): readonly Link[] {
    const due: Link[] = [];
    for (let link = this.#head.next; link !== undefined && link !== this.#head; link = link.next) {
      if (link.atMs <= nowMs) due.push(link);
    }
    return due;
  }
}

class Link implements Deadline {
  readonly atMs: number;
  readonly expire: () => void;
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;

  constructor(atMs: number, expire: () => void) {
    this.atMs = atMs;
    this.expire = expire;
  }
}
