import { type Api, answer, form, html, markup, publicAccess, type RouteLimit, signUp } from "portcullis";
import { z } from "zod";
import { flowCookieShape } from "../oauth/flow-cookies.ts";
import { endpoints } from "../oauth/provider.ts";
import { emailField, newPasswordField, page, style } from "../pages.ts";
import { mailLimits } from "./mail-limits.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { sayProblem } from "./words.ts";

const pageOutput = html({ style });
const access = publicAccess("who signs up has no account yet");

/** The cookies of sign-ins that wait, so that whoever signs up on the way can go on with the newest. */
export const Waiting = z.strictObject(flowCookieShape);

/** What succeeds counts as well. */
export const signUpLimits: readonly RouteLimit[] = [...signUp("body.email"), ...mailLimits("body.email", "signed-up")];

/** Signing up. The answer is the same for an address that has an account: only its owner learns of that, by mail. */
export function mountSignUp(api: Api, options: AccountPagesOptions): void {
  const { accounts, serviceName } = options;
  api.route({ path: `GET ${accountPaths.signUp}`, access, output: pageOutput }, () => signUpPage());

  api.route(
    {
      path: `POST ${accountPaths.signUp}`,
      access,
      input: {
        cookies: Waiting,
        body: form(z.strictObject({ email: z.string().min(1).max(254), password: z.string().min(1).max(1024) })),
      },
      output: { 200: pageOutput, 400: pageOutput },
      limit: signUpLimits,
    },
    async ({ body, cookies, request }) => {
      const problem = await accounts.signUp(body.email, body.password, request);
      if (problem !== undefined) return answer(signUpPage(body.email, sayProblem(problem)), { status: 400 });
      return page(
        "Look at your mail",
        markup`<p>We have sent a message to <strong>${body.email}</strong>. Open the link in it to confirm the address.</p>
<p>Nothing there after a few minutes? Look among the unwanted mail, or sign up again.</p>
${goOn(options, cookies)}`,
      );
    },
  );

  function signUpPage(email = "", problem?: string) {
    return page(
      `Create an account at ${serviceName}`,
      markup`<form method="post" action="${accountPaths.signUp}">
${emailField(email)}
${newPasswordField("Password", "password")}
<button>Create account</button></form>
<footer><a href="${accountPaths.signIn}">Sign in instead</a></footer>`,
      problem,
    );
  }
}

/** Back to the sign-in that waits in this browser; where none does, to the app. */
export function goOn(
  { flowCookies, beginsAt }: Pick<AccountPagesOptions, "flowCookies" | "beginsAt">,
  cookies: z.output<typeof Waiting>,
) {
  const waiting = flowCookies.newest(cookies);
  const path = waiting === undefined ? beginsAt : `${endpoints.interaction}/${waiting}`;
  return markup`<a class="button" href="${path}">Sign in</a>`;
}
