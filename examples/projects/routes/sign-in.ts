import { answer, anyCaller, type Api, nothing, publicAccess, refuse, shared, view } from "portcullis";
import { z } from "zod";
import type { Accounts } from "../accounts.ts";
import type { Data } from "../data/data.ts";
import type { User } from "../data/schema.ts";
import { reading, signingIn, writing } from "../limits.ts";
import type { Resources } from "../resources.ts";
import { sessionCookie, type Sessions } from "../sessions.ts";
import { tokenSeconds, type Tokens } from "../tokens.ts";
import { Me } from "./me.ts";

const Credentials = z.strictObject({
  email: z.email().max(254).toLowerCase(),
  password: z.string().min(1).max(128),
});

const Token = z.object({ token: z.string(), expiresIn: z.int() });

interface Parts {
  readonly data: Data;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
}

/** Signing in, for programs with a token and for browsers with a cookie, and out again. */
export function signInRoutes(api: Api, { account }: Resources, { data, accounts, sessions, tokens }: Parts) {
  api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("who signs in has no credential yet"),
      input: { body: Credentials },
      output: Token,
      startsSession: { account: "body.email" },
      limit: signingIn,
    },
    async ({ body }) => {
      const user = await accounts.signIn(body.email, body.password);
      if (user === undefined) return refuse("sign-in-failed", "unknown, wrong or disabled");
      return { token: await tokens.sign(user), expiresIn: tokenSeconds };
    },
  );

  api.route(
    {
      path: "POST /v1/session",
      access: publicAccess("who signs in has no credential yet"),
      input: { body: Credentials },
      output: {
        201: view(z.object({ user: Me }), account, {
          at: (answer: { readonly user: User }) => answer.user,
          owners: shared("it is the account that has just signed in"),
        }),
      },
      startsSession: { account: "body.email" },
      limit: signingIn,
    },
    async ({ body }) => {
      const user = await accounts.signIn(body.email, body.password);
      if (user === undefined) return refuse("sign-in-failed", "unknown, wrong or disabled");
      const id = await sessions.start(user.id);
      return answer({ user }, { cookies: [{ name: sessionCookie, value: id }] });
    },
  );

  api.route(
    { path: "GET /v1/session", access: anyCaller, output: view(Me, account), limit: reading },
    async ({ caller }) => (await data.users.byId(caller.subject)) ?? refuse("not-found", "the account is gone"),
  );

  api.route({ path: "DELETE /v1/session", access: anyCaller, output: nothing, limit: writing }, async ({ caller }) => {
    const { sessionHash } = caller.proof.claims;
    if (typeof sessionHash === "string") await sessions.end(sessionHash);
    return answer(undefined, { cookies: [{ name: sessionCookie, value: "", maxAgeSeconds: 0 }] });
  });
}
