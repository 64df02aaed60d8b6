import type { RouteLimit } from "portcullis";

/**
 * Limits of forms that may mean a mail to somebody who asked for none: 5 an hour per address and network, so that a stranger
 * uses up what is his and leaves the owner what is the owner's; 20 an hour per address, from however many networks.
 *
 * @param field     body field with the address
 * @param sharedAs  name of the forms that count together
 */
export function mailLimits(field: `body.${string}`, sharedAs: string): readonly RouteLimit[] {
  return [
    { rate: "5/h", by: field, and: "address", sharedAs },
    { rate: "20/h", by: field, sharedAs },
  ];
}
