import {
  answer,
  type Api,
  anyCaller,
  type Caller,
  form,
  html,
  markup,
  nothing,
  publicAccess,
  redirect,
  refuse,
  type RedirectAllowlist,
  type RequestFacts,
} from "portcullis";
import { z } from "zod";
import { ownFooter } from "../account/own-footer.ts";
import type { Asker } from "../events.ts";
import { onward, page, style } from "../pages.ts";
import { hashOf, newSecret } from "../secrets.ts";
import type { BrowserSession } from "./browser-session.ts";
import { type Flow, FlowCookies, flowCookies, flowForMs, openFlows, sealFlow } from "./flow-cookie.ts";
import { type IdClaims, type RelyingParty, SignInRefused, type Tokens } from "./relying-party.ts";
import { isReturnPath, type ReturnPaths, returnToLength } from "./return-paths.ts";
import { sessionCookieName } from "./session-secrets.ts";
import type { OwnIssuer } from "./sign-in-at.ts";

/** Where browsers sign in and out. */
export const browserSessionPaths = {
  signIn: "/auth/sign-in",
  callback: "/auth/callback",
  session: "/auth/session",
  refresh: "/auth/refresh",
  signOut: "/auth/sign-out",
} as const;

/** What the routes need. */
export interface BrowserSessionRoutesOptions {
  readonly serviceName: string;
  readonly origin: string;
  readonly app: string;
  readonly returnTo: ReturnPaths;
  readonly secret: string | Uint8Array;
  readonly party: RelyingParty;
  readonly now: () => number;
  /** @returns false where this sign-in came back before */
  takeSignIn(hash: string, expiresAt: number): Promise<boolean>;
  refused(why: string, asker: Asker): void;
  /** The issuer could not be asked. */
  unreachable(error: unknown): undefined;
  nameOf(caller: Caller | undefined): string | undefined;
  of(caller: Caller | undefined): SignedIn | undefined;
  /** @returns the new cookie, and what the session is called */
  start(
    given: { readonly tokens: Tokens; readonly claims: IdClaims },
    from: { readonly instead: string | undefined; readonly userAgent: string | undefined; readonly request: Asker },
  ): Promise<{ readonly cookie: string; readonly name: string }>;
  renew(caller: Caller, asker: Asker): Promise<SignedIn | undefined>;
  end(caller: Caller | undefined, isEverywhere: boolean, asker: Asker): Promise<void>;
  readonly issuerCookie: OwnIssuer["cookie"] | undefined;
}

/** Who is signed in, and until when. */
export interface SignedIn {
  readonly session: BrowserSession;
  readonly claims: IdClaims;
}

const time = z.iso.datetime();
const SessionView = z.object({
  session: z
    .object({
      subject: z.string().max(300),
      email: z.string().max(320).nullable(),
      emailVerified: z.boolean(),
      startedAt: time,
      /** Without another request. */
      idleExpiresAt: time,
      expiresAt: time,
    })
    .nullable(),
});

const Target = z.strictObject({ returnTo: z.string().min(1).max(returnToLength).optional() });

const Answer = z.strictObject({
  code: z.string().min(1).max(4000).optional(),
  state: z.string().min(1).max(200).optional(),
  iss: z.string().min(1).max(500).optional(),
  error: z.string().min(1).max(100).optional(),
  error_description: z.string().max(1000).optional(),
  error_uri: z.string().max(1000).optional(),
});

/**
 * What of an issuer's answer is read. Issuers send more, each its own; that is passed over, and refused only where it is
 * there twice.
 *
 * @see RFC 6749 section 4.1.2 (clients ignore what they do not know), RFC 9207
 */
const Returned = z.preprocess((sent) => {
  if (typeof sent !== "object" || sent === null) return sent;
  return Object.fromEntries(Object.entries(sent).filter(([name]) => Object.hasOwn(Answer.shape, name)));
}, Answer);

const flowOver = (name: string) => ({ name, value: "", maxAgeSeconds: 0, sameSite: "Lax" }) as const;
const sessionOver = { name: sessionCookieName, value: "", maxAgeSeconds: 0 } as const;

