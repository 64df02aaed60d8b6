import type { Shape } from "./shape.ts";

/** Gives what will be written for a text, number, boolean or null; undefined when the value does not fit. */
export type ScalarPick = (value: unknown) => string | number | boolean | null | undefined;

/**
 * Compiles the part of a shape that takes no objects and no arrays.
 *
 * A Date fits where the format is `date-time` or `date` (in UTC; years 0 to 9999, as RFC 3339 has them), a bigint within
 * 2^53-1 fits an integer, and an object with `toJSON` (a database's own id type) fits a text when that gives one.
 *
 * @returns undefined where the shape takes neither text, number, boolean nor null
 */
export function compileScalar(shape: Shape): ScalarPick | undefined {
  const { values, types } = shape;
  if (values !== undefined) {
    return (value) => (isScalar(value) && values.has(value) ? value : undefined);
  }
  const picks = [
    types.has("string") ? compileText(shape) : undefined,
    types.has("number") ? pickNumber : types.has("integer") ? pickInteger : undefined,
    types.has("boolean") ? pickBoolean : undefined,
    types.has("null") ? pickNull : undefined,
  ].filter((pick) => pick !== undefined);

  const [first, second, ...others] = picks;
  if (first === undefined || second === undefined) return first;
  if (others.length === 0) {
    return function pickEither(value) {
      const picked = first(value);
      return picked === undefined ? second(value) : picked;
    };
  }
  return function pickFirstFitting(value) {
    for (const pick of picks) {
      const picked = pick(value);
      if (picked !== undefined) return picked;
    }
    return undefined;
  };
}

function compileText(shape: Shape): ScalarPick {
  const dated = shape.formats.includes("date-time") ? 24 : shape.formats.includes("date") ? 10 : 0;
  return function pickText(value) {
    if (typeof value === "string") return value;
    return typeof value === "object" && value !== null ? textOfObject(value, dated) : undefined;
  };
}

/** @param dated  how much of the ISO text is written for a Date; 0: none is wanted */
function textOfObject(value: object, dated: number): string | undefined {
  if (value instanceof Date) {
    const time = Date.prototype.getTime.call(value);
    if (dated === 0 || !(time >= yearZeroMs && time < yearTenThousandMs)) return undefined;
    return new Date(time).toISOString().slice(0, dated);
  }
  if (Array.isArray(value) || !("toJSON" in value)) return undefined;
  const { toJSON } = value;
  const text: unknown = typeof toJSON === "function" ? Reflect.apply(toJSON, value, []) : undefined;
  return typeof text === "string" ? text : undefined;
}

const yearZeroMs = Date.parse("0000-01-01T00:00:00.000Z");
const yearTenThousandMs = Date.UTC(10_000, 0);

function pickNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  return typeof value === "bigint" ? numberOfBigint(value) : undefined;
}

function pickInteger(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? value : undefined;
  return typeof value === "bigint" ? numberOfBigint(value) : undefined;
}

function numberOfBigint(value: bigint): number | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

function pickBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function pickNull(value: unknown): null | undefined {
  return value === null ? null : undefined;
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
