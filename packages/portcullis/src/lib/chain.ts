/**
 * Goes on with a value that is here or comes later. What is here goes on at once, so that a request on which nothing
 * waits never leaves its turn; only a real promise costs one.
 */
export function chain<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
