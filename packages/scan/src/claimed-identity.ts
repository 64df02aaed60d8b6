import { headerClaims, tryClaims } from "./claims.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Header } from "./identities.ts";
import { sameSignature } from "./oracle.ts";
import { held, notApplicable, type Outcome } from "./probe.ts";
import { withCredential } from "./requests.ts";

/** Headers by which a gateway tells the API behind it who calls; from anybody else they prove nothing. */
const names = [
  "x-user-id",
  "x-userid",
  "x-user",
  "x-username",
  "x-user-name",
  "x-user-email",
  "x-email",
  "x-auth-user",
  "x-auth-user-id",
  "x-auth-email",
  "x-auth-request-user",
  "x-auth-request-email",
  "x-authenticated-user",
  "x-authenticated-userid",
  "x-authenticated-email",
  "x-forwarded-user",
  "x-forwarded-email",
  "x-forwarded-preferred-username",
  "x-remote-user",
  "remote-user",
  "x-webauth-user",
  "x-consumer-id",
  "x-consumer-custom-id",
  "x-consumer-username",
  "x-credential-identifier",
  "x-account-id",
  "x-customer-id",
  "x-subject",
  "x-sub",
  "x-ms-client-principal-id",
  "x-ms-client-principal-name",
  "x-amzn-oidc-identity",
  "cf-access-authenticated-user-email",
  "x-impersonate-user",
  "x-on-behalf-of",
  "x-act-as",
];

/**
 * Whether a header that names a caller is taken for a proof of him: sent by a stranger, and by somebody else beside his own
 * credential, with the account and the user names that are known.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function claimedIdentity(context: ProbeContext): Promise<Outcome> {
  const { identity, positive, negatives, canary, operation } = await context.witness();
  const subject = context.subject(identity);
  const values = new Set([
    ...(subject === undefined ? [] : [subject]),
    ...context.sessions.accounts.slice(0, 2).map(({ user }) => user),
  ]);
  if (values.size === 0) return notApplicable("No account is known that could be named.");
  const other = context.identities.find(
    (entry) =>
      entry.name !== identity.name && context.subject(entry) !== subject && takes(operation, entry, context.target),
  );
  const trials: Trial[] = [];
  const stranger = withCredential(positive.outgoing, undefined, "nobody");
  const claimants = [{ outgoing: stranger, who: "a stranger", refusals: negatives }];
  if (other !== undefined) {
    const outgoing = { ...withCredential(positive.outgoing, other.header, other.name), as: other };
    const own = await context.send("negative", outgoing);
    // What everybody may read proves nobody.
    if (!sameSignature(own.answer, positive.answer)) claimants.push({ outgoing, who: other.name, refusals: [own] });
  }
  for (const { outgoing, who, refusals } of claimants) {
    for (const value of values) {
      const headers = names.map((name): Header => [name, value]);
      const found = await tryClaims(context, headerClaims(outgoing, headers), {
        positive,
        negatives: refusals,
        canary,
        broken: (what) => `${who} who says he is ${identity.name} is believed (${what}) on ${operation.id}`,
      });
      if (found.believed !== undefined) return found.believed;
      trials.push(...found.trials);
    }
  }
  return held("nobody is believed to be who a header says he is", trials);
}
