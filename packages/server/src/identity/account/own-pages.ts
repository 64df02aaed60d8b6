import {
  type Api,
  answer,
  type Caller,
  form,
  html,
  markup,
  type MarkupValue,
  notAnObject,
  publicAccess,
  redirect,
} from "portcullis";
import { z } from "zod";
import type { Account } from "../accounts.ts";
import { cookieNames } from "../oauth/provider.ts";
import { emailField, newPasswordField, onward, ownAddressField, page, passwordField, style } from "../pages.ts";
import { keySection } from "./keys.ts";
import { mailLimits } from "./mail-limits.ts";
import { ownFooter } from "./own-footer.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { placesSection } from "./places.ts";
import { sayProblem } from "./words.ts";

const pageOutput = html({ style, navigatesTo: [accountPaths.account] });
const toSignIn = redirect([accountPaths.signIn]);
const access = publicAccess(
  "the cookie of this server's own sign-in says who it is, and proves nobody to the API behind",
);
const Cookies = z.strictObject({ [cookieNames.session]: z.string().max(64).optional() });
const email = z.string().min(1).max(254);
const password = z.string().min(1).max(1024);
const Proof = z.strictObject({ email, password });
const wrong = "Wrong address or password.";

/**
 * The pages of whoever is signed in here. Whatever changes the account asks for the password again, counts wrong ones as
 * a sign-in does, and begins a new session.
 *
 * @see OWASP ASVS 5.0 7.5.1
 */
