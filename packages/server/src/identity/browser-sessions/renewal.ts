import { setTimeout as wait } from "node:timers/promises";
import type { BrowserSessionRow, BrowserSessionStore } from "../../storage/browser-sessions.ts";
import type { Asker } from "../events.ts";
import { issuerTimeoutMs, type RelyingParty } from "./relying-party.ts";
import type { Kept, SessionSecrets } from "./session-secrets.ts";

/** What it takes. */
export interface RenewalOptions {
  readonly store: BrowserSessionStore;
  readonly party: RelyingParty;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  readonly renewed: (row: BrowserSessionRow, asker: Asker | undefined) => void;
  /** The issuer said that it is over. */
  readonly ended: (row: BrowserSessionRow, asker: Asker | undefined) => void;
}

/** A session as it stands. */
export interface Standing {
  readonly row: BrowserSessionRow;
  readonly kept: Kept;
}

/** Tokens are renewed that long before they run out, milliseconds. */
const earlyMs = 60_000;
/**
 * Nobody else renews that long, milliseconds: more than a request to the issuer may take, and less than our own issuer
 * repeats the answer to a refresh, so that whoever takes over from a process that died gets the same tokens.
 */
const leaseMs = issuerTimeoutMs + 1000;
const lookAgainMs = 25;

/** Keeps the tokens of sessions fresh. */
export interface Renewal {
  /**
   * The session with tokens that hold; renews them where they are about to run out, or `now` is asked for. Of all
   * requests on all instances one asks the issuer, the others wait for it.
   *
   * @param asker  the request that asks; of several that ask at once, the events name the one whose turn it was
   * @returns undefined where the session is over
   * @throws where the issuer could not be asked and the tokens hold no more
   */
  fresh(
    standing: Standing,
    secrets: SessionSecrets,
    asker: Asker | undefined,
    isDemanded?: boolean,
  ): Promise<Standing | undefined>;
}

/** @see OAuth 2.0 for Browser-Based Applications (draft), section 6.1 */
export function createRenewal(options: RenewalOptions): Renewal {
  const { store, party, now, onError } = options;
  const under = new Map<string, Promise<Standing | undefined>>();

  return {
    async fresh(standing, secrets, asker, isDemanded = false) {
      const { refresh, expiresAt } = standing.kept.tokens;
      if (refresh === undefined) return standing;
      const left = (expiresAt ?? Number.POSITIVE_INFINITY) - now();
      if (left > earlyMs && !isDemanded) return standing;
      const { hash } = secrets;
      const known = under.get(hash);
      const renewed = known ?? renew(standing, secrets, asker);
      if (known === undefined) {
        under.set(hash, renewed);
        const done = (): boolean => under.delete(hash);
        renewed.then(done, done);
      }
      try {
        return await renewed;
      } catch (error) {
        if (left <= 0 || isDemanded) throw error;
        onError(error);
        return standing;
      }
    },
  };

  async function renew(
    first: Standing,
    secrets: SessionSecrets,
    asker: Asker | undefined,
  ): Promise<Standing | undefined> {
    let { row, kept } = first;
    const { version } = row;
    const until = performance.now() + 2 * leaseMs;
    while (performance.now() < until) {
      if (await store.claimRenewal(row.hash, version, now(), now() + leaseMs))
        return ask({ row, kept }, secrets, asker);
      await wait(lookAgainMs);
      const found = await store.find(row.hash, now());
      if (found === undefined) return undefined;
      const opened = secrets.open(found.sealed);
      if (opened === undefined) return undefined;
      row = found;
      kept = opened;
      if (row.version !== version) return { row, kept };
    }
    throw new Error("another request renews the tokens and does not end");
  }

  async function ask(
    { row, kept }: Standing,
    secrets: SessionSecrets,
    asker: Asker | undefined,
  ): Promise<Standing | undefined> {
    const { hash, version } = row;
    const { refresh } = kept.tokens;
    if (refresh === undefined) return { row, kept };
    const tokens = await party.refresh(refresh).catch(async (error: unknown) => {
      await store.giveUpRenewal(hash, version);
      throw error;
    });
    if (tokens === undefined) {
      if (await store.end(hash, now())) options.ended(row, asker);
      return undefined;
    }
    const { access, expiresAt, scope } = tokens;
    const next: Kept = {
      claims: kept.claims,
      tokens: {
        access,
        scope,
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(tokens.refresh === undefined ? {} : { refresh: tokens.refresh }),
      },
    };
    const sealed = secrets.seal(next);
    if (await store.renew(hash, version, sealed)) {
      options.renewed(row, asker);
      return { row: { ...row, sealed, version: version + 1 }, kept: next };
    }
    // The session ended meanwhile: what was just given would outlive it.
    if ((await store.find(hash, now())) === undefined) {
      if (tokens.refresh !== undefined) await party.revoke(tokens.refresh).catch(onError);
      return undefined;
    }
    throw new Error("the session was renewed by two at once");
  }
}
