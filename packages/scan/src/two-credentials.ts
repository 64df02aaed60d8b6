import { isSuccess } from "./answer.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Header, Identity } from "./identities.ts";
import { resembles } from "./oracle.ts";
import { notApplicable, type Outcome, threeLegs } from "./probe.ts";
import { requestFor, withCredential } from "./requests.ts";
import { isGone, isSafe, pathParameters } from "./target.ts";

/**
 * A request with the credentials of two callers, each of which is enough alone: nobody can say whom it is from, so it must be
 * refused. Where both are needed together, as with a key of an app and a token of its user, there is nothing to refuse.
 *
 * @param key    a key in its header
 * @param owner  whose key it is
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function twoCredentials(context: ProbeContext, key: Header, owner: Identity): Promise<Outcome> {
  const other = context.identities.find(
    (identity) => identity.name !== owner.name && identity.kind !== "cookie" && identity.header[0] !== key[0],
  );
  if (other === undefined) return notApplicable("It takes a second caller, whose credential is in another header.");
  const now = context.now();
  const reads = context.target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      operation.access.kind === "caller" &&
      operation.access.roles.length === 0 &&
      pathParameters(operation.path).length === 0 &&
      !operation.parameters.some(({ required }) => required) &&
      !isGone(operation, now) &&
      takes(operation, other, context.target),
  );
  for (const read of reads.slice(0, 3)) {
    const positive = await context.send("positive", requestFor(read, { as: other }));
    if (!isSuccess(positive.answer)) continue;
    const alone = await context.send("positive", withCredential(positive.outgoing, key, "a key"));
    const stranger = await context.send("negative", withCredential(positive.outgoing, undefined, "nobody"));
    if (!isSuccess(alone.answer) || resembles(stranger.answer, positive.answer)) continue;
    const both = {
      ...positive.outgoing,
      headers: [...positive.outgoing.headers, key],
      label: `${other.name}, with ${owner.name}'s key beside his own credential`,
    };
    return await threeLegs({
      positive,
      negatives: [stranger, await context.nowhere()],
      attack: () => context.send("attack", both),
      broken: `${read.id} is served with the credentials of two callers in one request`,
      held: `${read.id} is refused with the credentials of two callers in one request`,
    });
  }
  return notApplicable("No read takes either credential alone.");
}
