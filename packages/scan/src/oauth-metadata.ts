import type { ProbeContext } from "./context.ts";
import { hostOf, isLoopbackName } from "./address.ts";
import { textAt, textsAt } from "./json.ts";
import type { OAuthServer } from "./oauth-server.ts";
import { broken, held, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";

/** Members that are addresses. */
const endpoints = [
  "authorization_endpoint",
  "token_endpoint",
  "userinfo_endpoint",
  "jwks_uri",
  "revocation_endpoint",
  "introspection_endpoint",
  "end_session_endpoint",
  "registration_endpoint",
] as const;

/**
 * What an authorization server says of itself: an issuer that is an address and the same everywhere, endpoints over https,
 * PKCE with S256 and not plain, no algorithm `none`. Grants it only offers are tried elsewhere.
 *
 * @see RFC 8414 sections 2 and 3.3, RFC 9700 sections 2.1.1 and 2.6
 */
export function metadataChecks(context: ProbeContext, server: OAuthServer): readonly NamedOutcome[] {
  if (server.documents.length === 0)
    return [{ check: "metadata", ...notApplicable("The server publishes no metadata.") }];
  return [
    { check: "metadata-issuer", ...issuer(context, server) },
    { check: "metadata-agree", ...agree(server) },
    { check: "metadata-pkce", ...pkce(server) },
    { check: "metadata-none", ...none(server) },
  ];
}

function issuer(context: ProbeContext, server: OAuthServer): Outcome {
  const trials = server.documents.map(({ trial }) => trial);
  const { url } = context.fetcher;
  const text = server.issuer ?? "";
  if (!URL.canParse(text)) return broken(`the issuer is no address: ${text.slice(0, 80)}`, trials);
  const named = new URL(text);
  if (named.search !== "" || named.hash !== "") return broken("the issuer has a query or a fragment", trials);
  const addresses = [text, ...endpoints.flatMap((name) => textAt(server.metadata, name) ?? [])];
  const isLocal = isLoopbackName(hostOf(named)) || isLoopbackName(hostOf(url));
  const plain = addresses.find((address) => !address.startsWith("https://"));
  if (plain !== undefined && !isLocal) return broken(`${plain} is not an https address`, trials);
  if (!isLocal && named.origin !== url.origin)
    return broken(`the issuer ${text} is not the address its metadata stands at (${url.origin})`, trials);
  return held("the issuer is an address of its own, and endpoints are reached as it is", trials);
}

function agree({ documents }: OAuthServer): Outcome {
  const trials = documents.map(({ trial }) => trial);
  const [first, ...others] = documents;
  if (first === undefined || others.length === 0) return notApplicable("There is one metadata document.");
  const members = ["issuer", ...endpoints.slice(0, 5)];
  for (const { document, path } of others) {
    const differs = members.find((name) => {
      const [left, right] = [textAt(first.document, name), textAt(document, name)];
      return left !== undefined && right !== undefined && left !== right;
    });
    if (differs !== undefined) return broken(`${first.path} and ${path} name different values of ${differs}`, trials);
  }
  return held("every metadata document says the same", trials);
}

function pkce({ metadata, documents }: OAuthServer): Outcome {
  const trials = documents.slice(0, 1).map(({ trial }) => trial);
  const methods = textsAt(metadata, "code_challenge_methods_supported");
  if (methods.length === 0)
    return broken("no PKCE method is announced (code_challenge_methods_supported): clients cannot rely on it", trials);
  if (methods.includes("plain")) return broken("PKCE is announced with the method plain", trials);
  return methods.includes("S256")
    ? held("PKCE is announced with S256 alone", trials)
    : broken("PKCE is announced without S256", trials);
}

function none({ metadata, documents }: OAuthServer): Outcome {
  const trials = documents.slice(0, 1).map(({ trial }) => trial);
  const lists = Object.keys(metadata).filter((name) => name.endsWith("_signing_alg_values_supported"));
  // An ID token straight from the token endpoint may go unsigned; nothing else may, and nobody needs it.
  const open = lists.find((name) => textsAt(metadata, name).some((one) => one.toLowerCase() === "none"));
  if (open === undefined) return held("nothing unsigned is announced", trials);
  return broken(`${open} has the algorithm none`, trials);
}
