import { type Api, answer, form, type Markup, markup, publicAccess, redirect } from "portcullis";
import { z } from "zod";
import type { Account } from "../accounts.ts";
import type { Key } from "../api-keys.ts";
import { cookieNames } from "../oauth/provider.ts";
import { day } from "../pages.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";

/**
 * Revoking an API key from the account's page. It asks for no password: it only takes away, and whoever finds a key that
 * should not be there is in a hurry.
 *
 * @see OWASP ASVS 5.0 7.5.2
 */
export function mountKeyPages(api: Api, { sessions, keys }: AccountPagesOptions): void {
  if (keys === undefined) return;
  api.route(
    {
      path: `POST ${accountPaths.revokeKey}`,
      access: publicAccess(
        "the cookie of this server's own sign-in says who it is, and proves nobody to the API behind",
      ),
      input: {
        cookies: z.strictObject({ [cookieNames.session]: z.string().max(64).optional() }),
        body: form(z.strictObject({ key: z.string().regex(/^[0-9A-Za-z]{16}$/) })),
      },
      output: { 303: redirect([accountPaths.account, accountPaths.signIn]) },
      limit: { rate: "60/min", by: "address" },
    },
    async ({ body, cookies, request }) => {
      const account = await sessions.accountOf(cookies[cookieNames.session]);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      // A key of somebody else, or none: nothing to do, and nothing to tell apart.
      await keys.revoke(body.key, account.id, { request });
      return answer(accountPaths.account, { status: 303 });
    },
  );
}

/** The keys of an account, each with a button that revokes it; nothing where there are none. */
export async function keySection(account: Account, options: AccountPagesOptions): Promise<Markup | undefined> {
  const keys = (await options.keys?.list(account.id)) ?? [];
  if (keys.length === 0) return undefined;
  return markup`<h2>API keys</h2>
<ul class="plain">${keys.map((key) => keyItem(key, options))}</ul>`;
}

function keyItem({ id, name, prefix, client, lastUsedAt, expiresAt, createdAt }: Key, options: AccountPagesOptions) {
  const maker = client === undefined ? undefined : (options.clients.find((one) => one.id === client)?.name ?? client);
  const made = markup`made ${day(createdAt)}${maker === undefined ? undefined : ` with ${maker}`}`;
  const used = lastUsedAt === undefined ? "never used" : markup`last used ${day(lastUsedAt)}`;
  const ends = expiresAt === undefined ? "does not expire" : markup`expires ${day(expiresAt)}`;
  return markup`<li class="row"><div>${name}<p class="hint">${prefix}… · ${made}, ${used}, ${ends}</p></div>
<form method="post" action="${accountPaths.revokeKey}"><button class="second" name="key" value="${id}" aria-label="Revoke ${name}">Revoke</button></form></li>`;
}
