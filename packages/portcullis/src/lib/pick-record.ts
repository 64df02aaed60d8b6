import { UnserializableError } from "./unserializable-error.ts";

/** Gives the plain copy of a value that fits, or throws UnserializableError. */
export type Pick = (value: unknown, depth: number) => unknown;

/** What the picks of one serializer share while one answer is written. */
export interface PickState {
  /** Something enumerable stands on `Object.prototype`, so a plain look-up may find what the object does not have. */
  careful: boolean;
  /** Alternatives that may still be tried and given up. */
  attemptsLeft: number;
}

/** One declared property. */
export interface PickedField {
  readonly name: string;
  readonly required: boolean;
  readonly pick: Pick;
}

/** Deepest nesting of objects and arrays that is written; only a recursive schema can ask for more. */
export const maxAnswerDepth = 100;

/**
 * Compiles the copy of one kind of object: its declared properties, in declared order, each read once.
 *
 * Copies are built alike, property by property, so that they share hidden classes and `JSON.stringify` stays fast.
 */
export function compileRecord(state: PickState, fields: readonly PickedField[]): Pick {
  const plans = fields.map((field) => ({ ...field, careful: field.name in Object.prototype }));

  return function pickRecord(value, depth) {
    if (!isRecord(value)) throw new UnserializableError("object");
    if (depth > maxAnswerDepth) throw new UnserializableError(`at most ${maxAnswerDepth} levels of nesting`);
    const copy: Record<string, unknown> = {};
    for (const { name, required, pick, careful } of plans) {
      const held = careful || state.careful ? readCarefully(value, name) : value[name];
      if (held !== undefined) {
        try {
          if (careful) define(copy, name, pick(held, depth + 1));
          else copy[name] = pick(held, depth + 1);
        } catch (error) {
          throw error instanceof UnserializableError ? error.below(name) : error;
        }
      } else if (required) {
        throw new UnserializableError("a value, because the property is required").below(name);
      }
    }
    return copy;
  };
}

/** Sets an own property whatever `Object.prototype` holds under its name: a setter, or a frozen value. */
export function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Reads a property the object or its class has, and nothing from `Object.prototype`. */
export function readCarefully(value: Readonly<Record<string, unknown>>, name: string): unknown {
  for (
    let owner: object | null = value;
    owner !== null && owner !== Object.prototype;
    owner = Reflect.getPrototypeOf(owner)
  ) {
    if (Object.hasOwn(owner, name)) return value[name];
  }
  return undefined;
}

/** Whether somebody put an enumerable property on `Object.prototype`, as prototype pollution does. */
export function hasPollutedPrototype(): boolean {
  // Over a prototype without enumerable properties this costs a few nanoseconds.
  for (const _ in Object.prototype) return true;
  return false;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
