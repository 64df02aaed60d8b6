import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Switch } from "../mutants.ts";
import { keyPrefix } from "../product/people.ts";

/** What is kept of an API key; `text` only by the mutant that shows keys again. */
export interface KeyRow {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly hash: Buffer;
  readonly text: string;
  isRevoked: boolean;
}

/** API keys: 256 random bits behind an id, of which only a hash is kept. */
export function createKeys(mutant: Switch) {
  const rows = new Map<string, KeyRow>();
  return {
    issue(userId: string, name: string, scopes: readonly string[]): { row: KeyRow; key: string } {
      const id = randomBytes(8).toString("hex");
      const key = `${keyPrefix}_live_${id}_${randomBytes(32).toString("hex")}`;
      const text = mutant("key-shown-again") ? key : "";
      const row = { id, userId, name, scopes, createdAt: new Date().toISOString(), hash: hashOf(key), text };
      rows.set(id, { ...row, isRevoked: false });
      return { row: { ...row, isRevoked: false }, key };
    },
    verify(key: string): KeyRow | undefined {
      const row = rows.get(key.split("_")[2] ?? "");
      if (row === undefined || (row.isRevoked && !mutant("key-revoked"))) return undefined;
      if (mutant("key-prefix-only") && key.startsWith(`${keyPrefix}_live_`)) return row;
      return timingSafeEqual(row.hash, hashOf(key)) ? row : undefined;
    },
    find: (id: string) => {
      const row = rows.get(id);
      return row?.isRevoked === false ? row : undefined;
    },
    of: (userId: string) => [...rows.values()].filter((row) => row.userId === userId && !row.isRevoked).reverse(),
    revoke(id: string) {
      const row = rows.get(id);
      if (row !== undefined) row.isRevoked = true;
    },
  };
}

export type Keys = ReturnType<typeof createKeys>;

function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
