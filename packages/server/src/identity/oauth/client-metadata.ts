import type { ClientMetadata } from "oidc-provider";
import { type ClientOptions, isNative } from "./clients.ts";

/** What oidc-provider is told of a client. @see RFC 7591 section 2 */
export function metadataOf(client: ClientOptions): ClientMetadata {
  const isForPeople = (client.redirectUris ?? []).length > 0;
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: [...(client.redirectUris ?? [])],
    application_type: isNative(client) ? "native" : "web",
    response_types: isForPeople ? ["code"] : [],
    grant_types: [
      ...(isForPeople ? ["authorization_code", "refresh_token"] : []),
      ...(client.callsAsItself === true ? ["client_credentials"] : []),
    ],
    scope: ["openid", "email", ...client.scopes].join(" "),
    ...(client.secret === undefined
      ? { token_endpoint_auth_method: "none" }
      : { token_endpoint_auth_method: "client_secret_post", client_secret: client.secret }),
  };
}
