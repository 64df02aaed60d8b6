import type { Grant, KoaContextWithOIDC, Provider } from "oidc-provider";
import type { SignedIn } from "../../storage/accounts.ts";
import { consentNamed } from "../../storage/ended-names.ts";
import type { OidcPayloadStore, StoredPayload } from "../../storage/oidc-payloads.ts";
import { hashOf } from "../secrets.ts";

/** What people allowed applications, remembered for each of them. */
export interface Consents {
  /**
   * The grant an authorization starts from: the session's own; else a new one with what was allowed before. For a client
   * of the service itself everything it may ask for is in it.
   */
  grantFor(context: KoaContextWithOIDC, isFirstParty: boolean): Promise<Grant | undefined>;
  /** What a person allowed, by application. */
  allowedBy(accountId: string): Promise<readonly SignedIn[]>;
  /** Keeps what a grant allows, for the next sign-in of the same person. */
  remember(grant: Grant): Promise<void>;
}

/** What is remembered. */
interface Allowed {
  /** Scopes of OpenID, with blanks between. */
  readonly openid: string;
  /** Scopes by resource. */
  readonly resources: Readonly<Record<string, string>>;
}

const model = "Consent";
const keptMs = 365 * 86_400_000;
/** A code lives a minute, and the access token for it a quarter of an hour: whoever takes it back finds the grant. */
const lastsMs = 20 * 60_000;

/** Keeps consents beside the grants, which end with a session. @see OWASP ASVS 5.0 10.7.1 to 10.7.3 */
export function createConsents(store: OidcPayloadStore, provider: () => Provider, now: () => number): Consents {
  function allowedIn(stored: StoredPayload | undefined): Allowed | undefined {
    if (stored === undefined || (stored.expires_at ?? 0) <= now()) return undefined;
    const before: Allowed = JSON.parse(stored.payload);
    return before;
  }

  return {
    async grantFor({ oidc }, isFirstParty) {
      const { client, session, account, result } = oidc;
      if (client === undefined || session === undefined || account === undefined) return undefined;
      const { accountId } = account;
      const { clientId } = client;
      const id = result?.consent?.grantId ?? session.grantIdFor(clientId);
      const known = id === undefined ? undefined : await provider().Grant.find(id);
      // Not one that is forgotten before what will be given with it has ended.
      const isGood = (known?.exp ?? 0) * 1000 > now() + lastsMs;
      const own = isGood && known?.accountId === accountId && known.clientId === clientId ? known : undefined;
      if (!isFirstParty) {
        // Where it was withdrawn, the person is asked, whatever the session still has.
        const before = allowedIn(await store.find(model, nameOf(accountId, clientId)));
        if (before === undefined) return undefined;
        return own ?? saved(filled(new (provider().Grant)({ accountId, clientId }), before));
      }
      const asked: Allowed = {
        openid: [...oidc.requestParamOIDCScopes].join(" "),
        resources: Object.fromEntries(
          Object.entries(oidc.resourceServers ?? {}).map(([resource, { scopes }]) => [
            resource,
            [...oidc.requestParamScopes].filter((scope) => scopes.has(scope)).join(" "),
          ]),
        ),
      };
      if (own !== undefined && holds(own, asked)) return own;
      return saved(filled(own ?? new (provider().Grant)({ accountId, clientId }), asked));
    },
    async allowedBy(accountId) {
      const kept = await store.consentsOf(accountId, now());
      return kept.map(({ clientId, expiresAt }) => {
        const since = expiresAt - keptMs;
        return { clientId, session: undefined, userAgent: undefined, since, usedAt: since };
      });
    },
    async remember(grant) {
      const { accountId, clientId } = grant;
      if (accountId === undefined || clientId === undefined) return;
      const row = {
        model,
        hash: nameOf(accountId, clientId),
        grant_id: null,
        account_id: accountId,
        client_id: clientId,
        expires_at: now() + keptMs,
        consumed_at: null,
      };
      // Withdrawn at the same moment, it is nothing of what was allowed before that comes back.
      await store.change(row, consentNamed(accountId, clientId), (stored) =>
        JSON.stringify(joined(allowedIn(stored), grant)),
      );
    },
  };
}

function nameOf(accountId: string, clientId: string): string {
  return hashOf(JSON.stringify([accountId, clientId]));
}

function filled(grant: Grant, { openid, resources }: Allowed): Grant {
  if (openid !== "") grant.addOIDCScope(openid);
  for (const [resource, scopes] of Object.entries(resources)) {
    if (scopes !== "") grant.addResourceScope(resource, scopes);
  }
  return grant;
}

async function saved(grant: Grant): Promise<Grant> {
  await grant.save();
  return grant;
}

/** What was allowed before, and what a grant allows. */
function joined(before: Allowed | undefined, grant: Grant): Allowed {
  const resources = new Set([...Object.keys(before?.resources ?? {}), ...Object.keys(grant.resources ?? {})]);
  return {
    openid: union(before?.openid, grant.getOIDCScope()),
    resources: Object.fromEntries(
      [...resources].map((one) => [one, union(before?.resources[one], grant.getResourceScope(one))]),
    ),
  };
}

function holds(grant: Grant, { openid, resources }: Allowed): boolean {
  const within = (scopes: string, all: string) => words(scopes).every((one) => words(all).includes(one));
  if (!within(openid, grant.getOIDCScope())) return false;
  return Object.entries(resources).every(([resource, scopes]) => within(scopes, grant.getResourceScope(resource)));
}

function union(one: string | undefined, other: string | undefined): string {
  return [...new Set([...words(one), ...words(other)])].join(" ");
}

function words(text: string | undefined): readonly string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}
