import type { Provider } from "oidc-provider";
import { type Api, answer, form, html, markup, notAnObject, publicAccess } from "portcullis";
import { z } from "zod";
import type { Accounts } from "../accounts.ts";
import type { IdentityEvent } from "../events.ts";
import { emailField, onward, page, passwordField, style } from "../pages.ts";
import type { ClientOptions } from "./clients.ts";
import type { Consents } from "./consents.ts";
import { type FlowCookies, flowCookieShape } from "./flow-cookies.ts";
import { cookieNames, endpoints, epochContext } from "./provider.ts";

/** What the pages of a sign-in need. */
export interface InteractionsOptions {
  readonly serviceName: string;
  readonly accounts: Accounts;
  readonly clients: readonly ClientOptions[];
  readonly provider: () => Provider;
  readonly consents: Consents;
  readonly flowCookies: FlowCookies;
  /** Takes a session at this server out, and what is under way with it. */
  readonly leaveSession: (accountId: string, uid: string) => Promise<unknown>;
  readonly issuer: string;
  readonly tell: (event: IdentityEvent) => void;
  /** Where somebody without an account or password goes. */
  readonly paths: { readonly signUp: string; readonly forgotten: string };
}

type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;

const Uid = z.strictObject({ uid: z.string().regex(/^[\w-]{1,64}$/) });
const Cookies = z.strictObject({ ...flowCookieShape, [cookieNames.session]: z.string().max(64).optional() });
const objects = { uid: notAnObject("a sign-in under way, known only to the browser whose cookie names it") };
const access = publicAccess("somebody who signs in has no credential yet");
const signInPage = html({ style, navigatesTo: [`${endpoints.authorization}/*`] });

