import { hash } from "node:crypto";
import type { ClosedKeys } from "../limits/closed-keys.ts";
import type { CompleteDemand } from "../limits/dimensions.ts";
import { exactLogLimit } from "../limits/exact-log.ts";
import type { LimitKey } from "../limits/key.ts";
import type { KeyHash } from "../limits/key-hash.ts";
import type { Admitted, Decision, Demand, EnforcedDimension, Refused, Tariff } from "../limits/limiter.ts";
import { bucketCount } from "../limits/sub-buckets.ts";
import { ticksPerMs, wholeMs } from "../limits/ticks.ts";
import { decideScript, giveBackScript } from "./redis-limiter-scripts.ts";
import type { RedisLink } from "./redis-link.ts";

/** What all tariffs of a Redis limiter have in common. */
export interface RedisCounting {
  readonly link: RedisLink;
  /** Begins every key, with the hash tag: `{portcullis:projects}`. */
  readonly prefix: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Keys whose budget the other processes have seen spent. */
  readonly closed: ClosedKeys;
  /** Names keys in {@link closed}. */
  readonly hash: KeyHash;
}

/** What this process decides by itself. */
export interface OwnTariffs {
  /** Counts all that this process charges, against the whole limit. */
  readonly whole: Tariff;
  /** Looks whether this process has used up its own part of the limit; charges nothing. */
  readonly wholeByShare: Tariff;
  /** Reserves within this process's part of the limit. */
  readonly share: Tariff;
  /** Decides while Redis is gone; undefined where that must refuse. */
  readonly alone: Tariff | undefined;
}

/** A tariff whose second stage is settled in Redis: one call, whatever it demands. */
export class RedisTariff implements Tariff {
  readonly demands: readonly Readonly<Required<Demand>>[];
  readonly #parts: readonly Part[];
  readonly #parameters: readonly number[];
  readonly #counting: RedisCounting;
  readonly #own: OwnTariffs;
  readonly #timeKey: string;

  constructor(demands: readonly CompleteDemand<EnforcedDimension>[], counting: RedisCounting, own: OwnTariffs) {
    this.#parts = demands.map((demand) => partOf(demand, counting.prefix));
    this.#parameters = this.#parts.flatMap(({ limit, cost, width, span }) => [limit, cost, width, span]);
    this.#counting = counting;
    this.#own = own;
    this.#timeKey = timeKey(counting.prefix);
    this.demands = own.whole.demands;
  }

  reserve(keys: readonly LimitKey[]): Decision {
    return this.#own.share.reserve(keys);
  }

  settle(keys: readonly LimitKey[], reservation?: Admitted): Decision | Promise<Decision> {
    reservation?.giveBack();
    const counters = this.#counters(keys, settled);
    return this.#counting.link.ask<Decision>({
      script: decideScript,
      keys: [this.#timeKey, ...counters],
      parameters: [0, ...this.#parameters],
      use: (answer) => this.#decision(counters, readAnswer(answer, counters.length)),
      without: (cause) => {
        const { alone } = this.#own;
        if (alone === undefined) throw new Error("Redis did not decide, and nobody else may", { cause });
        return alone.reserve(keys);
      },
      // The caller was decided without it; counted there too, he would be counted twice when Redis is back.
      late: (answer) => {
        const { admitted, tick } = readAnswer(answer, counters.length);
        if (admitted) this.#counting.link.undo(this.#chargesAt(counters, tick));
      },
    });
  }

