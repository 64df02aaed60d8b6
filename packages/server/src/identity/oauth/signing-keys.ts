import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
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

/** What tokens are signed with: Ed25519, or ECDSA on P-256. @see RFC 8037 section 3.1, RFC 7518 section 3.4 */
export type Algorithm = SigningKeyRow["algorithm"];

/** What they need. */
export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  /** Encrypts private keys at rest; at least 32 bytes. */
  readonly secret: string | Uint8Array;
  /** New keys are made for it. Where the newest is of another one, its successor is made at the start. */
  readonly algorithm: Algorithm;
  readonly lifetimes: KeyLifetimes;
  readonly now: () => number;
}

/** A key of ours, opened. */
export type PrivateJwk = JWK & { readonly kid: string };

/** The keys that sign tokens, rotated by themselves. */
export interface SigningKeys {
  /** Of every key that signs or is about to, that of {@link signer} first. */
  algorithms(): readonly Algorithm[];
  /** Private JWKs, the one that signs first; the same list until {@link refresh} finds another. */
  all(): readonly PrivateJwk[];
  /** Public halves; the same list until {@link refresh} finds another. */
  published(): readonly JWK[];
  /** The one that signs now. */
  signer(): Signer;
  /** Reads what other processes added, and adds a key where the newest one is about to retire. */
  refresh(): Promise<void>;
}

/** What signs. */
export interface Signer {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
}

const purpose = "signing key";
/** Instances that were told different algorithms make a key each time one starts; verifiers read no endless lists. */
const mostAlive = 10;

/**
 * Opens the keys; the first process makes the first one. A new one is published before it signs, so that every verifier
 * and every other instance has it by then, and stays published after it signed last, until no token of it is alive. Each
 * signs with the algorithm it was made for, on every instance: another algorithm comes as another key does, announced.
 *
 * @throws Error where a stored key does not open with this secret
 */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { store, algorithm, lifetimes, now } = options;
  let stored: readonly SigningKeyRow[] = [];
  let all: readonly PrivateJwk[] = [];
  let algorithms: readonly Algorithm[] = [];
  let published: readonly JWK[] = [];
  let signer: Signer | undefined;

  async function read(): Promise<void> {
    stored = await store.list();
    const order = inOrder(stored.filter((row) => row.expires_at > now()));
    if (order.map(({ kid }) => kid).join() === all.map(({ kid }) => kid).join()) return;
    const opened = order.map(open);
    const [first] = opened;
    const [row] = order;
    signer =
      first === undefined || row === undefined
        ? undefined
        : { kid: first.kid, algorithm: row.algorithm, key: await imported(first, row.algorithm) };
    all = opened;
    algorithms = [...new Set(order.map((one) => one.algorithm))];
    published = order.map((row) => {
      const jwk: JWK = JSON.parse(row.public);
      return jwk;
    });
  }

  /** The one that signs first: the newest that was announced long enough ago, else the oldest. */
  function inOrder(alive: readonly SigningKeyRow[]): readonly SigningKeyRow[] {
    const at = now();
    const signs = alive.findLast((row) => row.signs_from <= at) ?? alive[0];
    return signs === undefined ? [] : [signs, ...alive.filter((row) => row !== signs)];
  }

  function open(row: SigningKeyRow): PrivateJwk {
    const text = unseal(row.sealed, options.secret, purpose);
    if (text === undefined) {
      throw new Error(
        "a signing key does not open: the server was started with another secret than before. Give it that one; " +
          "where it is lost, docs/identity.md says what to do (What is kept where)",
      );
    }
    const jwk: JWK = JSON.parse(text);
    return { ...jwk, kid: row.kid };
  }

  async function imported(jwk: PrivateJwk, of: Algorithm): Promise<CryptoKey> {
    const key = await importJWK(jwk, of);
    if (key instanceof Uint8Array) throw new Error("a signing key is symmetric");
    return key;
  }

  /** @param changes  also where the newest is of another algorithm */
  async function addWhereDue(changes: boolean): Promise<void> {
    const newest = stored.at(-1);
    const at = now();
    const isOver = newest === undefined || Math.min(newest.retires_at, newest.expires_at) <= at;
    const isOther = changes && newest?.algorithm !== algorithm && all.length < mostAlive;
    if (!isOver && !isOther && newest.retires_at - lifetimes.announcedMs > at) return;
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    const kid = newSecret().slice(0, 16);
    // Where none signs any more, after a long standstill or because it was taken out, nothing is gained by waiting.
    const signsFrom = isOver ? at : at + lifetimes.announcedMs;
    await store.add({
      kid,
      follows: newest?.kid ?? "",
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
    });
  }

  const keys: SigningKeys = {
    algorithms: () => algorithms,
    all: () => all,
    published: () => published,
    signer() {
      if (signer === undefined) throw new Error("there is no key to sign with");
      return signer;
    },
    async refresh() {
      await read();
      await addWhereDue(false);
      await read();
    },
  };
  await read();
  await addWhereDue(true);
  await keys.refresh();
  return keys;
}
