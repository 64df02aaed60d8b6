import type { RouteLimit } from "../policy.ts";

/** What a route that reads allows where its policy names no limit: 60 a minute per caller. */
export const read: RouteLimit = Object.freeze({ rate: "60/min", by: "caller" });

/** What a route that writes allows where its policy names no limit: 10 a minute per caller. */
export const write: RouteLimit = Object.freeze({ rate: "10/min", by: "caller" });

/** What a webhook allows where its policy names no limit: 600 deliveries a minute of its sender. */
export const deliveries: RouteLimit = Object.freeze({ rate: "600/min", by: "caller" });

/**
 * Limits of a sign-in: 5 tries a minute per address, against one machine that tries many accounts; 5 failures an hour per
 * account and address together, against one machine that tries one account, and nobody else notices; and 50 failures an
 * hour per account, against many machines that try one. Successes use up no failures. Whoever has ten networks can still
 * close an account's sign-in for an hour; one network cannot. All forms of an API that check a password by it count
 * together: whoever guesses gains nothing by trying one after the other.
 *
 * @param account  body field that names the account, such as `body.email`
 * @see OWASP ASVS 5.0 items 6.1.1 and 6.3.1 (anti-brute-force controls that cannot be used to lock accounts)
 */
export function signIn(account: `body.${string}`): readonly RouteLimit[] {
  return limitsOf(account, "sign-in");
}

/**
 * Limits of a sign-up: the same as of a sign-in, because its answers tell as much about which accounts exist; counted apart
 * from it.
 *
 * @param account  body field that names the account, such as `body.email`
 */
export function signUp(account: `body.${string}`): readonly RouteLimit[] {
  return limitsOf(account, "sign-up");
}

function limitsOf(account: `body.${string}`, sharedAs: string): readonly RouteLimit[] {
  return Object.freeze([
    Object.freeze({ rate: "5/min", by: "address", sharedAs }),
    Object.freeze({ rate: "5/h", by: account, and: "address", counts: "failures", sharedAs }),
    Object.freeze({ rate: "50/h", by: account, counts: "failures", sharedAs }),
  ] as const satisfies readonly RouteLimit[]);
}
