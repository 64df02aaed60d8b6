import type { RateText } from "portcullis";
import { z } from "zod";
import type { SettingStore } from "../storage/settings.ts";
import { keysDefaults, type KeySettings } from "./api-keys.ts";
import type { ClientOptions } from "./oauth/clients.ts";

const name = "api-keys";

const Offered = z.object({
  prefix: z.string(),
  rates: z.array(z.custom<RateText>((value) => typeof value === "string")),
  most: z.number(),
  scopes: z.array(z.string()),
  /** Applications that call as themselves, and so may own keys as accounts do. */
  clients: z.array(z.string()),
  hasPepper: z.boolean(),
});

/** Which keys the servers on a store take. */
export type OfferedKeys = z.output<typeof Offered>;

/** Says on the store which keys this server takes; never the pepper itself. @param settings  undefined where it takes none */
export async function offerKeys(
  store: SettingStore,
  settings: KeySettings | undefined,
  scopes: ReadonlySet<string>,
  clients: readonly ClientOptions[],
): Promise<void> {
  if (settings === undefined) return store.drop(name);
  const { prefix, rates = [], most = keysDefaults.most, pepper } = settings;
  const offered: OfferedKeys = {
    prefix,
    rates: [...rates],
    most,
    scopes: [...scopes],
    clients: clients.filter(({ callsAsItself }) => callsAsItself === true).map(({ id }) => id),
    hasPepper: pepper !== undefined,
  };
  await store.put(name, JSON.stringify(offered));
}

/** @returns undefined where no server that takes keys has run on the store */
export async function offeredKeys(store: SettingStore): Promise<OfferedKeys | undefined> {
  const text = await store.find(name);
  return text === undefined ? undefined : Offered.parse(JSON.parse(text));
}
