import type { Pick, PickState } from "./pick-record.ts";
import { define, isRecord, readCarefully } from "./pick-record.ts";
import type { ShapeReader } from "./schema-shape.ts";
import type { Shape } from "./shape.ts";
import { leavesOf } from "./schema-shape.ts";
import { typeOf } from "./shape.ts";
import { UnserializableError } from "./unserializable-error.ts";

/** One kind of object among several. */
export interface Member {
  readonly shape: Shape;
  readonly pick: Pick;
}

/**
 * Compiles the choice between several kinds of object.
 *
 * The properties any of them declares are read once into a copy, and everything is decided and picked from the copy:
 * first by tags (properties with listed values), then by required properties and the types of the others; of
 * several that remain the first that fits whole is taken.
 */
export function compileObjectUnion(state: PickState, members: readonly Member[], reader: ShapeReader): Pick {
  const names = [...new Set(members.flatMap(({ shape }) => [...shape.fields.keys()]))];
  const plans = names.map((name) => ({ name, careful: name in Object.prototype }));
  const guarded = members.map((member) => ({ ...member, guards: guardsOf(member.shape, reader) }));

  return function pickAmongObjects(value, depth) {
    if (!isRecord(value)) throw new UnserializableError("object");
    const copy: Record<string, unknown> = {};
    for (const { name, careful } of plans) {
      const held = readCarefully(value, name);
      if (careful) define(copy, name, held);
      else copy[name] = held;
    }

    const tagged = guarded.filter(({ guards }) => guards.every((guard) => !guard.isTag || fits(guard, copy)));
    if (tagged.length <= 1) return tagged[0]?.pick(copy, depth) ?? refuseAlternatives();
    const fitting = tagged.filter(({ guards }) => guards.every((guard) => fits(guard, copy)));
    return pickFirstFitting(
      state,
      fitting.map(({ pick }) => pick),
      copy,
      depth,
    );
  };
}

/**
 * Picks with the first that takes the value whole.
 *
 * @throws UnserializableError of the only one left, or a plain one when none of several fits
 */
export function pickFirstFitting(state: PickState, picks: readonly Pick[], value: unknown, depth: number): unknown {
  const [only] = picks;
  if (only !== undefined && picks.length === 1) return only(value, depth);
  for (const pick of picks) {
    if (state.attemptsLeft-- <= 0) throw new UnserializableError("alternatives that can be told apart by a tag");
    try {
      return pick(value, depth);
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
    }
  }
  return refuseAlternatives();
}

/** What one property says about which alternative is meant. */
interface Guard {
  readonly name: string;
  readonly required: boolean;
  readonly isTag: boolean;
  readonly takes: (held: unknown) => boolean;
}

function guardsOf(shape: Shape, reader: ShapeReader): readonly Guard[] {
  return [...shape.fields].map(([name, { schema, required }]) => {
    const leaves = leavesOf(reader, reader(schema));
    return {
      name,
      required,
      isTag: leaves.every(({ values }) => values !== undefined),
      takes: (held) => leaves.some((leaf) => takesKind(leaf, held)),
    };
  });
}

function fits(guard: Guard, copy: Readonly<Record<string, unknown>>): boolean {
  const held = copy[guard.name];
  return held === undefined ? !guard.required : guard.takes(held);
}

/** Whether a value could fit by its kind alone. An object may stand for a text (Date, `toJSON`), a bigint for a number. */
function takesKind(leaf: Shape, held: unknown): boolean {
  if (leaf.values !== undefined) return leaf.values.has(held);
  if (typeof held === "bigint") return leaf.types.has("integer");
  if (leaf.types.has(typeOf(held))) return true;
  return leaf.types.has("string") && typeof held === "object" && held !== null && !Array.isArray(held);
}

function refuseAlternatives(): never {
  throw new UnserializableError("one of the declared alternatives");
}
