import { randomUUID } from "node:crypto";
import { createLocalJWKSet, jwtVerify, SignJWT } from "jose";
import type { Asker, OAuthEvent } from "../events.ts";
import type { Revocations } from "../revocations.ts";
import type { NewAccessToken } from "./refresh-grant.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** What access tokens take. */
export interface AccessTokensOptions {
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly revocations: Pick<Revocations, "revoke" | "forTokens">;
  /** Names grants and sessions without telling their id. */
  readonly nameInTokens: (id: string) => string;
  readonly seconds: number;
  readonly tell: (event: OAuthEvent) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Access tokens that this server makes and takes back by itself, where oidc-provider does not. */
export interface AccessTokens {
  issue(claims: NewAccessToken): Promise<{ readonly token: string; readonly expiresIn: number }>;
  /**
   * Only for the client it was issued to; nothing is said where it is no token.
   *
   * @see RFC 7009 section 2.1
   */
  revoke(token: string, clientId: string, request: Asker): Promise<void>;
}

/** @see RFC 9068 */
export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { issuer, keys, nameInTokens, now } = options;
  return {
    async issue(claims) {
      const { kid, algorithm, key } = keys.signer();
      const seconds = Math.floor(now() / 1000);
      const token = await new SignJWT({
        client_id: claims.clientId,
        scope: claims.scope,
        grant: nameInTokens(claims.grantId),
        epoch: claims.epoch,
        ...(claims.sessionUid === undefined ? {} : { sid: nameInTokens(claims.sessionUid) }),
      })
        .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid })
        .setIssuer(issuer)
        .setSubject(claims.subject)
        .setAudience(claims.audience)
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + options.seconds)
        .setJti(randomUUID())
        .sign(key);
      return { token, expiresIn: options.seconds };
    },
    async revoke(token, clientId, request) {
      const keySet = createLocalJWKSet({ keys: [...keys.published()] });
      const verified = await jwtVerify(token, keySet, { issuer, typ: "at+jwt" }).catch(() => undefined);
      const { jti, sub, iat, exp, client_id: issuedTo } = verified?.payload ?? {};
      if (jti === undefined || sub === undefined || iat === undefined || exp === undefined) return;
      if (issuedTo !== clientId) return;
      // Once is enough: each makes every instance read and forget what it looked up.
      if (await options.revocations.forTokens.isRevoked({ ...verified?.payload, iss: issuer, sub, iat, exp })) return;
      await options.revocations.revoke({ kind: "jti", value: jti });
      options.tell({ type: "token-revoked", subject: sub, client: clientId, request });
    },
  };
}
