import { describe, expect, it } from "vitest";
import { canAct, identityOf, scopesOf, withBrowsers } from "../src/identities.ts";

describe("what a credential says of itself", () => {
  it.each([
    { scope: "notes:read notes:write" },
    { scp: ["notes:read", "notes:write"] },
    { scp: "notes:read notes:write" },
    { scopes: ["notes:read", "notes:write"] },
  ])("reads the scopes of a token with %j", (claims) => {
    expect(scopesOf(identityOf("alice", `Bearer ${tokenWith(claims)}`))).toEqual(["notes:read", "notes:write"]);
  });

  it("knows no scopes of a key, nor of a token that names none", () => {
    expect(scopesOf(identityOf("alice-key", "Bearer prj_live_0123456789abcdef_secret"))).toBeUndefined();
    expect(scopesOf(identityOf("alice", `Bearer ${tokenWith({ sub: "alice", scope: "" })}`))).toBeUndefined();
  });
});

describe("an identity with a cookie", () => {
  const cookies = ["alice", "bob"].map((name) => identityOf(name, `cookie:__Host-session=${name}`));
  const along = [["sec-fetch-site", "same-origin"]] as const;

  it("is a caller in a browser where cookies are all there is", () => {
    expect(withBrowsers(cookies, along).map((identity) => [identity.along, canAct(identity)])).toEqual([
      [along, true],
      [along, true],
    ]);
  });

  it("is left to the session probes beside other credentials", () => {
    const both = [...cookies, identityOf("carol", "Bearer token")];
    expect(withBrowsers(both, along).map(canAct)).toEqual([false, false, true]);
  });
});

/** A token whose signature nobody looks at here. */
function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encoded({ alg: "HS256" })}.${encoded(claims)}.AAAA`;
}