/** Signing in and consenting, as pages without scripts. The browser is known by the cookie that the first step set. */
export function mountInteractions(api: Api, options: InteractionsOptions): void {
  const { accounts, serviceName } = options;

  api.route(
    {
      path: `GET ${endpoints.interaction}/:uid`,
      access,
      input: { params: Uid, cookies: Cookies },
      objects,
      output: { 200: signInPage, 404: signInPage },
    },
    async ({ params, cookies }) => {
      const interaction = await find(params.uid, cookies);
      if (interaction === undefined) return answer(expired(), { status: 404 });
      return interaction.prompt.name === "consent" ? await consentPage(interaction) : signIn(interaction);
    },
  );

  api.route(
    {
      path: `POST ${endpoints.interaction}/:uid/sign-in`,
      access,
      input: {
        params: Uid,
        cookies: Cookies,
        body: form(z.strictObject({ email: z.string().min(1).max(254), password: z.string().min(1).max(1024) })),
      },
      objects,
      output: { 200: signInPage, 401: signInPage, 404: signInPage },
      startsSession: { account: "body.email" },
    },
    async ({ params, cookies, body, request }) => {
      const interaction = await find(params.uid, cookies);
      if (interaction === undefined || interaction.prompt.name !== "login") return answer(expired(), { status: 404 });
      const account = await accounts.authenticate(body.email, body.password);
      if (account === undefined) {
        return answer(signIn(interaction, body.email, "Wrong address or password."), { status: 401 });
      }
      await leaveOther(interaction, cookies[cookieNames.session], account.id);
      const acr = epochContext(account.epoch);
      const ts = Math.floor(Date.now() / 1000);
      interaction.result = { login: { accountId: account.id, remember: false, amr: ["pwd"], acr, ts } };
      await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
      options.tell({ type: "issuer-session-started", issuer: options.issuer, subject: account.id, request });
      return onward("Signed in", resumePath(interaction));
    },
  );

  api.route(
    {
      path: `POST ${endpoints.interaction}/:uid/consent`,
      access,
      input: {
        params: Uid,
        cookies: Cookies,
        body: form(z.strictObject({ decision: z.enum(["allow", "deny"]) })),
      },
      objects,
      output: { 200: signInPage, 404: signInPage },
    },
    async ({ params, cookies, body, request }) => {
      const interaction = await find(params.uid, cookies);
      if (interaction === undefined || interaction.prompt.name !== "consent") return answer(expired(), { status: 404 });
      if (!(await isStillHere(interaction, cookies[cookieNames.session]))) return answer(expired(), { status: 404 });
      interaction.result =
        body.decision === "allow"
          ? // With the sign-in that came before in the same authorization: it counts as done.
            { ...interaction.lastSubmission, consent: { grantId: await grantFor(interaction) } }
          : { error: "access_denied", error_description: "the person said no" };
      await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
      const client = clientOf(interaction);
      options.tell({
        type: body.decision === "allow" ? "consent-given" : "consent-refused",
        subject: interaction.session?.accountId,
        client: client?.id,
        request,
        // Of what was asked for, what there is: the rest is a text of whoever made the link.
        why: missingScopes(interaction)
          .filter((scope) => ["openid", "email", ...(client?.scopes ?? [])].includes(scope))
          .join(" "),
      });
      return onward("Going back", resumePath(interaction));
    },
  );

  /** Only the browser that began it finds it. */
  async function find(uid: string, cookies: z.output<typeof Cookies>): Promise<Interaction | undefined> {
    return options.flowCookies.hold(cookies, uid) ? options.provider().Interaction.find(uid) : undefined;
  }

  /** Whether whoever is asked is signed in in this browser still: what others answer after a sign-out is not his word. */
  async function isStillHere(interaction: Interaction, cookie: string | undefined): Promise<boolean> {
    const session = cookie === undefined ? undefined : await options.provider().Session.find(cookie);
    return session?.uid !== undefined && session.uid === interaction.session?.uid;
  }

  /**
   * Somebody else was signed in here, when it began or by now in another tab: that session ends, instead of being asked
   * about.
   */
  async function leaveOther(interaction: Interaction, cookie: string | undefined, accountId: string): Promise<void> {
    const { Session } = options.provider();
    for (const id of new Set([interaction.session?.cookie, cookie])) {
      const session = id === undefined ? undefined : await Session.find(id);
      if (session?.accountId !== undefined && session.accountId !== accountId) {
        await options.leaveSession(session.accountId, session.uid);
      }
    }
    // It goes on with whatever session the browser has by then: who it is was proved just now.
    interaction.session = undefined;
  }

  function clientOf(interaction: Interaction): ClientOptions | undefined {
    return options.clients.find(({ id }) => id === interaction.params["client_id"]);
  }

  /**
   * What is new; everything, where an application on the device has to ask each time. Without names that the client does not
   * have: they ask for nothing, and would be a stranger's text on our page and in our records.
   *
   * @see RFC 8252 section 8.6
   */
  function missingScopes(interaction: Interaction): readonly string[] {
    const { prompt, params } = interaction;
    const { details } = prompt;
    const oidc = isTexts(details["missingOIDCScope"]) ? details["missingOIDCScope"] : [];
    const resources = Object.values(details["missingResourceScopes"] ?? {}).flatMap((scopes) =>
      isTexts(scopes) ? scopes : [],
    );
    const missing = new Set([...oidc, ...resources]);
    const { scope } = params;
    if (missing.size > 0 || typeof scope !== "string") return [...missing];
    const known = new Set(["openid", "email", ...(clientOf(interaction)?.scopes ?? [])]);
    return scope.split(" ").filter((one) => known.has(one));
  }

  function signIn(interaction: Interaction, email = "", problem?: string) {
    const client = clientOf(interaction);
    const onTo =
      client === undefined || client.isFirstParty === true
        ? undefined
        : markup`<p>to continue to <strong>${client.name}</strong></p>`;
    return page(
      `Sign in to ${serviceName}`,
      markup`${onTo}<form method="post" action="${endpoints.interaction}/${interaction.uid}/sign-in">
${emailField(email)}
${passwordField()}
<button>Sign in</button></form>
<footer><a href="${options.paths.forgotten}">Forgotten password</a><a href="${options.paths.signUp}">Create an account</a></footer>`,
      problem,
    );
  }

  async function consentPage(interaction: Interaction) {
    const client = clientOf(interaction);
    const { accountId } = interaction.session ?? {};
    const account = accountId === undefined ? undefined : await accounts.find(accountId);
    const who = account === undefined ? undefined : markup`You are signed in as <strong>${account.email}</strong>. `;
    const scopes = missingScopes(interaction);
    return page(
      `Allow ${client?.name ?? "this application"}?`,
      markup`<p><strong>${client?.name ?? "This application"}</strong> asks to:</p>
<ul>${scopes.map((scope) => markup`<li>${sayScope(scope)}</li>`)}</ul>
<p>${who}You are asked again within a year, and can withdraw this on your account page at any time.</p>
<form method="post" action="${endpoints.interaction}/${interaction.uid}/consent">
<button name="decision" value="allow">Allow</button>
<button class="second" name="decision" value="deny">Do not allow</button></form>`,
    );
  }

  async function grantFor(interaction: Interaction): Promise<string> {
    const { Grant } = options.provider();
    const known = interaction.grantId === undefined ? undefined : await Grant.find(interaction.grantId);
    const accountId = interaction.session?.accountId;
    const clientId = String(interaction.params["client_id"]);
    const grant = known ?? new Grant({ ...(accountId === undefined ? {} : { accountId }), clientId });
    const { details } = interaction.prompt;
    if (isTexts(details["missingOIDCScope"])) grant.addOIDCScope(details["missingOIDCScope"].join(" "));
    if (isTexts(details["missingOIDCClaims"])) grant.addOIDCClaims(details["missingOIDCClaims"]);
    for (const [resource, scopes] of Object.entries(details["missingResourceScopes"] ?? {})) {
      if (isTexts(scopes)) grant.addResourceScope(resource, scopes.join(" "));
    }
    const grantId = await grant.save();
    await options.consents.remember(grant);
    return grantId;
  }
}

function sayScope(scope: string): string {
  if (scope === "openid") return "know that it is you";
  if (scope === "email") return "see your e-mail address";
  return `use ${scope} for you`;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function expired() {
  return page("This sign-in has expired", markup`<p>Go back to the application and sign in again.</p>`);
}

function resumePath(interaction: Interaction): string {
  return `${endpoints.authorization}/${interaction.uid}`;
}
