import { accountStore } from "../storage/accounts.ts";
import { apiKeyStore } from "../storage/api-keys.ts";
import type { Storage } from "../storage/storage.ts";
import { emailKey } from "./addresses.ts";
import { createKeys, type Keys, type KeySettings } from "./api-keys.ts";

/** Keys without a server around them, for commands and scripts. */
export interface OpenKeys extends Omit<Keys, "credential"> {
  /** Id of the account with this address. */
  ownerOf(email: string): Promise<string | undefined>;
}

/** Longer than any instance keeps what it has looked up. */
const keepMs = 3_600_000;

/**
 * Opens the keys of a store. Servers on the same store hear of what is revoked here as they do of each other.
 *
 * @param settings  as `openIdentity({ keys })` has them
 */
export function openKeys(storage: Storage, settings: KeySettings, now: () => number = Date.now): OpenKeys {
  const takingBack = { revoked: () => {}, keepMs, now };
  const store = apiKeyStore(storage, { ...takingBack, generation: () => undefined });
  const accounts = accountStore(storage, takingBack);
  const mayCall = () => Promise.resolve(true);
  const { create, list, find, rotate, revoke } = createKeys({
    ...settings,
    store,
    mayCall,
    tell: () => {},
    now,
    monotonic: () => performance.now(),
  });
  return {
    create,
    list,
    find,
    rotate,
    revoke,
    ownerOf: async (email) => (await accounts.findByEmailKey(emailKey(email)))?.id,
  };
}
