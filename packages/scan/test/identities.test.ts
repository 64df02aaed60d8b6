import { describe, expect, it } from "vitest";
import { identityOf, scopesOf } from "../src/identities.ts";

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

/** A token whose signature nobody looks at here. */
function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encoded({ alg: "HS256" })}.${encoded(claims)}.AAAA`;
}
