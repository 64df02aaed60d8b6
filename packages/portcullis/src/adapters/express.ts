/**
 * An API inside Express 4 or 5.
 *
 * @packageDocumentation
 */
export { adopt } from "./express-adopt.ts";
export type { AdoptOptions } from "./express-adopt.ts";
export { toExpress } from "./express-middleware.ts";
export type { NamedMiddleware, ToExpressOptions } from "./express-middleware.ts";
export type { ExpressApp, ExpressMiddleware } from "./express-shape.ts";
export type { NotYet, Shadow } from "../passing.ts";
export { wrap } from "./wrap.ts";
export type { ExpressHandler, WrappedHandler, Wrapping } from "./wrap.ts";
export type { Proved, WrappedRequest, WrappedUser } from "./wrap-request.ts";
export type { WrappedResponse } from "./wrap-response.ts";
