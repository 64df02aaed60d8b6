import { type Api, answer, form, html, markup, notAnObject, publicAccess, signIn } from "portcullis";
import { z } from "zod";
import { emailField, newPasswordField, ownAddressField, page, passwordField, style } from "../pages.ts";
import { mailLimits } from "./mail-limits.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { goOn, Waiting } from "./sign-up.ts";
import { sayProblem } from "./words.ts";

const pageOutput = html({ style });
const access = publicAccess("who comes from a mail proves it with what the mail holds");
// What a mail program cut off gets a page that says so, and not an error.
const Token = z.strictObject({ token: z.string().regex(/^[\w-]{1,100}$/) });
const objects = { token: notAnObject("a secret of 256 bits that was mailed, used once") };
const limit = { rate: "5/min", by: "address" } as const;

/**
 * Confirming an address, and a forgotten password. Links only show a page, because mail scanners follow them; what they
 * stand for happens when its button is pressed.
 */
export function mountMailedPages(api: Api, options: AccountPagesOptions): void {
  const { accounts, serviceName } = options;
  api.route(
    { path: `GET ${accountPaths.verify}/:token`, access, input: { params: Token }, objects, output: pageOutput },
    async ({ params }) => verifyPage(params.token, await accounts.addressToVerify(params.token)),
  );

  api.route(
    {
      path: `POST ${accountPaths.verify}/:token`,
      access,
      input: {
        params: Token,
        cookies: Waiting,
        body: form(z.strictObject({ email: z.string().min(1).max(254), password: z.string().min(1).max(1024) })),
      },
      objects,
      output: { 200: pageOutput, 400: pageOutput, 401: pageOutput },
      // Whoever has the link may not guess the password either; nobody is signed in by it.
      limit: signIn("body.email"),
    },
    async ({ params, body, cookies, request }) => {
      const problem = await accounts.verifyEmail(params.token, body.email, body.password, request);
      if (problem === "wrong-password") {
        const email = await accounts.addressToVerify(params.token);
        return answer(verifyPage(params.token, email, "Wrong address or password."), { status: 401 });
      }
      if (problem === undefined) {
        return page("Your address is confirmed", markup`<p class="done">Thank you.</p>${goOn(options, cookies)}`);
      }
      return answer(
        page(
          "This link cannot be used any more",
          markup`<p>It works once, for 24 hours, and a newer one replaces it. If your address is confirmed already, sign in.</p>
${goOn(options, cookies)}`,
        ),
        { status: 400 },
      );
    },
  );

  api.route({ path: `GET ${accountPaths.forgotten}`, access, output: pageOutput }, () => forgottenPage());

  api.route(
    {
      path: `POST ${accountPaths.forgotten}`,
      access,
      input: { cookies: Waiting, body: form(z.strictObject({ email: z.string().min(1).max(254) })) },
      output: pageOutput,
      limit: [limit, ...mailLimits("body.email", "forgotten")],
    },
    async ({ body }) => {
      await accounts.requestReset(body.email);
      return page(
        "Look at your mail",
        markup`<p>If there is an account for <strong>${body.email}</strong>, we have sent a link to it that sets a new password. It works for 30 minutes.</p>
<footer><a href="${accountPaths.forgotten}">Try another address</a></footer>`,
      );
    },
  );

  api.route(
    { path: `GET ${accountPaths.reset}/:token`, access, input: { params: Token }, objects, output: pageOutput },
    ({ params }) => resetPage(params.token),
  );

  api.route(
    {
      path: `POST ${accountPaths.reset}/:token`,
      access,
      input: {
        params: Token,
        cookies: Waiting,
        body: form(z.strictObject({ password: z.string().min(1).max(1024) })),
      },
      objects,
      output: { 200: pageOutput, 400: pageOutput },
      limit,
    },
    async ({ params, body, cookies, request }) => {
      const problem = await accounts.resetPassword(params.token, body.password, request);
      if (problem === undefined) {
        return page(
          "Your password is set",
          markup`<p class="done">Everything that was signed in before is signed out.</p>${goOn(options, cookies)}`,
        );
      }
      if (problem !== "bad-token")
        return answer(resetPage(params.token, sayProblem(problem)), {
          status: 400,
        });
      return answer(
        page(
          "This link cannot be used any more",
          markup`<p>It works once, for 30 minutes, and a newer one replaces it.</p>
<footer><a href="${accountPaths.forgotten}">Send a new link</a></footer>`,
        ),
        { status: 400 },
      );
    },
  );

  /** Asks for the password: the link alone says whose address it is, and not who signed up with it. */
  function verifyPage(token: string, email: string | undefined, problem?: string) {
    return page(
      "Confirm your address",
      markup`<p>Did you sign up at <strong>${serviceName}</strong>? Then confirm with your password that this address is yours. If you did not, close this page.</p>
<form method="post" action="${accountPaths.verify}/${token}">
${email === undefined ? emailField() : ownAddressField(email)}
${passwordField()}
<button>Confirm</button></form>
<footer><a href="${accountPaths.forgotten}">Forgotten password</a></footer>`,
      problem,
    );
  }
}

function forgottenPage() {
  return page(
    "Forgotten your password?",
    markup`<p>We send you a link that sets a new one.</p>
<form method="post" action="${accountPaths.forgotten}">${emailField()}<button>Send the link</button></form>
<footer><a href="${accountPaths.signIn}">Back to sign-in</a></footer>`,
  );
}

function resetPage(token: string, problem?: string) {
  return page(
    "Choose a new password",
    markup`<form method="post" action="${accountPaths.reset}/${token}">
${newPasswordField("New password", "password")}
<button>Set password</button></form>`,
    problem,
  );
}
