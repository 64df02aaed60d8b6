import {
  answer,
  anyCaller,
  type Api,
  by,
  cursorPages,
  everyOwner,
  issueApiKey,
  list,
  nothing,
  publicAccess,
  refuse,
  shared,
  view,
} from "portcullis";
import { z } from "zod";
import { isPassword, type User } from "../product/data.ts";
import { keyPrefix, tokenSeconds } from "../product/people.ts";
import * as schema from "../product/schemas.ts";
import type { Parts } from "./portcullis-api.ts";
import type { Resources } from "./portcullis-resources.ts";

/** Signing in and out, one's own account and keys, and what administrators do. */
export function accountRoutes(api: Api, { account, colleague, key }: Resources, parts: Parts) {
  const { world, store, reading, writing, signingIn } = parts;
  const { data, sessions, tokens, mutant } = world;

  function signIn({
    email,
    password,
  }: {
    readonly email: string;
    readonly password: string;
  }): User | "unknown" | "wrong" {
    const user = data.userByEmail(email);
    if (user === undefined && (mutant("sign-in-status") || mutant("sign-in-timing"))) return "unknown";
    return isPassword(password, user?.passwordHash) && user?.disabled === false ? user : "wrong";
  }
  const refused = (why: "unknown" | "wrong") =>
    why === "unknown" && mutant("sign-in-status")
      ? refuse("not-found", "no such account")
      : refuse("sign-in-failed", "unknown, wrong or disabled");

  api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("who signs in has no credential yet"),
      input: { body: schema.Credentials },
      output: schema.TokenView,
      startsSession: { account: "body.email" },
      limit: signingIn,
    },
    ({ body }) => {
      const user = signIn(body);
      return typeof user === "string"
        ? refused(user)
        : { token: tokens.sign(user.id, user.tenantId), expiresIn: tokenSeconds };
    },
  );

  api.route(
    {
      path: "POST /v1/session",
      access: publicAccess("who signs in has no credential yet"),
      input: { body: schema.Credentials },
      output: {
        201: view(z.object({ user: MeRow }), account, {
          at: (answer: { readonly user: Me }) => answer.user,
          owners: shared("it is the account that has just signed in"),
        }),
      },
      startsSession: { account: "body.email" },
      limit: signingIn,
    },
    ({ body }) => {
      const user = signIn(body);
      if (typeof user === "string") return refused(user);
      const value = sessions.start(user.id, undefined);
      return answer({ user: meOf(user) }, { cookies: [{ name: sessions.name, value }] });
    },
  );

  api.route(
    { path: "GET /v1/session", access: anyCaller, output: view(MeRow, account), limit: reading },
    ({ caller }) => found(data.users.get(caller.subject)),
  );

  api.route({ path: "DELETE /v1/session", access: anyCaller, output: nothing, limit: writing }, ({ caller }) => {
    const { sessionId } = caller.proof.claims;
    if (typeof sessionId === "string") sessions.end(sessionId);
    return answer(undefined, { cookies: [{ name: sessions.name, value: "", maxAgeSeconds: 0 }] });
  });

  api.route(
    {
      path: "PATCH /v1/me",
      access: { scopes: ["account:write"] },
      input: { body: schema.Rename },
      output: view(MeRow, account),
      limit: writing,
    },
    ({ caller, body }) => {
      const user = data.users.get(caller.subject);
      return found(user === undefined ? undefined : Object.assign(user, body));
    },
  );

  api.route(
    {
      path: "GET /v1/keys",
      access: { scopes: ["keys:read"] },
      page: cursorPages({ size: 100, max: 100 }),
      output: list(schema.KeyView.omit({ createdAt: true }), key),
      limit: reading,
    },
    async ({ caller, page }) => {
      const records = await store.listBySubject(caller.subject, 1000);
      const living = records.filter(({ revokedAt }) => revokedAt === undefined);
      return { items: living.slice(0, page.limit), next: undefined };
    },
  );

  api.route(
    {
      path: "POST /v1/keys",
      access: { scopes: ["keys:write"] },
      input: { body: schema.NewKey },
      output: { 201: view(schema.IssuedKey.omit({ createdAt: true }), key) },
      limit: writing,
    },
    async ({ caller, body, request }) => {
      if (!body.scopes.every((scope) => caller.scopes.includes(scope))) {
        return refuse("forbidden", "a key may do no more than the caller who creates it");
      }
      const issued = await issueApiKey({
        store,
        prefix: keyPrefix,
        subject: caller.subject,
        tenant: caller.tenant,
        name: body.name,
        scopes: body.scopes,
        expiresAt: request.timeMs + 86_400_000,
      });
      return { ...issued.record, key: issued.key };
    },
  );

  api.route(
    {
      path: "DELETE /v1/keys/:keyId",
      access: { scopes: ["keys:write"] },
      input: { params: schema.KeyPath },
      objects: { key: by("keyId", key) },
      output: nothing,
      limit: writing,
    },
    async ({ key, request }) => {
      await store.revoke(key.id, request.timeMs);
    },
  );

  const isForAll = mutant("admin-read");
  const reason = "administrators look after every account of their tenant";
  api.route(
    {
      path: "GET /v1/admin/users",
      access: isForAll ? anyCaller : { roles: ["admin"] },
      page: cursorPages(),
      output: list(MeRow, account, { owners: isForAll ? shared(reason) : everyOwner({ roles: ["admin"], reason }) }),
      limit: reading,
    },
    ({ caller, page }) => {
      const all = [...data.users.values()].filter(({ tenantId }) => tenantId === caller.tenant).map(meOf);
      return { items: all.slice(0, page.limit), next: undefined };
    },
  );

  api.route(
    {
      path: "POST /v1/admin/users/:userId/disable",
      access: mutant("admin-write") ? anyCaller : { roles: ["admin"] },
      input: { params: schema.UserPath },
      objects: { colleague: by("userId", colleague) },
      output: nothing,
      limit: writing,
    },
    ({ caller, colleague }) => {
      if (colleague.id === caller.subject) return refuse("conflict", "nobody locks themselves out");
      colleague.disabled = true;
      return undefined;
    },
  );
}

const MeRow = schema.MeView;

interface Me extends Omit<User, "role"> {
  readonly role: "member" | "admin";
}

function meOf(user: User): Me {
  return { ...user, role: user.role === "admin" ? "admin" : "member" };
}

function found(user: User | undefined) {
  return user === undefined ? refuse("not-found", "the account is gone") : meOf(user);
}
