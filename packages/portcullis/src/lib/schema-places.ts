import { pointerSegment } from "./json-pointer.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Shape, ShapeReader } from "./schema-shape.ts";
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

/**
 * Calls `visit` for every place a value of this schema can have, unions once per alternative.
 *
 * A recursive schema is followed until a place repeats on its own path.
 *
 * @returns false when the walk stopped at `maxPlaces` or 500 levels of nesting, so that what it did not see cannot be vouched for
 */
export function walkPlaces(root: JsonSchema, visit: (place: Place) => void): boolean {
  const reader = shapeReader(root);
  const walk: Walk = { reader, visit, path: new Set(), left: maxPlaces };
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
  /** Shapes between the root and here. */
  readonly path: Set<Shape>;
  left: number;
}

function follow(walk: Walk, place: Place): void {
  const { shape, pointer, name, fieldPointer } = place;
  if (walk.left === 0 || walk.path.has(shape)) return;
  walk.left = walk.path.size > maxNesting ? 0 : walk.left - 1;
  walk.visit(place);
  walk.path.add(shape);

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
