import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { credentialIn, namesCredential } from "../../src/lib/query-credential.ts";

describe("exposure: credentials in a query", () => {
  it.each([
    "access_token",
    "accessToken",
    "ACCESS-TOKEN",
    "token",
    "Token",
    "api_key",
    "api-key",
    "apikey",
    "apiKey",
    "X-API-Key",
    "jwt",
    "id_token",
    "refresh_token",
    "password",
    "PassWord",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "Authorization",
    "bearer",
    "session_id",
    "PHPSESSID",
    "JSESSIONID",
    "_t_o_k_e_n_",
  ])("finds %s", (name) => {
    expect(credentialIn({ page: "2", [name]: "x" })).toBe(name);
  });

  it.each([
    "key",
    "id",
    "code",
    "state",
    "sig",
    "signature",
    "page_token",
    "nextToken",
    "tokens",
    "q",
    "author",
    "secretary",
    "pass",
    "session",
    "",
    "-",
    "cursor",
  ])("leaves %j alone", (name) => {
    expect(credentialIn({ [name]: "x" })).toBeUndefined();
  });

  it("names no credential where there is no query", () => {
    expect(credentialIn({})).toBeUndefined();
  });

  it("is not misled by letter case, hyphens or underscores anywhere in the name", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("accesstoken", "apikey", "password", "jwt"),
        fc.array(fc.tuple(fc.constantFrom("", "-", "_", "__", "-_"), fc.boolean()), { minLength: 12, maxLength: 12 }),
        (word, disguise) => {
          const name = [...word]
            .map((letter, index) => {
              const [mark, upper] = disguise[index] ?? ["", false];
              return mark + (upper ? letter.toUpperCase() : letter);
            })
            .join("");
          expect(namesCredential(name)).toBe(true);
        },
      ),
      { seed: 20260103 },
    );
  });
});