export function mountOwnPages(api: Api, options: AccountPagesOptions): void {
  const { accounts, sessions, serviceName, issuer, tell } = options;
  const own = (cookies: z.output<typeof Cookies>) => sessions.accountOf(cookies[cookieNames.session]);

  api.route(
    {
      path: `GET ${accountPaths.signIn}`,
      access,
      input: { cookies: Cookies },
      output: { 200: pageOutput, 303: redirect([accountPaths.account]) },
    },
    async ({ cookies }) =>
      (await own(cookies)) === undefined
        ? answer(signInPage(), { status: 200 })
        : answer(accountPaths.account, { status: 303 }),
  );

  api.route(
    {
      path: `POST ${accountPaths.signIn}`,
      access,
      input: { cookies: Cookies, body: form(Proof) },
      output: { 200: pageOutput, 401: pageOutput },
      startsSession: { account: "body.email" },
    },
    async ({ body, cookies, request }) => {
      const account = await accounts.authenticate(body.email, body.password);
      if (account === undefined) return answer(signInPage(body.email, wrong), { status: 401 });
      tell({ type: "issuer-session-started", issuer, subject: account.id, request });
      return answer(onward("Signed in", accountPaths.account), {
        status: 200,
        cookies: [await sessions.start(account, cookies[cookieNames.session])],
      });
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.signOut}`,
      access,
      input: { cookies: Cookies },
      output: pageOutput,
    },
    async ({ cookies, request }) => {
      const account = await own(cookies);
      if (account !== undefined) tell({ type: "issuer-session-ended", issuer, subject: account.id, request });
      return answer(signedOut("Signed out"), { cookies: [await sessions.end(cookies[cookieNames.session])] });
    },
  );

  // Where password managers send people who have to change one. @see W3C "A Well-Known URL for Changing Passwords"
  api.route(
    { path: "GET /.well-known/change-password", access, output: redirect([accountPaths.password]) },
    () => accountPaths.password,
  );

  api.route(
    {
      path: `POST ${accountPaths.verifyAgain}`,
      access,
      input: { cookies: Cookies, body: form(z.strictObject({ account: z.uuid() })) },
      objects: { "body.account": notAnObject("the account of the cookie, or nothing happens") },
      output: { 200: pageOutput, 401: pageOutput },
      // By the id: strangers would use up by the address what is its owner's, and some of them know the id, too.
      limit: [{ rate: "5/min", by: "address" }, ...mailLimits("body.account", "verified-again")],
    },
    async ({ body, cookies }) => {
      const account = await own(cookies);
      // Named as the page names it, or the mails would be counted for somebody else.
      if (account === undefined || body.account !== account.id) return answer(signInPage(), { status: 401 });
      await accounts.requestVerification(account.id);
      return answer(
        page(
          "Look at your mail",
          markup`<p>We have sent a new link to <strong>${account.email}</strong>. The one before works no more.</p>${ownFooter()}`,
        ),
        { status: 200 },
      );
    },
  );

  api.route(
    {
      path: `GET ${accountPaths.account}`,
      access,
      input: { cookies: Cookies },
      output: { 200: pageOutput, 303: toSignIn },
    },
    async ({ cookies, caller }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
      return answer(await accountPage(account, caller), { status: 200 });
    },
  );

  for (const [path, show] of [
    [accountPaths.password, passwordPage],
    [accountPaths.everywhere, everywherePage],
    [accountPaths.remove, removePage],
  ] as const) {
    api.route(
      { path: `GET ${path}`, access, input: { cookies: Cookies }, output: { 200: pageOutput, 303: toSignIn } },
      async ({ cookies }) => {
        const account = await own(cookies);
        if (account === undefined) return answer(accountPaths.signIn, { status: 303 });
        return answer(show(account), { status: 200 });
      },
    );
  }

  api.route(
    {
      path: `POST ${accountPaths.password}`,
      access,
      input: { cookies: Cookies, body: form(z.strictObject({ email, password, newPassword: password })) },
      output: { 200: pageOutput, 400: pageOutput, 401: pageOutput },
      startsSession: { account: "body.email" },
    },
    async ({ body, cookies, request }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(signInPage(), { status: 401 });
      const proved = await accounts.authenticate(body.email, body.password);
      if (proved?.id !== account.id) return answer(passwordPage(account, wrong), { status: 401 });
      const problem = await accounts.changePassword(account.id, body.password, body.newPassword, request);
      if (problem === "wrong-password") return answer(passwordPage(account, wrong), { status: 401 });
      if (problem !== undefined) return answer(passwordPage(account, sayProblem(problem)), { status: 400 });
      const now = await accounts.find(account.id);
      if (now === undefined || now.isDisabled) return answer(signInPage(), { status: 401 });
      return answer(
        page(
          "Your password is changed",
          markup`<p class="done">Everything else that was signed in is signed out.</p>${ownFooter()}`,
        ),
        { status: 200, cookies: [await sessions.start(now, cookies[cookieNames.session])] },
      );
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.everywhere}`,
      access,
      input: { cookies: Cookies, body: form(Proof) },
      output: { 200: pageOutput, 401: pageOutput },
      startsSession: { account: "body.email" },
    },
    async ({ body, cookies, request }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(signInPage(), { status: 401 });
      const proved = await accounts.authenticate(body.email, body.password);
      if (proved?.id !== account.id) return answer(everywherePage(account, wrong), { status: 401 });
      await accounts.signOutEverywhere(account.id, request);
      return answer(signedOut("Signed out everywhere"), {
        status: 200,
        cookies: [await sessions.end(cookies[cookieNames.session])],
      });
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.remove}`,
      access,
      input: { cookies: Cookies, body: form(Proof) },
      output: { 200: pageOutput, 401: pageOutput },
      startsSession: { account: "body.email" },
    },
    async ({ body, cookies, request }) => {
      const account = await own(cookies);
      if (account === undefined) return answer(signInPage(), { status: 401 });
      const proved = await accounts.authenticate(body.email, body.password);
      if (proved?.id !== account.id) return answer(removePage(account, wrong), { status: 401 });
      await accounts.remove(account.id, request);
      return answer(
        page(
          "Your account is deleted",
          markup`<p>${account.email} can sign in no more, and everything it was signed in with has ended.</p>`,
        ),
        { status: 200, cookies: [await sessions.end(cookies[cookieNames.session])] },
      );
    },
  );

  function signInPage(typed = "", problem?: string) {
    return page(
      `Sign in to ${serviceName}`,
      markup`<form method="post" action="${accountPaths.signIn}">
${emailField(typed)}
${passwordField()}
<button>Sign in</button></form>
<footer><a href="${accountPaths.forgotten}">Forgotten password</a><a href="${accountPaths.signUp}">Create an account</a></footer>`,
      problem,
    );
  }

  async function accountPage(account: Account, caller: Caller | undefined) {
    const again = markup`<form method="post" action="${accountPaths.verifyAgain}"><button class="second" name="account" value="${account.id}">Send the mail again</button></form>`;
    return page(
      `Your account at ${serviceName}`,
      markup`<p><strong>${account.email}</strong><br>${account.isVerified ? "Address confirmed" : "Address not confirmed yet: open the link in the mail we sent."}</p>
${account.isVerified ? undefined : again}
${await placesSection(account, caller, options)}
${await keySection(account, options)}
<h2>Change</h2>
<ul class="plain"><li><a href="${accountPaths.password}">Change password</a></li>
<li><a href="${accountPaths.email}">Change e-mail address</a></li>
<li><a href="${accountPaths.everywhere}">Sign out everywhere</a></li>
<li><a class="danger" href="${accountPaths.remove}">Delete this account</a></li></ul>
<form method="post" action="${accountPaths.signOut}"><button class="second">Sign out</button></form>`,
    );
  }
}

function passwordPage(account: Account, problem?: string) {
  return page(
    "Change your password",
    markup`<form method="post" action="${accountPaths.password}">
${ownAddressField(account.email)}
${passwordField("Present password")}
${newPasswordField("New password", "newPassword")}
<button>Change password</button></form>${ownFooter()}`,
    problem,
  );
}

function everywherePage(account: Account, problem?: string) {
  return confirmPage(
    accountPaths.everywhere,
    "Sign out everywhere?",
    markup`<p>Every browser and every application that is signed in as you has to sign in again, this browser too.</p>`,
    markup`<button>Sign out everywhere</button>`,
    account,
    problem,
  );
}

function removePage(account: Account, problem?: string) {
  return confirmPage(
    accountPaths.remove,
    "Delete your account?",
    markup`<p>You can sign in no more, and nobody can bring the account back.</p>`,
    markup`<button class="danger">Delete this account</button>`,
    account,
    problem,
  );
}

function confirmPage(
  path: string,
  title: string,
  what: MarkupValue,
  button: MarkupValue,
  account: Account,
  problem?: string,
) {
  return page(
    title,
    markup`${what}<form method="post" action="${path}">
${ownAddressField(account.email)}
${passwordField()}
${button}</form>${ownFooter()}`,
    problem,
  );
}

function signedOut(title: string) {
  return page(
    title,
    markup`<p class="done">You can close this page.</p><footer><a href="${accountPaths.signIn}">Sign in again</a></footer>`,
  );
}
