import { accountStore } from "../storage/accounts.ts";
import { apiKeyStore, type KeyChange } from "../storage/api-keys.ts";
import { settingStore } from "../storage/settings.ts";
import type { Storage } from "../storage/storage.ts";
import { emailKey } from "./addresses.ts";
import { createKeys, type Keys } from "./api-keys.ts";
import type { KeyEvent } from "./events.ts";
import { offeredKeys } from "./offered-keys.ts";

/** Keys without a server around them, for commands and scripts. */
export interface OpenKeys extends Omit<Keys, "credential"> {
  /** Id of the account with this address or id, or of the application that calls as itself; undefined where there is none. */
  ownerOf(who: string): Promise<string | undefined>;
}

/** Who opens them, and with what. */
export interface OpenKeysOptions {
  /** For the records: what changes the keys, and for whom, such as `portcullis keys, by root`. */
  readonly by: string;
  /** As `openIdentity({ keys })` has it; default none. */
  readonly pepper?: string | undefined;
  readonly now?: () => number;
}

/** Longer than any instance keeps what it has looked up. */
const keepMs = 3_600_000;

/**
 * Opens the keys of a store, as the servers on it have them. They hear of what is revoked here as they do of each other,
 * and one of them puts every change into its records, within a minute or when it runs again.
 *
 * `create` and `rotate` throw where the servers have a pepper and there is none here, or the other way round: what they
 * made would open nothing.
 *
 * @throws Error where no server that takes API keys has run on the store
 */
export async function openKeys(storage: Storage, { by, pepper, now = Date.now }: OpenKeysOptions): Promise<OpenKeys> {
  const offered = await offeredKeys(settingStore(storage.db));
  if (offered === undefined) {
    throw new Error("no server that takes API keys has run on this store: start it once, with openIdentity({ keys })");
  }
  const { hasPepper, scopes, clients, ...settings } = offered;
  function needPepper(): void {
    if (hasPepper && pepper === undefined) throw new Error("the server's keys have a pepper, and none is given here");
    if (!hasPepper && pepper !== undefined) throw new Error("the server's keys have no pepper, and one is given here");
  }
  const takingBack = { revoked: () => {}, keepMs, now };
  const eventOf = (change: KeyChange) =>
    JSON.stringify({ ...change, why: `${by}, ${new Date(now()).toISOString()}` } satisfies KeyEvent);
  const store = apiKeyStore(storage, { ...takingBack, generation: () => undefined, eventOf });
  const accounts = accountStore(storage, takingBack);
  const { create, list, find, rotate, revoke } = createKeys({
    settings: { ...settings, ...(pepper === undefined ? {} : { pepper }) },
    scopes: new Set(scopes),
    store,
    mayCall: () => Promise.resolve(true),
    isClient: () => true,
    // The store leaves word of it.
    tell: () => {},
    now,
    monotonic: () => performance.now(),
  });
  return {
    async create(...given) {
      needPepper();
      return create(...given);
    },
    list,
    find,
    async rotate(...given) {
      needPepper();
      return rotate(...given);
    },
    revoke,
    async ownerOf(who) {
      if (clients.includes(who)) return who;
      return (who.includes("@") ? await accounts.findByEmailKey(emailKey(who)) : await accounts.find(who))?.id;
    },
  };
}
