import type { callerMutants } from "../mutants-callers.ts";
import { accountOf, type Person } from "../product/people.ts";
import { aliceId, bobId, type Client, cookieOf, type Got, itemsOf, missingId, textAt } from "./client.ts";
import { confused, type Forged, forge, ownKey } from "./forge.ts";

/** Tries the attack once; true where it works. */
export type Proof = (client: Client) => Promise<boolean>;

const summary = "/v1/reports/summary";
const unsigned = { signature: () => "" };

/** One attack for each mistake about callers. */
export const callerProofs: Readonly<Record<keyof typeof callerMutants, Proof>> = {
  "route-without-auth": async ({ call }) => (await call("GET", summary)).status === 200,
  "write-without-auth": async ({ call }) =>
    (await call("POST", "/v1/previews", { json: { url: "https://www.projects.example/" } })).status === 200,
  "any-scheme": ({ api, call }) =>
    isLetIn(call("GET", summary, { as: { authorization: `Basic ${api.tokens.alice}` } })),
  "bare-token": ({ api, call }) => isLetIn(call("GET", summary, { as: { authorization: api.tokens.alice } })),
  "user-id-header": ({ call }) => isLetIn(call("GET", "/v1/session", { headers: { "x-user-id": aliceId } })),
  "auth-by-path-prefix": ({ call }) => isLetIn(call("GET", "/V1/Reports/Summary")),
  "token-in-query": ({ api, call }) => isLetIn(call("GET", `${summary}?access_token=${api.tokens.alice}`)),

  "jwt-not-verified": token({ signature: () => "AAAA" }),
  "jwt-none": token({ header: { alg: "none" }, ...unsigned }),
  "jwt-none-spelt": token({ header: { alg: "nOnE" }, ...unsigned }),
  "jwt-key-confusion": (client) => token({ header: { alg: "HS256" }, signature: confused(client.api) })(client),
  "jwt-embedded-key": (client) => {
    const { jwk, signature } = ownKey();
    return token({ header: { jwk }, signature })(client);
  },
  "jwt-empty-signature": token(unsigned),
  "jwt-exp": token({ claims: { exp: seconds(-600), iat: seconds(-900) } }),
  "jwt-no-exp": token({ claims: { exp: undefined } }),
  "jwt-nbf": token({ claims: { nbf: seconds(600) } }),
  "jwt-audience": token({ claims: { aud: "https://other.example" } }),
  "jwt-issuer": token({ claims: { iss: "https://other.example" } }),
  "jwt-type": token({ header: { typ: "JWT" } }),
  "jwt-old": token({ claims: { iat: seconds(-7200), exp: seconds(7200) } }),
  "jwt-weak-secret": async ({ api }) => api.jwtKey === "secret",

  "key-in-query": ({ api, call }) => isLetIn(call("GET", `${summary}?api_key=${api.key}`)),
  "key-scope": async ({ api, call }) =>
    (await call("GET", "/v1/keys", { headers: { "x-api-key": api.key } })).status === 200,
  "key-revoked": async ({ call }) => {
    const made = await newKey(call);
    await call("DELETE", `/v1/keys/${textAt(made.json, "id")}`, { as: "alice" });
    return await isLetIn(call("GET", summary, { headers: { "x-api-key": textAt(made.json, "key") } }));
  },
  "key-prefix-only": ({ api, call }) =>
    isLetIn(call("GET", summary, { headers: { "x-api-key": `${api.key.slice(0, -64)}${"0".repeat(64)}` } })),
  "key-shown-again": async ({ call }) => {
    await newKey(call);
    return (await call("GET", "/v1/keys", { as: "alice" })).text.includes("prj_live_");
  },

  "cookie-script": async (client) => !/HttpOnly/i.test(await setCookie(client)),
  "cookie-insecure": async (client) => !/Secure/i.test(await setCookie(client)),
  "cookie-samesite": async (client) => !/SameSite=Strict/i.test(await setCookie(client)),
  "session-fixation": async (client) => {
    const cookie = "__Host-session=planted-by-an-attacker";
    await signIn(client, { cookie });
    return await isLetIn(client.call("GET", "/v1/session", { headers: { cookie } }));
  },
  "session-after-logout": async (client) => {
    const cookie = cookieOf(await signIn(client));
    await client.call("DELETE", "/v1/session", { headers: { cookie, "sec-fetch-site": "same-origin" } });
    return await isLetIn(client.call("GET", "/v1/session", { headers: { cookie } }));
  },
  "session-guessable": async (client) => /=\d{1,6}$/.test(cookieOf(await signIn(client))),
  "sign-in-tells-user": async (client) =>
    differs(await guesses(client), ({ text }) => text.replace(/"(?:requestId|id|instance)":"[^"]*"/, "")),
  "sign-in-status": async (client) => differs(await guesses(client), ({ status }) => String(status)),
  // The least of several, taken in turns, so that somebody else's work on the machine hits both alike.
  "sign-in-timing": async ({ call }) => {
    const emails = [accountOf("alice").user, "nobody@projects.example"];
    const least = emails.map(() => Number.POSITIVE_INFINITY);
    for (let turn = 0; turn < 5; turn++) {
      for (const [place, email] of emails.entries()) {
        const start = performance.now();
        await call("POST", "/v1/sign-in", { json: { email, password: "not the password" } });
        least[place] = Math.min(least[place] ?? 0, performance.now() - start);
      }
    }
    const [known = 0, unknown = 0] = least;
    // A hash takes many times as long as everything else; on a busy machine a few milliseconds say nothing.
    return unknown < known / 2;
  },

  "admin-read": async ({ call }) => (await call("GET", "/v1/admin/users", { as: "bob" })).status === 200,
  "admin-write": async ({ call }) =>
    (await call("POST", `/v1/admin/users/${missingId}/disable`, { as: "bob" })).status !== 403,
  "admin-by-header": async ({ call }) =>
    (await call("GET", "/v1/admin/users", { as: "bob", headers: { "x-role": "admin" } })).status === 200,
  "admin-by-query": async ({ call }) => (await call("GET", "/v1/admin/users?admin=true", { as: "bob" })).status === 200,
  "scope-forgotten": async ({ api, call, project }) => {
    const path = await project("carol");
    return (await call("PATCH", path, { headers: { "x-api-key": api.key }, json: { name: "changed" } })).status === 200;
  },

  "project-read": foreign((path, { call }) => call("GET", path, { as: "bob" })),
  "project-write": foreign((path, { call }) => call("PATCH", path, { as: "bob", json: { name: "bob's" } })),
  "project-delete": foreign((path, { call }) => call("DELETE", path, { as: "bob" })),
  "project-list": shows("/v1/projects?limit=100"),
  "page-list": shows("/v1/project-pages?limit=100"),
  "comment-nested": async ({ call, project }) => {
    const made = await call("POST", `${await project("alice")}/comments`, { as: "alice", json: { body: "hers" } });
    const path = `${await project("bob")}/comments/${textAt(made.json, "id")}`;
    return (await call("GET", path, { as: "bob" })).text.includes("hers");
  },
  "comment-create": foreign((path, { call }) =>
    call("POST", `${path}/comments`, { as: "bob", json: { body: "bob was here" } }),
  ),
  "comments-by-query": foreign(async (path, { call }) => {
    await call("POST", `${path}/comments`, { as: "alice", json: { body: "hers" } });
    return await call("GET", `/v1/comments?projectId=${idIn(path)}`, { as: "bob" });
  }),
  "export-by-body": foreign((path, { call }) =>
    call("POST", "/v1/exports", { as: "bob", json: { projectId: idIn(path) } }),
  ),
  "foreign-is-403": async ({ call, project }) => {
    const foreignOne = await call("GET", await project("alice"), { as: "bob" });
    return foreignOne.status !== (await call("GET", `/v1/projects/${missingId}`, { as: "bob" })).status;
  },
  "viewer-deletes": async ({ call, project }) => {
    const path = await project("alice");
    await call("PUT", `${path}/members/${bobId}`, { as: "alice", json: { role: "viewer" } });
    return (await call("DELETE", path, { as: "bob" })).status === 204;
  },
  "search-all": async (client) => {
    await client.project("bob");
    return (await client.call("GET", "/v1/search?q=of%20bob", { as: "alice" })).text.includes(bobId);
  },
  "cursor-forged": async ({ call }) => {
    const cursor = Buffer.from(JSON.stringify({ owner: bobId, offset: 0 })).toString("base64url");
    return (await call("GET", `/v1/projects?cursor=${cursor}`, { as: "alice" })).text.includes(bobId);
  },
  "key-of-others": async ({ call }) => {
    const made = await newKey(call);
    return (await call("DELETE", `/v1/keys/${textAt(made.json, "id")}`, { as: "bob" })).status === 204;
  },

  "owner-from-body": async ({ call }) => {
    const json = { name: "gift", url: "https://g.example/", ownerId: bobId };
    return textAt((await call("POST", "/v1/projects", { as: "alice", json })).json, "ownerId") === bobId;
  },
  "role-from-body": async ({ call }) =>
    textAt((await call("PATCH", "/v1/me", { as: "bob", json: { name: "bob", role: "admin" } })).json, "role") ===
    "admin",
  "owner-by-patch": async ({ call, project }) => {
    const path = await project("alice");
    return (
      textAt((await call("PATCH", path, { as: "alice", json: { name: "x", ownerId: bobId } })).json, "ownerId") ===
      bobId
    );
  },

  "raw-row": async ({ call, project }) =>
    (await call("GET", await project("alice"), { as: "alice" })).text.includes("internalNotes"),
  "raw-rows": async ({ call }) => (await call("GET", "/v1/projects", { as: "alice" })).text.includes("internalNotes"),
  "hash-in-answer": async ({ call }) =>
    (await call("GET", "/v1/session", { as: "alice" })).text.includes("passwordHash"),
};

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow;
}

