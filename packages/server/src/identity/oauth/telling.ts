import { type errors, type KoaContextWithOIDC, Provider } from "oidc-provider";
import type { OAuthEvent } from "../events.ts";
import { askerOf } from "./bridge.ts";

/**
 * Tells of what oidc-provider decides: codes, tokens, refusals. What it says of a refusal goes along as OAuth's error code
 * alone, and clients by name only where they are known, so that no text of a stranger is in it.
 */
export function tellOfProvider(provider: Provider, tell: (event: OAuthEvent) => void): void {
  provider.on("authorization.success", (context) => {
    tell({ type: "code-issued", subject: context.oidc.account?.accountId, ...aboutOf(context) });
  });
  provider.on("authorization.error", (context, error) => {
    // That a person said no was told when it was said.
    if (error.error !== "access_denied") tell({ type: "authorization-refused", ...refusal(context, error) });
  });
  provider.on("grant.success", (context) => {
    const { AuthorizationCode: code, ClientCredentials: own } = context.oidc.entities;
    const about = aboutOf(context);
    if (code !== undefined) tell({ type: "code-redeemed", subject: code.accountId, ...about });
    if (own !== undefined) tell({ type: "token-issued", subject: own.clientId, ...about });
  });
  provider.on("grant.error", (context, error) => {
    tell({ type: isOfClient(error) ? "client-refused" : "token-refused", ...refusal(context, error) });
  });
  provider.on("revocation.error", (context, error) => {
    if (isOfClient(error)) tell({ type: "client-refused", ...refusal(context, error) });
  });
}

/**
 * What it means that oidc-provider took a grant back, by the endpoint it did it at: a client handed in a refresh token, or
 * a code was used twice.
 */
export function grantTakenBack(subject: string | undefined, client: string | undefined): OAuthEvent {
  const { ctx } = Provider;
  const isHandedIn = ctx?.oidc.route === "revocation";
  return {
    type: isHandedIn ? "token-revoked" : "code-reused",
    subject,
    client,
    request: ctx === undefined ? undefined : askerOf(ctx.req),
  };
}

function aboutOf(context: KoaContextWithOIDC) {
  // A client that proved nothing is named too: it is the one somebody tried to be.
  return { client: context.oidc.client?.clientId, request: askerOf(context.req) };
}

function refusal(context: KoaContextWithOIDC, error: errors.OIDCProviderError) {
  return { ...aboutOf(context), why: error.error };
}

function isOfClient({ error }: errors.OIDCProviderError): boolean {
  return error === "invalid_client";
}
