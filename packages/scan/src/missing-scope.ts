import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { signerOf } from "./forge.ts";
import { type Header, headerWith, type Identity, readToken, scopesOf } from "./identities.ts";
import { textAt } from "./json.ts";
import { threeLegsLearning } from "./learned.ts";
import { outcome } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type Outcome, twice, untried } from "./probe.ts";
import { withCredential } from "./requests.ts";
import { stageWrite } from "./stage.ts";
import { isSafe, type Operation } from "./target.ts";

/**
 * An operation of a scope, called with a token of the same caller that lacks it: signed with the test key, or one that
 * was given without it. Reads are judged by three legs, writes by what the owner reads afterwards.
 *
 * @param scopes  what the operation demands
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function missingScope(
  context: ProbeContext,
  operation: Operation,
  scopes: readonly string[],
): Promise<Outcome> {
  const owner = isSafe(operation)
    ? (await context.baseline(operation)).outgoing.as
    : (context.worker(operation) ?? context.identities[0]);
  const poor = owner === undefined ? undefined : await withoutScopes(context, owner, scopes);
  if (owner === undefined || poor === undefined)
    return untried(`calls without the scope ${scopes.join(" ")}, which take such a caller or --jwt-key`);
  if (!isSafe(operation)) return await twice(() => poorWrite(context, operation, owner, poor.header, scopes));
  const positive = await context.baseline(operation);
  // A right signature proves the caller: whatever it is refused counts against the caller, not against the address.
  const outgoing = { ...withCredential(positive.outgoing, poor.header, label), as: poor.as };
  return await threeLegsLearning(context, {
    positive,
    negatives: [await context.nowhere()],
    attack: () => context.send("attack", outgoing),
    broken: `${operation.id} answers a token without the scope ${scopes.join(" ")}`,
    held: `${operation.id} refuses a token without the scope ${scopes.join(" ")}`,
  });
}

const label = "a caller without the scope";

/** The credential of somebody who lacks the scopes, and whose limits it counts against. */
async function withoutScopes(
  context: ProbeContext,
  owner: Identity,
  scopes: readonly string[],
): Promise<{ header: Header; as: Identity } | undefined> {
  const lacks = (own: readonly string[]) => !scopes.every((scope) => own.includes(scope));
  const given = context.identities.find((entry) => {
    const own = scopesOf(entry);
    return own !== undefined && lacks(own);
  });
  if (given !== undefined) return { header: given.header, as: given };
  const token = readToken(owner.secret);
  if (token === undefined || context.jwtKey === undefined) return undefined;
  // Where tokens do not name scopes, they are kept elsewhere, and a token without any lacks none.
  if (context.target.source !== "manifest" && lacks(scopesOf(owner) ?? [])) return undefined;
  const signer = await signerOf(context.jwtKey, textAt(token.header, "alg") ?? "HS256");
  const { scope: _scope, scp: _scp, scopes: _scopes, ...claims } = token.claims;
  const forged = await signer.sign(token.header, { ...claims, scope: "pc:nothing" });
  return { header: headerWith(owner, forged), as: owner };
}

/** A write with the poor credential on something its owner made; then the owner's own, to prove that it is right. */
async function poorWrite(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  poor: Header,
  scopes: readonly string[],
): Promise<Outcome> {
  const stage = await stageWrite(context, operation, owner);
  const honest = stage.request(owner);
  const attack = await context.send("attack", { ...withCredential(honest, poor, label), as: owner });
  const trials: Trial[] = [attack];
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
  const seen = await stage.changed(attack);
  const what = `a token without the scope ${scopes.join(" ")}`;
  if (seen?.changed === true) return broken(`${operation.id} takes effect for ${what}`, [...trials, seen.trial]);
  if (stage.prove === undefined) {
    const { status } = attack.answer;
    if (status === 401 || status === 403) return held(`${operation.id} refuses ${what}`, trials);
    return untried(`${operation.id} with ${what}: its honest use could not be undone`);
  }
  const proof = await stage.prove();
  if (!isSuccess(proof.answer))
    return inconclusive(`${what} had no effect, but its owner ${outcome(proof.answer)} too`, [proof, ...trials]);
  if (seen === undefined && isSuccess(attack.answer))
    return inconclusive(`${operation.id} ${outcome(attack.answer)} to ${what}, and nothing reads back its effect`, [
      proof,
      ...trials,
    ]);
  return held(`${operation.id} refuses ${what}`, [proof, ...trials]);
}
