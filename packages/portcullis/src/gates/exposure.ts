import type { ArrivalGate } from "../gate.ts";
import { credentialIn } from "../lib/query-credential.ts";
import { Refusal } from "../refusal.ts";

/**
 * Refuses a request that carries a credential in its URL, whatever the route: URLs end up in logs, histories and
 * Referer headers, so the credential has leaked already and must not be made to work.
 *
 * @returns step; refuses with `credential-in-url` (400)
 * @see OWASP ASVS 5.0 14.2.1, OAuth 2.1 (tokens in the query are ignored by resource servers)
 */
export const exposure: ArrivalGate = () =>
  function refuseCredentialInUrl(x) {
    const name = credentialIn(x.query);
    return name === undefined ? undefined : new Refusal("credential-in-url", `query parameter ${name}`);
  };
