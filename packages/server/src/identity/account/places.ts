import {
  type Api,
  answer,
  type Caller,
  form,
  type HtmlPage,
  html,
  type Markup,
  markup,
  publicAccess,
  redirect,
} from "portcullis";
import { z } from "zod";
import type { SignedIn } from "../../storage/accounts.ts";
import type { Account } from "../accounts.ts";
import { browserClientId } from "../browser-sessions/own-issuer.ts";
import type { Asker } from "../events.ts";
import { cookieNames } from "../oauth/provider.ts";
import { day, onward, ownAddressField, page, passwordField, style } from "../pages.ts";
import { ownFooter } from "./own-footer.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { sayBrowser } from "./words.ts";

const access = publicAccess(
  "the cookie of this server's own sign-in says who it is, and proves nobody to the API behind",
);
const cookies = z.strictObject({ [cookieNames.session]: z.string().max(64).optional() });
const pageOutput = html({ style, navigatesTo: [accountPaths.account] });
const goesOn = redirect([accountPaths.account, accountPaths.signIn]);
const session = z.string().regex(/^[\w-]{43}$/);
const application = z.string().regex(/^[\w.~:-]{1,100}$/);

/** What is to end. */
type Ending = { readonly session: string } | { readonly application: string };

/**
 * Ending the session of one browser, and taking back what one application was allowed, from the account's page. Whoever
 * gave the password a moment ago is asked nothing; anybody else for the password, with the one budget of guesses, so that
 * a browser left open does not throw its owner out everywhere else.
 *
 * @see OWASP ASVS 5.0 7.5.2, 10.4.9 and 10.7.3
 */
export function mountPlaces(api: Api, options: AccountPagesOptions): void {
  const { accounts, sessions } = options;
  for (const { path, confirmed, what } of [
    { path: accountPaths.endBrowser, confirmed: accountPaths.endBrowserConfirmed, what: { session } },
    { path: accountPaths.withdraw, confirmed: accountPaths.withdrawConfirmed, what: { application } },
  ] as const) {
    api.route(
      {
        path: `POST ${path}`,
        access,
        input: { cookies, body: form(z.strictObject(what)) },
        output: { 200: pageOutput, 303: goesOn },
        limit: { rate: "60/min", by: "address" },
      },
      async ({ body, cookies: { [cookieNames.session]: held }, request }) => {
        const account = await sessions.accountOf(held);
        if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
        if (!(await sessions.isProvedLately(held))) {
          return answer(await confirmPage(account, confirmed, body, options), { status: 200 });
        }
        await end(account, body, held, request);
        return answer(accountPaths.account, { status: 303 });
      },
    );

    api.route(
      {
        path: `POST ${confirmed}`,
        access,
        input: {
          cookies,
          body: form(
            z.strictObject({ ...what, email: z.string().min(1).max(254), password: z.string().min(1).max(1024) }),
          ),
        },
        output: { 200: pageOutput, 303: goesOn, 401: pageOutput },
        startsSession: { account: "body.email" },
      },
      async ({ body, cookies: { [cookieNames.session]: held }, request }) => {
        const account = await sessions.accountOf(held);
        if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
        const proved = await accounts.authenticate(body.email, body.password);
        if (proved?.id !== account.id) {
          const said = await confirmPage(account, confirmed, body, options, "Wrong address or password.");
          return answer(said, { status: 401 });
        }
        const cookie = await sessions.start(proved, held);
        await end(account, body, cookie.value, request);
        return answer(onward("Done", accountPaths.account), { status: 200, cookies: [cookie] });
      },
    );
  }

  /** Of somebody else, or none: nothing to do, and nothing to tell apart. */
  async function end(account: Account, what: Ending, held: string | undefined, request: Asker): Promise<void> {
    if ("session" in what) await options.endBrowser(account.id, what.session, held, request);
    else if (await isThere(account, what.application, options)) {
      await options.withdraw(account.id, what.application, request);
    }
  }
}

