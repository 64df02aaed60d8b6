/** Who is kept waiting at what the target refused for now, so that one request finds out, and not one after the other. */
export interface Gates {
  /** Closes a gate for so long, milliseconds. */
  close(name: string, ms: number): void;
  /** Waits until a gate is open. */
  open(name: string): Promise<void>;
}

/** Makes gates that are all open. */
export function createGates(): Gates {
  const until = new Map<string, number>();
  return {
    close(name, ms) {
      until.set(name, Math.max(until.get(name) ?? 0, performance.now() + ms));
    },
    async open(name) {
      for (;;) {
        const ms = (until.get(name) ?? 0) - performance.now();
        if (ms <= 0) return;
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    },
  };
}
