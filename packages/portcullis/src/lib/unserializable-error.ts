import { pointerSegment } from "./json-pointer.ts";

/**
 * A handler's value does not fit the output its route declares: the caller gets a bland 500, the log gets this.
 *
 * It names the place and what was declared there, never the value that was found.
 */
export class UnserializableError extends Error {
  override readonly name = "UnserializableError";
  /** What the schema declares at the place, such as "integer" or "at most 100 items". */
  readonly expected: string;
  /** JSON Pointer into the answer; the whole answer is "". */
  pointer = "";

  /** @param expected  what the schema declares, a phrase that follows "expected" */
  constructor(expected: string) {
    super();
    this.expected = expected;
    this.message = messageOf(this);
  }

  /** Says that the place lies below this property or item. Used on the way out of nested values. */
  below(segment: string | number): this {
    this.pointer = pointerSegment(String(segment)) + this.pointer;
    this.message = messageOf(this);
    return this;
  }
}

function messageOf(error: UnserializableError): string {
  return `The answer does not fit its schema at ${error.pointer === "" ? "its top" : error.pointer}: expected ${error.expected}.`;
}
