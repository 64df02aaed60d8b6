import { type Api, answer, type Caller, form, type Markup, markup, publicAccess, redirect } from "portcullis";
import { z } from "zod";
import type { SignedIn } from "../../storage/accounts.ts";
import type { Account } from "../accounts.ts";
import { browserClientId } from "../browser-sessions/own-issuer.ts";
import { cookieNames } from "../oauth/provider.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { sayBrowser } from "./words.ts";

const access = publicAccess(
  "the cookie of this server's own sign-in says who it is, and proves nobody to the API behind",
);
const cookies = z.strictObject({ [cookieNames.session]: z.string().max(64).optional() });
const output = { 303: redirect([accountPaths.account, accountPaths.signIn]) };
const limit = { rate: "60/min", by: "address" } as const;

/**
 * Ending the session of one browser, and taking back what one application was allowed, from the account's page. They ask
 * for no password: they only take away, and whoever finds what should not be there is in a hurry.
 *
 * @see OWASP ASVS 5.0 7.5.2, 10.4.9 and 10.7.3
 */
export function mountPlaces(api: Api, options: AccountPagesOptions): void {
  const { sessions, endBrowser, withdraw } = options;
  api.route(
    {
      path: `POST ${accountPaths.endBrowser}`,
      access,
      input: { cookies, body: form(z.strictObject({ session: z.string().regex(/^[\w-]{43}$/) })) },
      output,
      limit,
    },
    async ({ body, cookies: { [cookieNames.session]: held }, request }) => {
      const account = await sessions.accountOf(held);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      // A session of somebody else, or none: nothing to do, and nothing to tell apart.
      await endBrowser(account.id, body.session, held, request);
      return answer(accountPaths.account, { status: 303 });
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.withdraw}`,
      access,
      input: { cookies, body: form(z.strictObject({ application: z.string().regex(/^[\w.~:-]{1,100}$/) })) },
      output,
      limit,
    },
    async ({ body, cookies: { [cookieNames.session]: held }, request }) => {
      const account = await sessions.accountOf(held);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      const { application } = body;
      if (application !== browserClientId && (await isThere(account, application, options))) {
        await withdraw(account.id, application, request);
      }
      return answer(accountPaths.account, { status: 303 });
    },
  );
}

/** Of what is none, nothing is recorded: it would be text of whoever asks. */
async function isThere(account: Account, application: string, options: AccountPagesOptions): Promise<boolean> {
  if (options.clients.some(({ id }) => id === application)) return true;
  const kept = [...(await options.accounts.signedIn(account.id)), ...(await options.allowed(account.id))];
  return kept.some(({ clientId }) => clientId === application);
}

/** Where somebody is signed in, and what applications may act for them, each with a button that ends it. */
export async function placesSection(
  account: Account,
  caller: Caller | undefined,
  options: AccountPagesOptions,
): Promise<Markup> {
  const places = await options.accounts.signedIn(account.id);
  const here = caller === undefined ? undefined : options.sessionOf(caller);
  const browsers = places.filter(({ session }) => session !== undefined);
  const isListed = browsers.some(({ session }) => session === here);
  const applications = byApplication([...places, ...(await options.allowed(account.id))]);
  return markup`<h2>Signed in</h2>
<ul class="plain">${isListed ? undefined : markup`<li>This browser</li>`}${browsers.map((one) => browserItem(one, here))}</ul>
${applications.length === 0 ? undefined : markup`<h2>Applications</h2><ul class="plain">${applications.map((one) => applicationItem(one, options))}</ul>`}`;
}

function browserItem({ session = "", userAgent, since, usedAt }: SignedIn, here: string | undefined) {
  const name = sayBrowser(userAgent);
  const words = session === here ? `${name} (this browser)` : name;
  return item(words, since, usedAt, {
    action: accountPaths.endBrowser,
    field: "session",
    value: session,
    says: "Sign out",
    of: name,
  });
}

function applicationItem({ clientId = "", since, usedAt }: SignedIn, { clients }: AccountPagesOptions) {
  const name = clients.find(({ id }) => id === clientId)?.name ?? clientId;
  return item(name, since, usedAt, {
    action: accountPaths.withdraw,
    field: "application",
    value: clientId,
    says: "Withdraw",
    of: name,
  });
}

interface End {
  readonly action: string;
  readonly field: string;
  readonly value: string;
  readonly says: string;
  /** What is ended, for who hears the button alone. */
  readonly of: string;
}

function item(name: string, since: number, usedAt: number, { action, field, value, says, of }: End) {
  return markup`<li class="row"><div>${name}<p class="hint">since ${day(since)}${usedAt > since ? markup`, last used ${day(usedAt)}` : undefined}</p></div>
<form method="post" action="${action}"><button class="second" name="${field}" value="${value}" aria-label="${says}: ${of}">${says}</button></form></li>`;
}

/** One entry for each application, however often somebody signed in to it; the tokens of browsers are listed with them. */
function byApplication(places: readonly SignedIn[]): readonly SignedIn[] {
  const known = new Map<string, SignedIn>();
  for (const one of places) {
    if (one.clientId === undefined || one.clientId === browserClientId) continue;
    const before = known.get(one.clientId) ?? one;
    const [since, usedAt] = [Math.min(before.since, one.since), Math.max(before.usedAt, one.usedAt)];
    known.set(one.clientId, { ...before, since, usedAt });
  }
  return [...known.values()].toSorted((a, b) => b.usedAt - a.usedAt);
}

function day(ms: number) {
  const iso = new Date(ms).toISOString();
  return markup`<time datetime="${iso}">${iso.slice(0, 10)}</time>`;
}
