import { createContext, type Context, Script } from "node:vm";
import type { Random } from "./random.ts";

/**
 * A string that a regular expression accepts, for the plain patterns that schemas use: literals, classes, groups,
 * alternatives, counts and anchors. Look-around and back references are beyond it.
 *
 * @returns undefined where the pattern uses more than that; callers test the result against the pattern
 */
export function fromPattern(pattern: string, random: Random): string | undefined {
  const state: State = { pattern, at: 0, random, steps: 0 };
  try {
    const out = alternatives(state);
    return state.at === pattern.length ? out : undefined;
  } catch (error) {
    // A group in a group, tens of thousands deep, is nothing anybody wrote.
    if (error instanceof Unsupported || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Longest a pattern is tried, milliseconds; whoever wrote it may have wanted it to take for ever. */
const patienceMs = 100;

/** Patterns that took too long, and how often: a busy machine may be slow once, and what was slow twice is not tried again. */
const slow = new Map<string, number>();

let place: Context | undefined;
const trying = new Script('new RegExp(pattern, "u").test(text)');

/**
 * Whether a regular expression of a description accepts a text.
 *
 * @returns undefined where it is none, or does not say so in a tenth of a second: some need longer than the universe lasts
 */
export function accepts(pattern: string, text: string): boolean | undefined {
  const times = slow.get(pattern) ?? 0;
  if (times > 1) return undefined;
  place ??= createContext({});
  try {
    return trying.runInContext(Object.assign(place, { pattern, text }), { timeout: patienceMs }) === true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT")) return undefined;
    slow.set(pattern, times + 1);
    return accepts(pattern, text);
  }
}

class Unsupported extends Error {}

interface State {
  readonly pattern: string;
  at: number;
  readonly random: Random;
  /** Characters of the pattern that were read so far, and of its classes: counts of counts multiply. */
  steps: number;
}

/** No value of a request is longer, and none takes longer to make. */
const mostSteps = 500_000;

/** Of a range so many characters are enough to choose from; all of ASCII lies in a range that begins in it. */
const widest = 128;

function step(state: State, steps: number): void {
  state.steps += steps;
  if (state.steps > mostSteps) throw new Unsupported();
}

function peek(state: State): string {
  return state.pattern.charAt(state.at);
}

function take(state: State): string {
  const unit = peek(state);
  if (unit === "") throw new Unsupported();
  step(state, 1);
  state.at += 1;
  return unit;
}

/** `a|b|c`: all are read, one is chosen. */
function alternatives(state: State): string {
  const options = [sequence(state)];
  while (peek(state) === "|") {
    state.at += 1;
    options.push(sequence(state));
  }
  return options[state.random.int(0, options.length - 1)] ?? "";
}

function sequence(state: State): string {
  let out = "";
  while (state.at < state.pattern.length && peek(state) !== "|" && peek(state) !== ")") out += repeated(state);
  return out;
}

/** One atom and its count; the atom is read again for every repetition, so that each one differs. */
function repeated(state: State): string {
  const start = state.at;
  const once = atom(state);
  const end = state.at;
  const [least, most] = count(state);
  const after = state.at;
  const times = state.random.int(least, Math.min(most, least + 3));
  let out = times > 0 ? once : "";
  for (let done = 1; done < times; done += 1) {
    state.at = start;
    out += atom(state);
    if (state.at !== end) throw new Unsupported();
  }
  state.at = after;
  return out;
}

function count(state: State): readonly [number, number] {
  const match = /^(?:\{(\d+)(,?)(\d*)\}|[*+?])\??/.exec(state.pattern.slice(state.at));
  if (match === null) return [1, 1];
  state.at += match[0].length;
  switch (match[0].charAt(0)) {
    case "*":
      return [0, 3];
    case "+":
      return [1, 4];
    case "?":
      return [0, 1];
    default: {
      const least = Number(match[1]);
      if (match[2] !== ",") return [least, least];
      return [least, match[3] === "" ? least + 3 : Number(match[3])];
    }
  }
}

function atom(state: State): string {
  const unit = take(state);
  switch (unit) {
    case "^":
    case "$":
      return "";
    case ".":
      return pick(state, alphabet);
    case "(": {
      if (peek(state) === "?") {
        const opening = /^\?(?::|<[A-Za-z_]\w*>)/.exec(state.pattern.slice(state.at));
        if (opening === null) throw new Unsupported();
        state.at += opening[0].length;
      }
      const inner = alternatives(state);
      if (take(state) !== ")") throw new Unsupported();
      return inner;
    }
    case "[":
      return pick(state, characterClass(state));
    case "\\":
      return pick(state, escaped(take(state)));
    default:
      return unit;
  }
}

const digits = "0123456789";
const alphabet = `abcdefghijklmnopqrstuvwxyz${digits}`;
const words = `${alphabet}ABCDEFGHIJKLMNOPQRSTUVWXYZ_`;

function pick(state: State, from: string): string {
  if (from === "") throw new Unsupported();
  return from.charAt(state.random.int(0, from.length - 1));
}

function escaped(unit: string): string {
  if (unit === "d") return digits;
  if (unit === "w") return words;
  if (unit === "s") return " ";
  if (/[A-Za-z0-9]/.test(unit)) throw new Unsupported();
  return unit;
}

function characterClass(state: State): string {
  const negated = peek(state) === "^";
  if (negated) state.at += 1;
  let members = "";
  while (peek(state) !== "]") {
    const unit = take(state);
    const low = unit === "\\" ? escaped(take(state)) : unit;
    if (low.length === 1 && peek(state) === "-" && state.pattern.charAt(state.at + 1) !== "]") {
      state.at += 1;
      const end = take(state);
      const high = end === "\\" ? take(state) : end;
      const first = low.charCodeAt(0);
      const last = Math.min(high.charCodeAt(0), first + widest);
      step(state, Math.max(0, last - first));
      for (let code = first; code <= last; code += 1) members += String.fromCharCode(code);
    } else {
      members += low;
    }
  }
  state.at += 1;
  if (!negated) return members;
  return Array.from(words)
    .filter((unit) => !members.includes(unit))
    .join("");
}
