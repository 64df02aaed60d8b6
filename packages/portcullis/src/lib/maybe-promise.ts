/** A value now or later. Code that handles both lets nothing wait where nothing has to. */
export type MaybePromise<T> = T | Promise<T>;

/** Whether the value comes later. Any thenable counts, so that a store may use a promise of its own making. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
