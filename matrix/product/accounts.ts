import { problem, type Reply } from "../parts/exchange.ts";
import { rates } from "../parts/limiter.ts";
import { cursorList } from "../parts/pages.ts";
import type { World } from "../parts/world.ts";
import { isPassword, type User } from "./data.ts";
import { type Call, type Operation, textOf } from "./operation.ts";
import { tokenSeconds } from "./people.ts";
import * as schema from "./schemas.ts";

/** Signing in and out, one's own account and keys, and what administrators do. */
export const accountOperations: readonly Operation[] = [
  {
    method: "POST",
    path: "/v1/sign-in",
    access: "public",
    body: schema.Credentials,
    status: 200,
    output: schema.TokenView,
    rate: "signIn",
    run: (call, world) =>
      signedIn(call, world, (user) => ({
        status: 200,
        body: { token: world.tokens.sign(user.id, user.tenantId), expiresIn: tokenSeconds },
      })),
  },
  {
    method: "POST",
    path: "/v1/session",
    access: "public",
    body: schema.Credentials,
    status: 201,
    output: schema.MeView,
    rate: "signIn",
    startsSession: true,
    run: (call, world) =>
      signedIn(call, world, (user) => {
        const id = world.sessions.start(user.id, world.cookieOf(call.incoming));
        return { status: 201, headers: { "set-cookie": world.sessions.cookie(id) }, body: user };
      }),
  },
  {
    method: "GET",
    path: "/v1/session",
    access: "caller",
    status: 200,
    output: schema.MeView,
    rate: "read",
    run: ({ caller }, { data }) => ({ status: 200, body: data.users.get(caller.subject) }),
  },
  {
    method: "DELETE",
    path: "/v1/session",
    access: "caller",
    status: 204,
    rate: "write",
    run: ({ caller }, { sessions }) => {
      if (caller.sessionId !== undefined) sessions.end(caller.sessionId);
      return { status: 204, headers: { "set-cookie": sessions.cookie("") } };
    },
  },
  {
    method: "PATCH",
    path: "/v1/me",
    access: "caller",
    scope: "account:write",
    body: schema.Rename,
    status: 200,
    output: schema.MeView,
    rate: "write",
    run: ({ caller, body, sent }, { data, mutant }) => {
      const user = data.users.get(caller.subject);
      return user === undefined
        ? problem(404)
        : { status: 200, body: Object.assign(user, mutant("role-from-body") ? sent : body) };
    },
  },
  {
    method: "GET",
    path: "/v1/keys",
    access: "caller",
    scope: "keys:read",
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.KeyView),
    rate: "read",
    run: (call, world) => cursorList(call, world, (owner) => world.keys.of(owner)),
  },
  {
    method: "POST",
    path: "/v1/keys",
    access: "caller",
    scope: "keys:write",
    body: schema.NewKey,
    status: 201,
    output: schema.IssuedKey,
    rate: "write",
    run: ({ caller, body }, { keys }) => {
      const wanted = schema.NewKey.shape.scopes.parse(body["scopes"]);
      if (!wanted.every((scope) => caller.scopes.includes(scope))) return problem(403);
      if (keys.of(caller.subject).length >= 100) return problem(409);
      const { row, key } = keys.issue(caller.subject, textOf(body, "name"), wanted);
      return { status: 201, body: { ...row, key } };
    },
  },
  {
    method: "DELETE",
    path: "/v1/keys/:keyId",
    access: "caller",
    scope: "keys:write",
    params: schema.KeyPath,
    status: 204,
    rate: "write",
    run: ({ caller, params }, { keys, mutant }) => {
      const row = keys.find(textOf(params, "keyId"));
      if (row === undefined || (row.userId !== caller.subject && !mutant("key-of-others"))) return problem(404);
      keys.revoke(row.id);
      return { status: 204 };
    },
  },
  {
    method: "GET",
    path: "/v1/admin/users",
    access: "caller",
    role: "admin",
    page: "cursor",
    status: 200,
    output: schema.cursorPage(schema.MeView),
    rate: "read",
    run: (call, world) =>
      cursorList(call, world, () =>
        [...world.data.users.values()].filter(({ tenantId }) => tenantId === call.caller.tenant),
      ),
  },
  {
    method: "POST",
    path: "/v1/admin/users/:userId/disable",
    access: "caller",
    role: "admin",
    params: schema.UserPath,
    status: 204,
    rate: "write",
    run: ({ caller, params }, { data }) => {
      const user = data.users.get(textOf(params, "userId"));
      if (user === undefined || user.tenantId !== caller.tenant) return problem(404);
      if (user.id === caller.subject) return problem(409);
      user.disabled = true;
      return { status: 204 };
    },
  },
];

/** One answer for unknown, wrong and disabled, after the same work. */
function signedIn(call: Call, world: World, answer: (user: User) => Reply): Reply {
  const { limiter, mutant } = world;
  if (mutant("sign-in-unlimited")) return checked(call, world, answer);
  // Wrong guesses are counted per account and machine, so that nobody locks somebody else out; right ones are free.
  const { headers, address } = call.incoming;
  const from = mutant("limit-by-forwarded-for") ? (headers["x-forwarded-for"] ?? address) : address;
  const key = `guesses ${textOf(call.body, "email").toLowerCase()} ${from}`;
  if (!limiter.fits(key, rates.guesses)) return problem(429, { "retry-after": "10" });
  const reply = checked(call, world, answer);
  if (reply.status >= 400) limiter.take(key, rates.guesses);
  return reply;
}

function checked({ body, sent }: Call, { data, mutant }: World, answer: (user: User) => Reply): Reply {
  const user = data.userByEmail(textOf(body, "email"));
  if (mutant("operator-password") && user !== undefined && matches(sent["password"])) return answer(user);
  if (user === undefined && mutant("sign-in-tells-user")) return problem(401, {}, "No such account");
  if (user === undefined && mutant("sign-in-status")) return problem(404);
  if (user === undefined && mutant("sign-in-timing")) return problem(401);
  const isRight = isPassword(textOf(body, "password"), user?.passwordHash);
  return isRight && user?.disabled === false ? answer(user) : problem(401);
}

/** How a document database reads a filter that was to be a text. */
function matches(filter: unknown): boolean {
  if (typeof filter !== "object" || filter === null) return false;
  return Object.entries(filter).some(
    ([operator, value]) =>
      (operator === "$ne" && value !== "right") || operator === "$gt" || (operator === "$regex" && value !== "^$"),
  );
}
