/** A process that rotates and revokes keys until it is killed, telling its parent of each revocation that returned. */
import { embeddedKeyStore } from "../../src/adapters/embedded-key-store.ts";
import type { ApiKeyRecord } from "../../src/lib/api-key-store.ts";

const [folder = "", round = ""] = process.argv.slice(2);
const store = embeddedKeyStore({ folder });

async function work(n: number): Promise<void> {
  const id = `${round}-${n}`;
  await store.insert(keyRecord(id));
  await store.rotate(id, keyRecord(`${id}-heir`), 1_000);
  await store.revoke(id, 5);
  process.send?.(id);
  await new Promise((resolve) => setImmediate(resolve));
}

function keyRecord(id: string): ApiKeyRecord {
  return {
    id,
    hash: new Uint8Array(32).fill(1),
    subject: "alice",
    tenant: undefined,
    scopes: [],
    name: "a key",
    environment: "live",
    displayPrefix: "prj_live_abc",
    createdAt: 1,
    expiresAt: undefined,
    revokedAt: undefined,
    lastUsedAt: undefined,
    replacedBy: undefined,
  };
}

for (let n = 0; ; n++) await work(n);
