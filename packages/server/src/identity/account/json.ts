import { type Api, publicAccess } from "portcullis";
import { z } from "zod";
import { mailLimits } from "./mail-limits.ts";
import { type AccountPagesOptions, accountPaths } from "./paths.ts";
import { signUpLimits } from "./sign-up.ts";

const access = publicAccess("who has no account or no password yet has no credential");
const limit = { rate: "5/min", by: "address" } as const;
const email = z.string().min(1).max(254);
const password = z.string().min(1).max(1024);
const token = z.string().regex(/^[\w-]{1,100}$/);

/** Null where it was done. What is said of an address is the same whether it has an account. */
const Outcome = z.strictObject({
  problem: z
    .enum([
      "too-short",
      "too-long",
      "breached",
      "is-address",
      "of-service",
      "no-address",
      "bad-token",
      "wrong-password",
    ])
    .nullable(),
});

/**
 * The same for pages of your own, in JSON, below `/account/json`. Links in mails lead to the pages all the same; whatever
 * needs somebody signed in is asked for there.
 */
export function mountAccountJson(api: Api, { accounts }: AccountPagesOptions): void {
  api.route(
    {
      path: `POST ${accountPaths.json}/sign-up`,
      access,
      input: { body: z.strictObject({ email, password }) },
      output: Outcome,
      limit: signUpLimits,
    },
    async ({ body, request }) => ({ problem: (await accounts.signUp(body.email, body.password, request)) ?? null }),
  );

  api.route(
    {
      path: `POST ${accountPaths.json}/verify`,
      access,
      input: { body: z.strictObject({ token, email, password }) },
      output: Outcome,
      // Not by failures: the status says none.
      limit: [limit, { rate: "5/h", by: "body.email", and: "address" }, { rate: "50/h", by: "body.email" }],
    },
    async ({ body, request }) => ({
      problem: (await accounts.verifyEmail(body.token, body.email, body.password, request)) ?? null,
    }),
  );

  api.route(
    {
      path: `POST ${accountPaths.json}/forgotten`,
      access,
      input: { body: z.strictObject({ email }) },
      output: Outcome,
      limit: [limit, ...mailLimits("body.email", "forgotten")],
    },
    async ({ body }) => {
      await accounts.requestReset(body.email);
      return { problem: null };
    },
  );

  api.route(
    {
      path: `POST ${accountPaths.json}/reset`,
      access,
      input: { body: z.strictObject({ token, password }) },
      output: Outcome,
      limit,
    },
    async ({ body, request }) => ({
      problem: (await accounts.resetPassword(body.token, body.password, request)) ?? null,
    }),
  );
}
