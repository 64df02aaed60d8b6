/**
 * An API inside Express 4 or 5.
 *
 * @packageDocumentation
 */
export { toExpress } from "./express-middleware.ts";
export type { NamedMiddleware, ToExpressOptions } from "./express-middleware.ts";
