import { pointerSegment } from "./json-pointer.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { ShapeReader } from "./schema-shape.ts";
import type { Shape } from "./shape.ts";
import { shapeReader } from "./schema-shape.ts";

/** One place where a value may stand, as a walk over the schema meets it. */
export interface Place {
  /** JSON Pointer into the data; any item of an array is `*`, as in `/tags/*`. The whole value is "". */
  readonly pointer: string;
  /** Name of the nearest field above or at this place; items of an array carry their array's. */
  readonly name: string | undefined;
  /** Pointer of that field. */
  readonly fieldPointer: string;
  readonly shape: Shape;
}

/** Where a recursive schema comes back to what stands above. */
export interface Repetition {
  /** The place as it is met again. */
  readonly pointer: string;
  /** The place above that it repeats, with everything below it. */
  readonly above: string;
}

/**
 * Calls `visit` for every place a value of this schema can have, unions once per alternative.
 *
 * A recursive schema is followed until a place repeats on its own path; `repeats` is told where.
 *
 * @returns false when the walk stopped at `maxPlaces` or 500 levels of nesting, so that what it did not see cannot be vouched for
 */
export function walkPlaces(
  root: JsonSchema,
  visit: (place: Place) => void,
  repeats: (repetition: Repetition) => void = () => undefined,
): boolean {
  const reader = shapeReader(root);
  const walk: Walk = { reader, visit, repeats, path: new Map(), left: maxPlaces };
  follow(walk, { pointer: "", name: undefined, fieldPointer: "", shape: reader(root) });
  return walk.left > 0;
}

/** Most places one walk visits. Real schemas have hundreds. */
export const maxPlaces = 20_000;

/** Deepest nesting one walk follows. */
const maxNesting = 500;

interface Walk {
  readonly reader: ShapeReader;
  readonly visit: (place: Place) => void;
  readonly repeats: (repetition: Repetition) => void;
  /** Shapes between the root and here, and where each stands. */
  readonly path: Map<Shape, string>;
  left: number;
}

function follow(walk: Walk, place: Place): void {
  const { shape, pointer, name, fieldPointer } = place;
  if (walk.left === 0) return;
  const above = walk.path.get(shape);
  if (above !== undefined) {
    walk.repeats({ pointer, above });
    return;
  }
  walk.left = walk.path.size > maxNesting ? 0 : walk.left - 1;
  walk.visit(place);
  walk.path.set(shape, pointer);

  for (const alternative of shape.alternatives ?? []) {
    follow(walk, { pointer, name, fieldPointer, shape: walk.reader(alternative) });
  }
  if (shape.alternatives === undefined) {
    for (const [fieldName, field] of shape.fields) {
      const at = pointer + pointerSegment(fieldName);
      follow(walk, { pointer: at, name: fieldName, fieldPointer: at, shape: walk.reader(field.schema) });
    }
    const items = shape.items === undefined ? shape.prefixItems : [...shape.prefixItems, shape.items];
    for (const item of items) {
      follow(walk, { pointer: `${pointer}/*`, name, fieldPointer, shape: walk.reader(item) });
    }
  }
  walk.path.delete(shape);
}
