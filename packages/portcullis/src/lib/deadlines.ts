/** A time by which something has to have happened; given back to {@link Deadlines.remove} when it has. */
export interface Deadline {
  readonly atMs: number;
}

/** Many deadlines with one timer: setting one costs a link in a list. Expires up to a quarter second late, never early. */
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
  let isScheduled = false;

  function sweep(): void {
    isScheduled = false;
    for (const link of open.until(monotonic())) {
      // Another one's expiry may have taken it away.
      if (!open.remove(link)) continue;
      link.expire();
    }
    plan();
  }

  function plan(): void {
    if (isScheduled || open.isEmpty) return;
    isScheduled = true;
    schedule(sweepMs, sweep);
  }

  return {
    add(timeoutMs, expire) {
      const link = new Link(monotonic() + timeoutMs, expire);
      open.add(link);
      plan();
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
