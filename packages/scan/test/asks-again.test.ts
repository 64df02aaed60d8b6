import { describe, expect, it } from "vitest";
import { targetOf } from "../src/manifest.ts";
import { isSignIn } from "../src/sign-in.ts";

const properties = { email: { type: "string", format: "email" }, password: { type: "string" } };
const body = { type: "object", required: ["email", "password"], properties };

function isTakenToSignIn(path: string): boolean {
  const post = { requestBody: { content: { "application/json": { schema: body } } }, responses: {} };
  const document = { openapi: "3.1.0", info: { title: "t", version: "1" }, paths: { [path]: { post } } };
  return targetOf(document, "openapi").operations.some((operation) => isSignIn(operation));
}

describe("an operation that takes a name and a password", () => {
  it.each(["/login", "/session", "/auth/sessions", "/users/sign_in", "/oauth/interaction/sign-in", "/endpoint/login"])(
    "is tried as a sign-in: %s",
    (path) => {
      expect(isTakenToSignIn(path)).toBe(true);
    },
  );

  it.each([
    "/account/end-session/confirmed",
    "/account/withdraw/confirmed",
    "/tokens/revoke",
    "/account/delete",
    "/account/password",
    "/account/sign-out-everywhere",
    "/signUp",
  ])("asks for the password for another reason: %s", (path) => {
    expect(isTakenToSignIn(path)).toBe(false);
  });
});
