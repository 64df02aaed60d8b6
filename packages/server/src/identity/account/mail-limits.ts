import type { RouteLimit } from "portcullis";

/**
 * Limits of forms that may mean a mail to somebody who asked for none: 5 an hour for each person and network, so that a
 * stranger uses up what is his and leaves the owner what is the owner's; 20 an hour for each person, from however many.
 *
 * @param field     body field that names who is mailed
 * @param sharedAs  name of the forms that count together
 */
export function mailLimits(field: `body.${string}`, sharedAs: string): readonly RouteLimit[] {
  return [
    { rate: "5/h", by: field, and: "address", sharedAs },
    { rate: "20/h", by: field, sharedAs },
  ];
}
