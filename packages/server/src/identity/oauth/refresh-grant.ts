import { errors, type Provider, type TokenEndpointGrantContext } from "oidc-provider";
import type { RefreshTokenStore, StoredRefreshToken } from "../../storage/refresh-tokens.ts";
import type { OAuthEvent } from "../events.ts";
import { hashOf, newSecret, seal, unseal } from "../secrets.ts";
import { askerOf } from "./bridge.ts";
import { epochContext } from "./provider.ts";

/** What the grant needs. */
export interface RefreshGrantOptions {
  readonly store: RefreshTokenStore;
  readonly now: () => number;
  /** A token that nobody uses ends after this, milliseconds. */
  readonly idleMs: number;
  /** How long an answer may be asked for again; milliseconds. */
  readonly replayMs: number;
  /** How often. */
  readonly replaysMost: number;
  /** Asked that soon it was asked at the same time, from many tabs or processes; milliseconds. */
  readonly concurrentMs: number;
  /** How often then. */
  readonly concurrentMost: number;
  /** How often everything of an account was ended; undefined where it is gone or disabled. */
  readonly epochOf: (accountId: string) => Promise<number | undefined>;
  readonly accessToken: (claims: NewAccessToken) => Promise<{ readonly token: string; readonly expiresIn: number }>;
  readonly onEvent: (event: OAuthEvent) => void;
  /** Takes a grant back: what was issued with it ends, its families of refresh tokens too. */
  readonly endGrant: (grantId: string, why: string) => Promise<void>;
  /** Scopes a resource has; undefined where there is none of that address. */
  readonly scopesOf: (resource: string) => readonly string[] | undefined;
}

/** What a new access token says. */
export interface NewAccessToken {
  readonly subject: string;
  /** The one in which the sign-in happened that all of it follows from. */
  readonly epoch: number;
  readonly clientId: string;
  readonly audience: string;
  readonly scope: string;
  readonly grantId: string;
  readonly sessionUid: string | undefined;
}

/** How often a rotation is tried again when another request was faster; it was, so the second look finds its answer. */
const looks = 2;

/**
 * Used tokens are remembered, so that whoever shows one is noticed; who renews without end would fill the table. In 90 days
 * it is every two and a half minutes, where an access token lasts fifteen.
 */
const mostRenewals = 50_000;

const purpose = "refresh answer";

/** As oidc-provider keeps it. */
interface RefreshPayload {
  readonly accountId: string;
  readonly clientId: string;
  readonly grantId: string;
  readonly scope: string;
  readonly resource?: string | readonly string[];
  readonly sessionUid?: string;
  /** See `epochContext`. */
  readonly acr?: string;
}

/** What a request may choose. */
interface Asked {
  readonly scope: string | undefined;
  readonly resource: string | undefined;
}

/** What is kept of a rotation, sealed. */
interface Kept {
  readonly answer: TokenAnswer;
  readonly asked: Asked;
}

/** The answer to a refresh. @see RFC 6749 section 5.1 */
interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly scope: string;
  readonly token_type: "Bearer";
}

/**
 * The refresh grant: every use of a token puts exactly one successor in its place. The same answer is given again to the
 * same client and scope, to all that ask at the same time and for a few seconds more a few times, while the successor is
 * unused, so that tabs, processes and a lost answer sign nobody out; any other use of a token that was used revokes the
 * whole family. What is kept of the answer opens only with the token that was presented.
 *
 * @see RFC 9700 section 4.14, RFC 6749 section 6, OWASP ASVS 5.0 10.4.5 and 10.4.8
 */