async function isLetIn(got: Promise<Got>): Promise<boolean> {
  return (await got).status === 200;
}

function token(forged: Forged): Proof {
  return (client) =>
    isLetIn(client.call("GET", summary, { as: { authorization: `Bearer ${forge(client.api, forged)}` } }));
}

function newKey(call: Client["call"]): Promise<Got> {
  return call("POST", "/v1/keys", { as: "alice", json: { name: "ci", scopes: ["projects:read"] } });
}

/** Signs alice in by cookie. */
export function signIn(
  { call }: Client,
  headers: Readonly<Record<string, string>> = {},
  name: Person = "alice",
): Promise<Got> {
  const { user: email, password } = accountOf(name);
  return call("POST", "/v1/session", {
    headers: { "sec-fetch-site": "same-origin", ...headers },
    json: { email, password },
  });
}

async function setCookie(client: Client): Promise<string> {
  return (await signIn(client)).headers["set-cookie"]?.[0] ?? "";
}

async function guesses({ call }: Client): Promise<readonly [Got, Got]> {
  const guess = (email: string) => call("POST", "/v1/sign-in", { json: { email, password: "not the password" } });
  return [await guess(accountOf("alice").user), await guess("nobody@projects.example")];
}

function differs([left, right]: readonly [Got, Got], by: (got: Got) => string): boolean {
  return by(left) !== by(right);
}

/** Something done to a project of alice's that succeeds. */
function foreign(attack: (path: string, client: Client) => Promise<Got>): Proof {
  return async (client) => (await attack(await client.project("alice"), client)).status < 300;
}

function shows(path: string): Proof {
  return async (client) => {
    await client.project("alice");
    const got = await client.call("GET", path, { as: "bob" });
    return itemsOf(got).some((item) => textAt(item, "ownerId") === aliceId);
  };
}

function idIn(path: string): string {
  return path.split("/")[3] ?? "";
}
