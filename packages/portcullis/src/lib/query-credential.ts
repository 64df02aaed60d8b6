/**
 * Finds a name in a query that carries a credential, compared without case, "-" and "_".
 *
 * A credential in a URL is copied into access logs, browser histories, Referer headers and analytics, so the exposure
 * gate refuses it. The list holds names that mean a credential wherever they are seen. Left out on purpose, because
 * honest APIs use them for other things: `key` and `id` (look-ups), `code` and `state` (an OAuth redirect must carry
 * them), `sig` and `signature` (a signed link is bounded in scope and time by design), `auth`, `pass`, `sid`, `session`,
 * and anything that only ends in one of the words (`page_token`, `next_token`).
 *
 * @param query  what `readQuery` returned, or any record whose names are the query's names
 * @returns the name as it was sent, or undefined
 * @see OWASP ASVS 5.0 item 14.2.1 (sensitive data only in body or header), RFC 6750 section 5.3
 */
export function credentialIn(query: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in query) if (namesCredential(name)) return name;
  return undefined;
}

/** Whether one query parameter name means a credential; see `credentialIn` for the list and what it leaves out. */
export function namesCredential(name: string): boolean {
  if (CREDENTIAL_NAMES.has(name)) return true;
  return SPELLED_OTHERWISE.test(name) && CREDENTIAL_NAMES.has(name.replace(/[-_]/g, "").toLowerCase());
}

const CREDENTIAL_NAMES: ReadonlySet<string> = new Set([
  "accesstoken",
  "apikey",
  "apisecret",
  "apitoken",
  "authorization",
  "authtoken",
  "bearer",
  "bearertoken",
  "clientassertion",
  "clientsecret",
  "credential",
  "credentials",
  "csrftoken",
  "idtoken",
  "jsessionid",
  "jwt",
  "passphrase",
  "passwd",
  "password",
  "phpsessid",
  "privatekey",
  "pwd",
  "refreshtoken",
  "secret",
  "secretkey",
  "sessionid",
  "sessiontoken",
  "subscriptionkey",
  "token",
  "xapikey",
]);

// Most names are lower-case words: they are answered by the first look-up and this test.
const SPELLED_OTHERWISE = /[-_A-Z]/;
