/** Lets one check at a time use limits up, and another one while it does nothing but wait. */
export interface Turns {
  /** Waits until nobody else has the turn, and has it while `go` runs. */
  take<Got>(go: () => Promise<Got>): Promise<Got>;
  /** For who has the turn: gives it away while `wait` waits, and takes it again. Where nobody takes turns, it only waits. */
  aside<Got>(wait: () => Promise<Got>): Promise<Got>;
}

/** Makes turns that nobody has. They are given in the order in which they are asked for. */
export function createTurns(): Turns {
  let isTaken = false;
  const queue: (() => void)[] = [];

  async function begin(): Promise<void> {
    if (isTaken) return await new Promise((resolve) => queue.push(resolve));
    isTaken = true;
  }

  function end(): void {
    const next = queue.shift();
    if (next === undefined) isTaken = false;
    else next();
  }

  return {
    async take(go) {
      await begin();
      try {
        return await go();
      } finally {
        end();
      }
    },
    async aside(wait) {
      if (!isTaken) return await wait();
      end();
      try {
        return await wait();
      } finally {
        await begin();
      }
    },
  };
}
