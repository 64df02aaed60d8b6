import { type Api, answer, form, html, markup, notAnObject, publicAccess, redirect, signIn } from "portcullis";
import { z } from "zod";
import type { Account } from "../accounts.ts";
import { cookieNames } from "../oauth/provider.ts";
import { emailField, newEmailField, ownAddressField, page, passwordField, style } from "../pages.ts";
import { mailLimits } from "./mail-limits.ts";
import { ownFooter } from "./own-footer.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { goOn, Waiting } from "./sign-up.ts";
import { sayProblem } from "./words.ts";

const pageOutput = html({ style });
const Cookies = z.strictObject({ [cookieNames.session]: z.string().max(64).optional() });
const Token = z.strictObject({ token: z.string().regex(/^[\w-]{1,100}$/) });
const email = z.string().min(1).max(254);
const password = z.string().min(1).max(1024);
const access = publicAccess("who is signed in here proves the password again, and who comes from a mail what it holds");
const objects = { token: notAnObject("a secret of 256 bits that was mailed, used once") };
const wrong = "Wrong address or password.";

/**
 * Another address for an account: asked for with the password, confirmed with the link that is mailed there and the
 * password once more, which may happen in another browser.
 */
export function mountAddressPages(api: Api, options: AccountPagesOptions): void {
  const { accounts, sessions } = options;
  const own = (cookies: z.output<typeof Cookies>) => sessions.accountOf(cookies[cookieNames.session]);

  api.route(
    {
      path: `GET ${accountPaths.email}`,
      access,
      input: { cookies: Cookies },
      output: { 200: pageOutput, 303: redirect([accountPaths.signIn]) },
    },
    async ({ cookies }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      return answer(askPage(account), { status: 200 });
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.email}`,
      access,
      input: { cookies: Cookies, body: form(z.strictObject({ email, password, newEmail: email })) },
      output: { 200: pageOutput, 303: redirect([accountPaths.signIn]), 400: pageOutput, 401: pageOutput },
      // By the network too where a stranger may name the account, or his requests would be counted for whoever has it.
      limit: [
        ...signIn("body.email"),
        { rate: "5/h", by: "body.email", and: "address" },
        ...mailLimits("body.newEmail", "new-address"),
      ],
    },
    async ({ body, cookies, request }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      const proved = await accounts.authenticate(body.email, body.password);
      if (proved?.id !== account.id) return answer(askPage(account, body.newEmail, wrong), { status: 401 });
      const problem = await accounts.requestAddress(account.id, body.newEmail, request);
      if (problem !== undefined) {
        return answer(askPage(account, body.newEmail, sayProblem(problem)), { status: 400 });
      }
      return answer(
        page(
          "Look at your mail",
          markup`<p>We have sent a message to <strong>${body.newEmail}</strong>. Open the link in it within 24 hours, and your address changes; until then it stays as it is.</p>
${ownFooter()}`,
        ),
        { status: 200 },
      );
    },
  );

  api.route(
    {
      path: `GET ${accountPaths.email}/:token`,
      access,
      input: { params: Token, cookies: Cookies },
      objects,
      output: pageOutput,
    },
    async ({ params, cookies }) =>
      confirmPage(params.token, await accounts.requestedAddress(params.token), (await own(cookies))?.email),
  );

  api.route(
    {
      path: `POST ${accountPaths.email}/:token`,
      access,
      // With a cookie, so that no other site has its visitors use up the guesses at somebody's account.
      input: { params: Token, cookies: Waiting, body: form(z.strictObject({ email, password })) },
      objects,
      output: { 200: pageOutput, 400: pageOutput, 401: pageOutput },
      // Whoever has the link may not guess the password either; nobody is signed in by it.
      limit: signIn("body.email"),
    },
    async ({ params, body, cookies, request }) => {
      const problem = await accounts.changeAddress(params.token, body.email, body.password, request);
      if (problem === "wrong-password") {
        const asked = await accounts.requestedAddress(params.token);
        return answer(confirmPage(params.token, asked, body.email, wrong), { status: 401 });
      }
      if (problem === "bad-token") {
        return answer(
          page(
            "This link cannot be used any more",
            markup`<p>It works once, for 24 hours, and a newer one replaces it. If your address is changed already, sign in with the new one.</p>
${goOn(options, cookies)}`,
          ),
          { status: 400 },
        );
      }
      return page(
        "Your address is changed",
        markup`<p class="done">Everything that was signed in is signed out.</p>${goOn(options, cookies)}`,
      );
    },
  );
}

function askPage(account: Account, typed = "", problem?: string) {
  return page(
    "Change your address",
    markup`<p>We send a link to the new address. It changes when you open the link there.</p>
<form method="post" action="${accountPaths.email}">
${ownAddressField(account.email)}
${passwordField()}
${newEmailField(typed)}
<button>Send the link</button></form>
${ownFooter()}`,
    problem,
  );
}

/** The address the account has is asked for: who was mailed by mistake must not learn it. */
function confirmPage(token: string, asked: string | undefined, present = "", problem?: string) {
  const to = asked === undefined ? "a new address" : markup`<strong>${asked}</strong>`;
  return page(
    "Confirm your new address",
    markup`<p>Shall ${to} be the address of your account? Then confirm with the address and the password that it has now. If you asked for no change, close this page.</p>
<form method="post" action="${accountPaths.email}/${token}">
${emailField(present)}
${passwordField()}
<button>Change the address</button></form>`,
    problem,
  );
}
