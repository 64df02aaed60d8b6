import { type TakingBack, takingBack } from "./revocations.ts";
import type { Storage } from "./storage.ts";

/**
 * Ends everything of everybody that signed in at an issuer: access tokens, refresh tokens, sessions, sign-ins under way,
 * permissions. Accounts, passwords and API keys stay.
 *
 * @param issuer  whose sessions of browsers end; another's are in the same table
 * @throws Error where it is not done; access tokens that were issued before are over all the same, if they could be
 */
export async function endEverything(
  { kind, patient }: Pick<Storage, "kind" | "patient">,
  options: TakingBack,
  issuer: string,
): Promise<void> {
  const storage = { kind, db: patient };
  const tokens = { value: undefined, taken: [{ kind: "epoch", value: "" }] } as const;
  // At once, however many rows have to be changed next.
  await takingBack(storage, options, () => Promise.resolve(tokens));
  await takingBack(storage, options, async (one) => {
    // What is under way carries the epoch of before, and brings nothing back however late it is written.
    await one
      .updateTable("account")
      .set((value) => ({ epoch: value("epoch", "+", 1) }))
      .execute();
    await one
      .updateTable("refresh_family")
      .set({ revoked_at: options.now(), revoked_why: "everything ended" })
      .where("revoked_at", "is", null)
      .execute();
    await one.deleteFrom("oidc_payload").execute();
    await one
      .updateTable("browser_session")
      .set({ ended_at: options.now(), sealed: "" })
      .where("issuer", "=", issuer)
      .where("ended_at", "is", null)
      .execute();
    // Once more, for what was issued meanwhile.
    return tokens;
  });
}