/** Signing in, who is signed in, and signing out, for apps that run in browsers and hold no token. */
export function mountBrowserSessions(api: Api, options: BrowserSessionRoutesOptions): void {
  const { party, origin, app, returnTo, secret, now } = options;
  const [home] = returnTo;
  const own = new URL(origin).origin;
  const isSameOrigin = new URL(app).origin === own;
  const back: RedirectAllowlist = isSameOrigin
    ? returnTo
    : [
        {
          reason: "a path of the app that people may come back to",
          allows: (url) => url.origin === new URL(app).origin && isReturnPath(returnTo, url.pathname),
        },
      ];
  const landing = html({ style, navigatesTo: back });
  const atIssuer: RedirectAllowlist = [
    "/oauth/authorize",
    { reason: "the issuer people sign in at", allows: party.isAuthorization },
  ];
  const toIssuer = redirect(atIssuer);
  const onToIssuer = html({ style, navigatesTo: atIssuer });
  const beforeSignIn = publicAccess("who signs in has no session yet");

  const { issuerCookie } = options;
  const SignInCookies = z.strictObject({
    ...FlowCookies.shape,
    ...(issuerCookie === undefined ? {} : { [issuerCookie.name]: z.string().max(200).optional() }),
  });

  api.route(
    {
      path: `GET ${browserSessionPaths.signIn}`,
      access: beforeSignIn,
      input: { query: Target, cookies: SignInCookies },
      output: { 200: landing, 303: toIssuer, 400: landing },
    },
    async ({ query, cookies, caller, request }) => {
      const target = query.returnTo ?? home;
      if (!isReturnPath(returnTo, target)) return refused("returnTo is not on the list", request);
      if (!isMeant(request)) {
        const held = issuerCookie === undefined ? undefined : cookies[issuerCookie.name];
        const whose = held === undefined ? undefined : await issuerCookie?.whose(held);
        // Whoever is asked for a password is asked enough.
        if (issuerCookie === undefined || whose !== undefined) return answer(askPage(target, whose), { status: 200 });
      }
      const begun = await begin(target, cookies, caller);
      return "code" in begun ? begun : answer(begun.address, { status: 303, cookies: [begun.cookie] });
    },
  );

  api.route(
    {
      path: `POST ${browserSessionPaths.signIn}`,
      access: beforeSignIn,
      input: { body: form(Target), cookies: SignInCookies },
      output: { 200: onToIssuer, 400: landing },
      limit: { rate: "60/min", by: "address" },
    },
    async ({ body, cookies, caller, request }) => {
      const target = body.returnTo ?? home;
      if (!isReturnPath(returnTo, target)) return refused("returnTo is not on the list", request);
      const begun = await begin(target, cookies, caller);
      if ("code" in begun) return begun;
      // No redirect: the page lets its form lead nowhere but here.
      return answer(onward("Signing in", begun.address), { status: 200, cookies: [begun.cookie] });
    },
  );

  api.route(
    {
      path: `GET ${browserSessionPaths.callback}`,
      access: beforeSignIn,
      input: {
        query: Returned,
        cookies: FlowCookies,
        headers: z.strictObject({ "user-agent": z.string().max(1000).optional() }),
      },
      output: { 200: landing, 400: landing },
      startsSession: { begunBy: flowCookies.names.map((name) => `cookies.${name}` as const) },
    },
    async ({ query, cookies, headers, caller, request }) => {
      const flows = openFlows(cookies, secret, now());
      // Somebody else's sign-in, sent here as a link, must not become this browser's. RFC 9700 section 4.7
      if (flows.size === 0) return refused("this browser began no sign-in", request);
      const returned = new URLSearchParams();
      for (const [name, value] of Object.entries(query)) if (value !== undefined) returned.set(name, value);
      // Nor may it end one that was begun here: those stay.
      const [place, flow] = [...flows].find(([, { state }]) => state === query.state) ?? [];
      if (place === undefined || flow === undefined) {
        return refused("another sign-in came back than was begun here", request);
      }
      if (!(await options.takeSignIn(hashOf(flow.state), flow.expiresAt)))
        return refused("it came back before", request, place);
      try {
        const given = await party.finish(returned, flow).catch((error: unknown) => {
          if (error instanceof SignInRefused) throw error;
          return options.unreachable(error);
        });
        if (given === undefined) return refuse("verifier-unavailable", "the issuer cannot be asked");
        const started = await options.start(given, {
          instead: options.nameOf(caller) ?? flow.instead,
          userAgent: headers["user-agent"],
          request,
        });
        // No redirect: at its end the browser would still be coming from the issuer's site, and SameSite=Strict keeps the
        // cookie away. A page of ours that goes on by itself comes from here.
        const target = isSameOrigin ? flow.returnTo : `${app}${flow.returnTo}`;
        return answer(onward("Signed in", target), {
          status: 200,
          cookies: [
            { name: sessionCookieName, value: started.cookie },
            flowOver(place),
            ...[...flows].filter(([name]) => name !== place).map(([name, one]) => inPlaceOf(started.name, name, one)),
          ],
        });
      } catch (error) {
        if (error instanceof SignInRefused) return refused(error.message, request, place);
        throw error;
      }
    },
  );

  api.route(
    {
      path: `GET ${browserSessionPaths.session}`,
      access: publicAccess("the app asks whether anybody is signed in"),
      output: SessionView,
      limit: "120/min",
    },
    ({ caller }) => shown(options.of(caller)),
  );

  api.route(
    {
      path: `POST ${browserSessionPaths.refresh}`,
      access: anyCaller,
      output: SessionView,
    },
    async ({ caller, request }) => {
      const renewed = await options.renew(caller, request);
      return renewed === undefined ? refuse("bad-credential", "no session of a browser") : shown(renewed);
    },
  );

  api.route(
    {
      path: `POST ${browserSessionPaths.signOut}`,
      access: publicAccess("signing out twice is no mistake"),
      input: {
        query: z.strictObject({ everywhere: z.boolean().optional() }),
        cookies: SignInCookies,
      },
      output: nothing,
    },
    async ({ query, cookies, caller, request }) => {
      await options.end(caller, query.everywhere === true, request);
      const held = issuerCookie === undefined ? undefined : cookies[issuerCookie.name];
      if (held !== undefined && held !== "") await issuerCookie?.end(held);
      return answer(undefined, {
        cookies: [
          sessionOver,
          ...(issuerCookie === undefined
            ? []
            : [{ name: issuerCookie.name, value: "", maxAgeSeconds: 0, sameSite: "Lax" as const }]),
        ],
      });
    },
  );

  /** State, nonce and verifier into a cookie of their own, and the address where the issuer asks. */
  async function begin(target: string, cookies: z.output<typeof FlowCookies>, caller: Caller | undefined) {
    const begun = { state: newSecret(), nonce: newSecret(), verifier: newSecret() };
    const address = await party.begin(begun).catch(options.unreachable);
    if (address === undefined) return refuse("verifier-unavailable", "the issuer cannot be asked");
    const instead = options.nameOf(caller);
    const ages = [...openFlows(cookies, secret, now())].map(([name, one]) => [name, one.expiresAt] as const);
    const flow = sealFlow(
      { ...begun, returnTo: target, expiresAt: now() + flowForMs, ...(instead === undefined ? {} : { instead }) },
      secret,
    );
    return {
      address: address.origin === own ? `${address.pathname}${address.search}` : address.href,
      cookie: {
        name: flowCookies.next(new Map(ages)),
        value: flow,
        maxAgeSeconds: flowForMs / 1000,
        sameSite: "Lax",
      } as const,
    };
  }

  /** Other sign-ins of the same browser end this session when they come back, or it would live on with nobody's cookie. */
  function inPlaceOf(instead: string, name: string, flow: Flow) {
    const maxAgeSeconds = Math.ceil((flow.expiresAt - now()) / 1000);
    return { name, value: sealFlow({ ...flow, instead }, secret), maxAgeSeconds, sameSite: "Lax" } as const;
  }

  /**
   * A page of ours, or of the app beside us; nobody's link. Nor an address that was typed in or came by mail: browsers say
   * the same of it where another site, which that was the address of, redirected here.
   *
   * @see OWASP ASVS 5.0 7.6.2
   */
  function isMeant({ sentFrom }: RequestFacts): boolean {
    return sentFrom === "own-page" || (sentFrom === "same-site" && !isSameOrigin);
  }

  function askPage(target: string, whose: string | undefined) {
    return page(
      `Sign in to ${options.serviceName}?`,
      markup`<p>No page of ${options.serviceName} brought you here. Continue if you meant to sign in; else close this page.</p>
<form method="post" action="${browserSessionPaths.signIn}">
<button name="returnTo" value="${target}">${whose === undefined ? "Continue" : `Continue as ${whose}`}</button></form>
${whose === undefined ? undefined : ownFooter()}`,
    );
  }

  /** @param place  of the sign-in that ends with it */
  function refused(why: string, request: Asker, place?: string) {
    options.refused(why, request);
    return answer(
      page(
        "You are not signed in",
        markup`<p>This sign-in was not completed, was begun in another browser, or took too long.</p>
<a class="button" href="${browserSessionPaths.signIn}">Sign in to ${options.serviceName}</a>`,
      ),
      { status: 400, cookies: place === undefined ? [] : [flowOver(place)] },
    );
  }
}

function shown(found: SignedIn | undefined): z.input<typeof SessionView> {
  if (found === undefined) return { session: null };
  const { session, claims } = found;
  const iso = (at: number) => new Date(at).toISOString();
  return {
    session: {
      subject: session.subject,
      email: claims.email ?? null,
      emailVerified: claims.email_verified === true,
      startedAt: iso(session.startedAt),
      idleExpiresAt: iso(session.idleExpiresAt),
      expiresAt: iso(session.expiresAt),
    },
  };
}
