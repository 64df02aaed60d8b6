import type { Trial } from "./exchange.ts";
import type { Got } from "./oauth-flow.ts";
import { broken, held, inconclusive, type NamedOutcome } from "./probe.ts";

/** One try of an attack. */
export interface Try {
  readonly got: Got;
  /** Why it is unclear, where it is. */
  readonly why?: string;
  readonly trials: readonly Trial[];
}

/** An attack on a flow that works and at an endpoint that is known to refuse. */
export interface FlowAttack {
  readonly check: string;
  /** The honest request and the refused one; they were sent right before. */
  readonly control: readonly Trial[];
  /** Tries it once, from the beginning; called twice where the first one gets through. */
  readonly attack: () => Promise<Try>;
  readonly broken: string;
  readonly held: string;
}

/** Decides an attack on a flow: broken only where it gets through twice, held only where it is clearly refused. */
export async function flowVerdict({ check, control, attack, ...says }: FlowAttack): Promise<NamedOutcome> {
  const first = await attack();
  const trials = [...control, ...first.trials];
  if (first.got === "refused") return { check, ...held(says.held, trials) };
  if (first.got === "unclear") return { check, ...inconclusive(first.why ?? "neither a yes nor a known no", trials) };
  const second = await attack();
  const all = [...trials, ...second.trials];
  if (second.got === "granted") return { check, ...broken(says.broken, all) };
  return { check, ...inconclusive("the attack got through once and not again", all) };
}
