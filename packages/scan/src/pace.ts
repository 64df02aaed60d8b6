import { BudgetSpent } from "./scan-error.ts";
import type { Limit } from "./target.ts";

/**
 * Keeps the scan below the target's limits: a request waits until every limit it counts against has room. Limits are
 * kept a little lower than declared, since the target's clock and window are not ours.
 */
export interface Pacer {
  /** Declares a limit under a name; declaring it again changes nothing. */
  declare(name: string, limit: Limit, kind?: keyof typeof shares): void;
  /**
   * Waits until all named limits have room, then counts against them. Names nobody declared are free.
   *
   * @throws BudgetSpent when the wait would be longer than `maxWaitMs`
   */
  take(names: readonly string[]): Promise<void>;
  /** Holds a place in a limit that only some answers count against, until `settle` says whether this one did. */
  reserve(name: string): Promise<Reservation>;
  /** True where all named limits have room now. */
  hasRoom(names: readonly string[]): boolean;
  /** Lowers a declared limit to another one, for good: the target showed that it allows less. */
  lower(name: string, limit: Limit): void;
  /** Counts something that happened outside the pacer, such as a burst. */
  record(name: string, times: number): void;
  /** The longest wait that may begin now, milliseconds. */
  longestWaitMs(): number;
  /** How long until the first request that waits for a limit is sent; undefined where none waits. */
  waitingMs(): number | undefined;
}

/** A held place in a limit. */
export interface Reservation {
  settle(counted: boolean): void;
}

/** Share of a declared limit the scan uses: rates with room for a burst's jitter, counted failures almost all. */
const shares = { rate: 0.85, count: 0.97 };

/** In a window from here on, milliseconds, jitter does not matter and a rate is used almost whole too. */
const longWindowMs = 10_000;

/** A sliding window may be cut into parts, the oldest of which counts whole; 5 % covers 20 parts and more. */
const stretch = 1.05;

/**
 * @param maxWaitMs  longest wait that may begin now, milliseconds; asked before every wait
 * @param now        clock in milliseconds; monotonic
 */
export function createPacer(maxWaitMs: () => number, now: () => number = () => performance.now()): Pacer {
  const windows = new Map<string, Window>();
  /** Until when each waiting request waits. */
  const waits = new Map<symbol, number>();

  async function pass(names: readonly string[], take: (entry: Window, at: number) => void): Promise<void> {
    const entries = names.flatMap((name) => windows.get(name) ?? []);
    const self = Symbol("a request");
    try {
      for (;;) {
        const at = now();
        let waitMs = 0;
        let fullest: Window | undefined;
        for (const entry of entries) {
          const own = roomIn(entry, at);
          if (own > waitMs) [waitMs, fullest] = [own, entry];
        }
        if (fullest === undefined) {
          for (const entry of entries) take(entry, at);
          return;
        }
        if (waitMs > maxWaitMs()) throw new BudgetSpent(noRoom(fullest, waitMs));
        waits.set(self, at + waitMs);
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 250)));
      }
    } finally {
      waits.delete(self);
    }
  }

  return {
    declare(name, limit, kind = "rate") {
      if (windows.has(name)) return;
      const share = limit.windowMs >= longWindowMs ? shares.count : shares[kind];
      const cap = Math.max(1, Math.floor(limit.limit * share));
      windows.set(name, { name, limit, cap, windowMs: limit.windowMs * stretch, times: [], held: 0 });
    },
    hasRoom(names) {
      const at = now();
      return names.flatMap((name) => windows.get(name) ?? []).every((entry) => roomIn(entry, at) === 0);
    },
    lower(name, limit) {
      const entry = windows.get(name);
      if (entry === undefined || entry.limit.limit <= limit.limit) return;
      entry.limit = limit;
      entry.cap = Math.max(1, Math.floor(limit.limit * shares.rate));
    },
    take: (names) => pass(names, (entry, at) => entry.times.push(at)),
    async reserve(name) {
      const entry = windows.get(name);
      if (entry === undefined) return { settle: () => {} };
      await pass([name], (held) => {
        held.held += 1;
      });
      return {
        settle(counted) {
          entry.held -= 1;
          if (counted) entry.times.push(now());
        },
      };
    },
    longestWaitMs: maxWaitMs,
    waitingMs() {
      const earliest = Math.min(...waits.values());
      return Number.isFinite(earliest) ? Math.max(0, earliest - now()) : undefined;
    },
    record(name, times) {
      const entry = windows.get(name);
      const at = now();
      if (entry !== undefined) for (let done = 0; done < times; done += 1) entry.times.push(at);
    },
  };
}

/** Names the limit and what would help. */
function noRoom({ name, limit }: Window, waitMs: number): string {
  const [, route, who = ""] = /^route (.+) \d+ (.*)$/.exec(name) ?? [];
  const what = route === undefined ? ` (${name})` : ` on ${route}${who === "" ? "" : ` for ${who}`}`;
  const per = limit.windowMs % 1000 === 0 ? `${limit.windowMs / 1000} s` : `${limit.windowMs} ms`;
  return (
    `the API's own limit of ${limit.limit} per ${per}${what} leaves no room for another ${Math.ceil(waitMs / 1000)} s; ` +
    "let the scan wait longer (--patience <minutes>), or scan an instance whose limits count in seconds"
  );
}

interface Window {
  readonly name: string;
  limit: Limit;
  cap: number;
  readonly windowMs: number;
  /** When each counted request happened, oldest first. */
  times: number[];
  /** Places held by requests whose answer is not known yet. */
  held: number;
}

/** How long until the window has a free place; 0 where it has one now. */
function roomIn(entry: Window, at: number): number {
  const start = at - entry.windowMs;
  if (entry.times[0] !== undefined && entry.times[0] < start) entry.times = entry.times.filter((time) => time >= start);
  const over = entry.times.length + entry.held - entry.cap;
  if (over < 0) return 0;
  const frees = entry.times[over];
  // All places are held by requests in flight: look again soon.
  return frees === undefined ? 5 : Math.max(frees - start, 1);
}
