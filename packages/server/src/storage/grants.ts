import type { Transaction } from "kysely";
import { revokeKeysOf } from "./api-keys.ts";
import { consentNamed, grantNamed, holdNames, noteEnded, sessionNamed } from "./ended-names.ts";
import { inParts } from "./in-parts.ts";
import { type Change, type TakingBack, takingBack } from "./revocations.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** How grants and sessions are called. */
export interface GrantNames {
  /** Where its payload is kept. */
  readonly hashOf: (id: string) => string;
  /** In access tokens. */
  readonly nameInTokens: (id: string) => string;
}

/** Ends grants, each with all that was issued with it: access tokens, codes, families of refresh tokens. All or nothing. */
export interface GrantStore {
  /** @param why  kept with the families */
  end(grantId: string, why: string): Promise<void>;
  /** Ends what an account allowed a client, and forgets that it did. @returns ids of the API keys that end with it */
  withdraw(accountId: string, clientId: string): Promise<readonly string[]>;
  /**
   * Ends a browser's session at this server with the grants that began in it.
   *
   * @param session  `id` is what the browser has, `uid` what is in tokens
   */
  endSession(session: {
    readonly id: string;
    readonly uid: string;
    readonly grantIds: readonly string[];
  }): Promise<void>;
}

/** What it takes to end grants. */
export type GrantEnds = TakingBack & GrantNames;

/** Grants in the tables. */
export function grantStore(storage: Pick<Storage, "db" | "kind">, options: GrantEnds): GrantStore {
  const { hashOf, nameInTokens, now } = options;
  const { kind } = storage;

  return {
    end: (grantId, why) =>
      takingBack(storage, options, async (one) => ({
        value: undefined,
        taken: await endGrants(one, kind, options, [grantId], why),
      })),
    withdraw: (accountId, clientId) =>
      takingBack(storage, options, async (one) => {
        const why = "withdrawn";
        // First, because it waits for keys that are being made; those that come later find the grant taken back.
        const keys = await revokeKeysOf(one, kind, { subject: accountId, clientId, at: now() });
        // Before the grants, so that no further one comes of it.
        await holdNames(one, kind, [consentNamed(accountId, clientId)]);
        await one
          .deleteFrom("oidc_payload")
          .where("model", "=", "Consent")
          .where("account_id", "=", accountId)
          .where("client_id", "=", clientId)
          .execute();
        const rows = await one
          .selectFrom("oidc_payload")
          .select("payload")
          .where("model", "=", "Grant")
          .where("account_id", "=", accountId)
          .where("client_id", "=", clientId)
          .execute();
        const ended = await endGrants(one, kind, options, rows.map(idIn), why);
        // Those whose grant has run out, too.
        await one
          .updateTable("refresh_family")
          .set({ revoked_at: now(), revoked_why: why })
          .where("account_id", "=", accountId)
          .where("client_id", "=", clientId)
          .where("revoked_at", "is", null)
          .execute();
        return {
          value: keys,
          taken: [...ended, ...keys.map((value) => ({ kind: "api-key" as const, value }))],
        };
      }),
    endSession: ({ id, uid, grantIds }) =>
      takingBack(storage, options, async (one) => {
        const session = nameInTokens(uid);
        const why = "signed out";
        const taken = await endGrants(one, kind, options, grantIds, why);
        await noteEnded(one, kind, [sessionNamed(session)], now());
        // By its name, too: it may have another id by now.
        await one
          .deleteFrom("oidc_payload")
          .where("model", "=", "Session")
          .where(({ or, eb }) => or([eb("hash", "=", hashOf(id)), eb("session_name", "=", session)]))
          .execute();
        // Of a grant that came while it was read.
        await one
          .updateTable("refresh_family")
          .set({ revoked_at: now(), revoked_why: why })
          .where("session", "=", session)
          .where("revoked_at", "is", null)
          .execute();
        return { value: undefined, taken: [{ kind: "session", value: session }, ...taken] };
      }),
  };
}

/** Ends grants as part of a change. @returns what that takes back */
export async function endGrants(
  one: Transaction<Schema>,
  kind: Storage["kind"],
  { hashOf, nameInTokens, now }: Pick<GrantEnds, "hashOf" | "nameInTokens" | "now">,
  grantIds: readonly string[],
  why: string,
): Promise<Change<unknown>["taken"]> {
  if (grantIds.length === 0) return [];
  await noteEnded(
    one,
    kind,
    grantIds.map((id) => grantNamed(nameInTokens(id))),
    now(),
  );
  for (const some of inParts(grantIds)) {
    await one
      .updateTable("refresh_family")
      .set({ revoked_at: now(), revoked_why: why })
      .where("grant_id", "in", some)
      .where("revoked_at", "is", null)
      .execute();
    await one.deleteFrom("oidc_payload").where("grant_id", "in", some).execute();
    await one.deleteFrom("oidc_payload").where("model", "=", "Grant").where("hash", "in", some.map(hashOf)).execute();
  }
  return grantIds.map((grantId) => ({ kind: "grant", value: nameInTokens(grantId) }));
}

function idIn({ payload }: { readonly payload: string }): string {
  const { jti }: { readonly jti: string } = JSON.parse(payload);
  return jti;
}
