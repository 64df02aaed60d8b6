import { exportJWK, generateKeyPair, type JWK } from "jose";
import type { SigningKeyRow, SigningKeyStore } from "../../storage/signing-keys.ts";
import { newSecret, seal, unseal } from "../secrets.ts";

/** How long keys live, in milliseconds. */
export interface KeyLifetimes {
  /** A key signs that long; default 30 days. */
  readonly signsMs: number;
  /** A new key is published that long before it signs, so that every verifier has fetched it; default 1 h. */
  readonly announcedMs: number;
  /** The public half stays published that long after the last signature; default 2 h, more than any token lives. */
  readonly keptMs: number;
}

/** What they need. */
export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  /** Encrypts private keys at rest; at least 32 bytes. */
  readonly secret: string | Uint8Array;
  readonly algorithm: "EdDSA" | "ES256";
  readonly lifetimes: KeyLifetimes;
  readonly now: () => number;
}

/** The keys that sign tokens, rotated by themselves. */
export interface SigningKeys {
  readonly algorithm: "EdDSA" | "ES256";
  /** Private JWKs, the one that signs first; the same list until {@link refresh} finds another. */
  all(): readonly (JWK & { readonly kid: string })[];
  /** Public halves. */
  published(): readonly JWK[];
  /** Reads what other processes added, and adds a key where the newest one is about to retire. @returns whether they changed */
  refresh(): Promise<boolean>;
}

const purpose = "signing key";

/**
 * Opens the keys; the first process makes the first one.
 *
 * @throws Error where a stored key does not open with this secret
 */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { store, algorithm, lifetimes, now } = options;
  let rows: readonly SigningKeyRow[] = [];
  let all: readonly (JWK & { readonly kid: string })[] = [];

  async function read(): Promise<boolean> {
    const found = await store.list(now());
    const order = inOrder(found);
    const changed = order.map(({ kid }) => kid).join() !== all.map(({ kid }) => kid).join();
    rows = found;
    if (changed) all = order.map(open);
    return changed;
  }

  /** The one that signs first: the newest that was announced long enough ago, else the oldest. */
  function inOrder(found: readonly SigningKeyRow[]): readonly SigningKeyRow[] {
    const at = now();
    const signs = found.findLast((row) => row.signs_from <= at) ?? found[0];
    return signs === undefined ? [] : [signs, ...found.filter((row) => row !== signs)];
  }

  function open(row: SigningKeyRow): JWK & { readonly kid: string } {
    const text = unseal(row.sealed, options.secret, purpose);
    if (text === undefined) {
      throw new Error("a signing key does not open: the server was started with another secret than before");
    }
    const jwk: JWK = JSON.parse(text);
    return { ...jwk, kid: row.kid };
  }

  async function addWhereDue(): Promise<void> {
    const newest = rows.at(-1);
    const at = now();
    if (newest !== undefined && newest.retires_at - lifetimes.announcedMs > at) return;
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    const kid = newSecret().slice(0, 16);
    const signsFrom = newest === undefined ? at : at + lifetimes.announcedMs;
    const row: SigningKeyRow = {
      kid,
      algorithm,
      sealed: seal(
        JSON.stringify({ ...(await exportJWK(privateKey)), alg: algorithm, use: "sig" }),
        options.secret,
        purpose,
      ),
      public: JSON.stringify({ ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" }),
      created_at: at,
      signs_from: signsFrom,
      retires_at: signsFrom + lifetimes.signsMs,
      expires_at: signsFrom + lifetimes.signsMs + lifetimes.keptMs,
    };
    await store.add(row, newest?.kid);
  }

  const keys: SigningKeys = {
    algorithm,
    all: () => all,
    published: () =>
      rows.map((row) => {
        const jwk: JWK = JSON.parse(row.public);
        return jwk;
      }),
    async refresh() {
      const first = await read();
      await addWhereDue();
      const second = await read();
      return first || second;
    },
  };
  await keys.refresh();
  return keys;
}
