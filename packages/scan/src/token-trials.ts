import type { ProbeContext, Witness } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { headerWith, readToken, type Token } from "./identities.ts";
import { inconclusive, type NamedOutcome, threeLegs } from "./probe.ts";
import { withCredential } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";

/** A protected read whose caller is proved by a JSON Web Token. */
export interface TokenWitness extends Witness {
  readonly token: Token;
}

/** A token nobody issued: the name of its check, the token, and what is wrong with it, after "a token". */
export type Forgery = readonly [check: string, token: string, what: string];

/** The read that forged tokens are judged by; undefined where its caller has no JSON Web Token. */
export async function tokenWitness(context: ProbeContext): Promise<TokenWitness | undefined> {
  const witness = await context.witness();
  const token = readToken(witness.identity.secret);
  return token === undefined ? undefined : { ...witness, token };
}

/** The same, and undefined too where no read can be judged by. */
export async function tokenWitnessIfAny(context: ProbeContext): Promise<TokenWitness | undefined> {
  try {
    return await tokenWitness(context);
  } catch (error) {
    if (error instanceof Unreachable) return undefined;
    throw error;
  }
}

/** What is said where there is none. */
export const noToken = inconclusive("the identity that can be judged by has no JSON Web Token");

/**
 * Tries each forgery at the witness; each is an outcome of its own.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function tryForgeries(
  context: ProbeContext,
  witness: TokenWitness,
  forgeries: readonly Forgery[],
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const [check, forged, what] of forgeries) {
    const result = await threeLegs({
      positive: witness.positive,
      negatives: witness.negatives,
      canary: witness.canary,
      attack: () => sendForged(context, witness, forged, check),
      broken: `a token ${what} is accepted`,
      held: `a token ${what} is refused`,
    });
    found.push({ check, ...result });
  }
  return found;
}

/** The witness's read with another token in the place of its own. */
export function sendForged(context: ProbeContext, witness: Witness, token: string, what: string): Promise<Trial> {
  const { positive, identity } = witness;
  return context.send(
    "attack",
    withCredential(positive.outgoing, headerWith(identity, token), `${identity.name}, ${what}`),
  );
}