export function registerRefreshGrant(provider: Provider, options: RefreshGrantOptions): void {
  const { store, now } = options;
  provider.registerGrantType<{ refresh_token?: string; scope?: string; resource?: string }>(
    "refresh_token",
    async (context) => {
      const { refresh_token: presented } = context.oidc.params;
      if (presented === undefined || presented === "") throw new errors.InvalidRequest("refresh_token is missing");
      // How long a store takes that many ask at once is not held against who asks.
      const askedAt = now();
      for (let look = 0; look < looks; look++) {
        const answer = await tryOnce(context, presented, askedAt);
        if (answer === undefined) continue;
        context.body = answer;
        return;
      }
      throw new errors.InvalidGrant("the token is being used by other requests");
    },
    ["refresh_token", "scope", "resource"],
  );

  /** @returns undefined where another request was faster */
  async function tryOnce(
    context: TokenEndpointGrantContext<object>,
    presented: string,
    askedAt: number,
  ): Promise<TokenAnswer | undefined> {
    const found = await store.find(hashOf(presented));
    if (found === undefined) throw new errors.InvalidGrant("no such refresh token");
    const { token, family } = found;
    const { client, params } = context.oidc;
    if (family.client_id !== client.clientId) throw new errors.InvalidGrant("the token is another client's");
    if (family.revoked_at !== null) throw new errors.InvalidGrant("the token was revoked");
    const at = now();
    if (family.expires_at <= at) throw new errors.InvalidGrant("the token has expired");
    const asked = { scope: textIn(params, "scope"), resource: textIn(params, "resource") };
    // Before everything else that may be said of it: whoever shows a used token, however late, has it from somewhere.
    if (token.successor !== null) return replayed(context, found, presented, asked, askedAt);
    if (token.idle_expires_at <= at) throw new errors.InvalidGrant("the token has expired");
    if (family.renewals >= mostRenewals) {
      await options.endGrant(family.grant_id, "renewed too often");
      throw new errors.InvalidGrant("it was renewed too often");
    }

    const payload: RefreshPayload = JSON.parse(token.payload);
    const epoch = await options.epochOf(family.account_id);
    if (epoch === undefined || payload.acr !== epochContext(epoch)) {
      await options.endGrant(family.grant_id, "account");
      throw new errors.InvalidGrant("the account was signed out");
    }
    const grant = await provider.Grant.find(payload.grantId);
    if (grant === undefined) throw new errors.InvalidGrant("the grant is gone");
    const audience = audienceOf(payload, asked.resource);
    // What was granted, as far as the client may have it and the resource has it today.
    const today = options.scopesOf(audience);
    if (today === undefined) throw new errors.InvalidTarget("the resource is gone");
    const may = (client.scope ?? "").split(" ").filter((one) => today.includes(one));
    const granted = grant.getResourceScopeFiltered(
      audience,
      payload.scope.split(" ").filter((one) => may.includes(one)),
    );
    const scope = scopeOf(granted, asked.scope);
    const successor = newSecret();
    const access = await options.accessToken({
      subject: payload.accountId,
      epoch,
      clientId: payload.clientId,
      audience,
      scope,
      grantId: payload.grantId,
      sessionUid: payload.sessionUid,
    });
    const answer: TokenAnswer = {
      access_token: access.token,
      expires_in: access.expiresIn,
      refresh_token: successor,
      scope,
      token_type: "Bearer",
    };
    const rotated = await store.rotate(
      token.hash,
      {
        hash: hashOf(successor),
        payload: token.payload,
        idleExpiresAt: Math.min(at + options.idleMs, family.expires_at),
        answer: seal(JSON.stringify({ answer, asked } satisfies Kept), presented, purpose),
      },
      at,
    );
    if (!rotated) return undefined;
    options.onEvent({ type: "token-refreshed", ...aboutOf(context, family) });
    return answer;
  }

  /** A token that was used: the same answer again to the same question, or the end of the family. */
  async function replayed(
    context: TokenEndpointGrantContext<object>,
    found: StoredRefreshToken,
    presented: string,
    asked: Asked,
    askedAt: number,
  ): Promise<TokenAnswer> {
    const { token, family } = found;
    const text = unseal(token.answer ?? "", presented, purpose);
    const kept: Kept | undefined = text === undefined ? undefined : JSON.parse(text);
    const sinceMs = askedAt - (token.used_at ?? 0);
    const isSoon = sinceMs <= options.replayMs;
    const most = sinceMs <= options.concurrentMs ? options.concurrentMost : options.replaysMost;
    const isSame = kept?.asked.scope === asked.scope && kept?.asked.resource === asked.resource;
    const about = aboutOf(context, family);
    if (kept !== undefined && isSoon && isSame && (await store.replay(token.hash, most))) {
      options.onEvent({ type: "refresh-replayed", ...about });
      return kept.answer;
    }
    await options.endGrant(family.grant_id, "reused");
    options.onEvent({ type: "refresh-reused", ...about });
    throw new errors.InvalidGrant("the token was used before");
  }
}

function aboutOf({ req }: TokenEndpointGrantContext<object>, family: StoredRefreshToken["family"]) {
  return { subject: family.account_id, client: family.client_id, request: askerOf(req) };
}

/** What was asked for, no more than was granted. @see RFC 6749 section 6 */
function scopeOf(granted: string, asked: string | undefined): string {
  if (asked === undefined) return granted;
  const all = granted.split(" ");
  // Those of OpenID say nothing in an access token.
  const wanted = asked.split(" ").filter((one) => !["openid", "email", "offline_access"].includes(one));
  if (!wanted.every((one) => all.includes(one))) throw new errors.InvalidScope("more than was granted", asked);
  return all.filter((one) => wanted.includes(one)).join(" ");
}

function audienceOf(payload: RefreshPayload, asked: string | undefined): string {
  const granted = [payload.resource ?? []].flat();
  const audience = asked ?? granted[0];
  if (audience === undefined || !granted.includes(audience)) throw new errors.InvalidTarget();
  return audience;
}

function textIn(params: object, name: string): string | undefined {
  const value: unknown = Reflect.get(params, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}
