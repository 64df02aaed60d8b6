import type { ApiKeyStore } from "portcullis";
import type { Data } from "./data/data.ts";
import type { User } from "./data/schema.ts";
import type { Keys } from "./keys.ts";
import { hashOfNobody, isPassword } from "./passwords.ts";
import type { Sessions } from "./sessions.ts";

/** Who may sign in, who has which role, and whose access was taken away. */
export function createAccounts(users: Data["users"], sessions: Sessions, keys: Keys) {
  const nobody = hashOfNobody();
  let disabled = 0;

  return {
    /**
     * The user behind an e-mail address and a password. Unknown, wrong and disabled are one answer, after the same work,
     * so that nobody learns who has an account.
     *
     * @see OWASP ASVS 5.0 section 6.3.8
     */
    async signIn(email: string, password: string): Promise<User | undefined> {
      const user = await users.byEmail(email);
      const isRight = await isPassword(password, user?.passwordHash ?? nobody);
      return isRight && user?.disabledAt === null ? user : undefined;
    },

    /** Roles in the tenant, asked for at every request. */
    async rolesOf(userId: string): Promise<readonly string[]> {
      const user = await users.byId(userId);
      return user === undefined ? [] : [user.role];
    },

    /** Takes everything away at once: sign-in, tokens, sessions and keys. */
    async disable(userId: string): Promise<void> {
      await users.disable(userId, new Date().toISOString());
      disabled++;
      await sessions.endAll(userId);
      await keys.revokeOfUser(userId);
    },

    /** The store as a request asks it: a disabled user's key is as good as missing, however and whenever it was issued. */
    keysInUse: (store: ApiKeyStore): ApiKeyStore => ({
      ...store,
      async find(id) {
        const record = await store.find(id);
        const user = record === undefined ? undefined : await users.byId(record.subject);
        return user?.disabledAt === null ? record : undefined;
      },
      generation() {
        const ofStore = store.generation();
        return ofStore === undefined ? undefined : ofStore + disabled;
      },
    }),

    /** Takes the tokens of disabled users back before they expire. */
    revocations: {
      generation: () => disabled,
      isRevoked: async ({ sub }: { readonly sub: string }): Promise<boolean> => {
        const user = await users.byId(sub);
        return user === undefined || user.disabledAt !== null;
      },
    },
  };
}

export type Accounts = ReturnType<typeof createAccounts>;