/** Of what is none, nothing is recorded: it would be text of whoever asks. */
async function isThere(account: Account, application: string, options: AccountPagesOptions): Promise<boolean> {
  if (application === browserClientId) return false;
  if (options.clients.some(({ id }) => id === application)) return true;
  const kept = [...(await options.accounts.signedIn(account.id)), ...(await options.allowed(account.id))];
  return kept.some(({ clientId }) => clientId === application);
}

async function confirmPage(
  account: Account,
  path: string,
  what: Ending,
  options: AccountPagesOptions,
  problem?: string,
): Promise<HtmlPage> {
  const [says, field, value, name] =
    "session" in what
      ? ["Sign out", "session", what.session, sayBrowser(await userAgentOf(account, what.session, options))]
      : ["Withdraw", "application", what.application, nameOf(what.application, options)];
  return page(
    `${says} ${name}?`,
    markup`<p>It is a while since you gave your password.</p>
<form method="post" action="${path}">
${ownAddressField(account.email)}
${passwordField()}
<button name="${field}" value="${value}">${says}</button></form>
${ownFooter()}`,
    problem,
  );
}

async function userAgentOf(account: Account, session: string, { accounts }: AccountPagesOptions) {
  return (await accounts.signedIn(account.id)).find((one) => one.session === session)?.userAgent;
}

/** Where somebody is signed in, and what applications may act for them, each with a button that ends it. */
export async function placesSection(
  account: Account,
  caller: Caller | undefined,
  options: AccountPagesOptions,
): Promise<Markup> {
  const places = await options.accounts.signedIn(account.id);
  const here = caller === undefined ? undefined : options.sessionOf(caller);
  const isHere = ({ session }: SignedIn) => session === here;
  const browsers = places
    .filter(({ session }) => session !== undefined)
    .toSorted((a, b) => Number(isHere(b)) - Number(isHere(a)));
  const isListed = browsers.some(isHere);
  const applications = byApplication([...places, ...(await options.allowed(account.id))]);
  return markup`<h2>Signed in</h2>
<ul class="plain">${isListed ? undefined : markup`<li>This browser</li>`}${browsers.map((one) => browserItem(one, isHere(one)))}</ul>
${applications.length === 0 ? undefined : markup`<h2>Applications</h2><ul class="plain">${applications.map((one) => applicationItem(one, options))}</ul>`}`;
}

function browserItem({ session = "", userAgent, since, usedAt }: SignedIn, isHere: boolean) {
  const name = sayBrowser(userAgent);
  const hint = markup`${isHere ? "this browser, " : undefined}${times(since, usedAt)}`;
  return item(name, hint, {
    action: accountPaths.endBrowser,
    field: "session",
    value: session,
    says: "Sign out",
    of: name,
  });
}

function applicationItem({ clientId = "", since, usedAt }: SignedIn, options: AccountPagesOptions) {
  const name = nameOf(clientId, options);
  return item(name, times(since, usedAt), {
    action: accountPaths.withdraw,
    field: "application",
    value: clientId,
    says: "Withdraw",
    of: name,
  });
}

function nameOf(clientId: string, { clients }: AccountPagesOptions): string {
  return clients.find(({ id }) => id === clientId)?.name ?? clientId;
}

interface End {
  readonly action: string;
  readonly field: string;
  readonly value: string;
  readonly says: string;
  /** What is ended, for who hears the button alone. */
  readonly of: string;
}

function item(name: string, hint: Markup, { action, field, value, says, of }: End) {
  return markup`<li class="row"><div>${name}<p class="hint">${hint}</p></div>
<form method="post" action="${action}"><button class="second" name="${field}" value="${value}" aria-label="${says}: ${of}">${says}</button></form></li>`;
}

function times(since: number, usedAt: number): Markup {
  const isSameDay = Math.floor(since / dayMs) === Math.floor(usedAt / dayMs);
  return markup`since ${day(since)}${isSameDay ? undefined : markup`, last used ${day(usedAt)}`}`;
}

const dayMs = 86_400_000;

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