  peek(keys: readonly LimitKey[]): Decision {
    const decision = (this.#counting.link.isGone ? this.#own.wholeByShare : this.#own.whole).peek(keys);
    return decision.admitted ? (this.#closedElsewhere(keys) ?? decision) : decision;
  }

  charge(keys: readonly LimitKey[]): void {
    this.#own.whole.charge(keys);
    const counters = this.#counters(keys, charged);
    this.#counting.link.tell(
      { script: decideScript, keys: [this.#timeKey, ...counters], parameters: [1, ...this.#parameters] },
      (answer) => {
        const { standings } = readAnswer(answer, counters.length);
        standings.forEach(({ waitTicks }, i) => {
          const part = this.#parts[i];
          const key = keys[i];
          if (waitTicks === 0 || part === undefined || key === undefined) return;
          key.hashWith(this.#counting.hash);
          const untilMs = this.#counting.now() + waitTicks / ticksPerMs;
          this.#counting.closed.close(key.low ^ part.salt, key.high, untilMs);
        });
      },
    );
  }

  /** A refusal where the other processes' failures have closed one of the keys. */
  #closedElsewhere(keys: readonly LimitKey[]): Refused | undefined {
    const { closed, hash: keyHash, now } = this.#counting;
    let refusing: Part | undefined;
    let latestMs = now();
    const nowMs = latestMs;
    this.#parts.forEach((part, i) => {
      const key = keys[i];
      if (key === undefined) return;
      key.hashWith(keyHash);
      const untilMs = closed.untilMs(key.low ^ part.salt, key.high);
      if (untilMs <= latestMs) return;
      latestMs = untilMs;
      refusing = part;
    });
    if (refusing === undefined) return undefined;
    const waitMs = Math.ceil(latestMs - nowMs);
    const { dimension, limit }: Part = refusing;
    return { admitted: false, dimension, limit, remaining: 0, resetMs: waitMs, retryAfterMs: waitMs, crowded: false };
  }

  /** Throws before anything is charged when a key is missing. */
  #counters(keys: readonly LimitKey[], stage: string): readonly string[] {
    return this.#parts.map(({ place }, i) => {
      const key = keys[i];
      if (key === undefined) {
        throw new RangeError("A limiter was asked to decide without a key for each of its demands.");
      }
      // Who reads the server's keys does not read addresses and accounts in them, and they are all equally long.
      return `${place}${stage}${hash("sha256", key.text, "base64url").slice(0, 22)}`;
    });
  }

  #decision(counters: readonly string[], { admitted, tick, standings }: Answer): Decision {
    return admitted ? this.#admitted(counters, tick, standings) : this.#refused(standings);
  }

  #admitted(counters: readonly string[], tick: number, standings: readonly Standing[]): Admitted {
    let binding: { part: Part; left: number; oldestTicks: number } | undefined;
    this.#parts.forEach((part, i) => {
      const { used, oldestTicks } = standings[i] ?? nothing;
      const left = part.limit - used - part.cost;
      if (part.advertised && (binding === undefined || left < binding.left)) binding = { part, left, oldestTicks };
    });
    const { dimension, limit } = binding?.part ?? { dimension: -1, limit: 0 };
    let isHeld = true;
    return {
      admitted: true,
      dimension,
      limit,
      remaining: binding?.left ?? 0,
      resetMs: binding === undefined ? 0 : wholeMs(binding.oldestTicks),
      crowded: false,
      giveBack: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#counting.link.tell(this.#chargesAt(counters, tick));
      },
    };
  }

  /** What takes the charges of one decision back. */
  #chargesAt(counters: readonly string[], tick: number) {
    const parameters = this.#parts.flatMap(({ width, cost }) => [Math.floor(tick / width), cost]);
    return { script: giveBackScript, keys: counters, parameters };
  }

  #refused(standings: readonly Standing[]): Refused {
    let place = 0;
    standings.forEach(({ waitTicks }, i) => {
      if (waitTicks > (standings[place] ?? nothing).waitTicks) place = i;
    });
    const part = this.#parts[place];
    const { used, waitTicks, oldestTicks } = standings[place] ?? nothing;
    const { dimension, limit } = part ?? { dimension: -1, limit: 0 };
    return {
      admitted: false,
      dimension,
      limit,
      remaining: limit - used,
      resetMs: used === 0 ? 0 : wholeMs(oldestTicks),
      retryAfterMs: Math.max(1, wholeMs(waitTicks)),
      crowded: false,
    };
  }
}

/** Where a limiter keeps the furthest it has seen the server's clock. */
export function timeKey(prefix: string): string {
  return `${prefix}:time`;
}

/** A demand with everything at hand that asking takes. */
interface Part extends Readonly<Required<Demand>> {
  readonly limit: number;
  readonly advertised: boolean;
  /** Length of a part of the window, and how many parts a charge counts: see {@link decideScript}. */
  readonly width: number;
  readonly span: number;
  /**
   * Begins the names of its counters. The rate is part of it: counters of another rate are cut otherwise. The number of a
   * dimension is not: it comes from the order of the routes, and another release has another one.
   */
  readonly place: string;
  readonly salt: number;
}

function partOf({ of, dimension, cost, scope }: CompleteDemand<EnforcedDimension>, prefix: string): Part {
  const { limit, windowMs } = of.rate;
  const windowTicks = windowMs * ticksPerMs;
  const isExact = limit <= exactLogLimit;
  return {
    dimension,
    cost,
    scope,
    limit,
    advertised: of.advertised,
    width: isExact ? 1 : Math.ceil(windowTicks / (bucketCount - 1)),
    span: isExact ? windowTicks : bucketCount,
    place: `${prefix}:${of.name.replace(/-\d+$/, "")}:${limit}/${windowMs}:${scope}:`,
    salt: Math.imul(dimension + 1, 0x85eb_ca6b) ^ Math.imul(scope, 0x9e37_79b1),
  };
}

// What is asked first and what is told afterwards do not mix, as the interface has it.
const settled = "s:";
const charged = "c:";

interface Standing {
  readonly used: number;
  readonly waitTicks: number;
  readonly oldestTicks: number;
}

interface Answer {
  readonly admitted: boolean;
  readonly tick: number;
  readonly standings: readonly Standing[];
}

const nothing: Standing = { used: 0, waitTicks: 0, oldestTicks: 0 };

/** @throws TypeError when it is not what the script returns: a proxy's or another program's words decide nothing */
function readAnswer(answer: unknown, count: number): Answer {
  if (!isNumbers(answer) || answer.length !== 2 + 3 * count)
    throw new TypeError("Redis did not answer with a decision");
  const [admitted = 0, tick = 0] = answer;
  const standings = Array.from({ length: count }, (_, i) => {
    const [used = 0, waitTicks = 0, oldestTicks = 0] = answer.slice(2 + 3 * i, 5 + 3 * i);
    return { used, waitTicks, oldestTicks };
  });
  return { admitted: admitted === 1, tick, standings };
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one));
}
