import type { CallExpression } from "../ast.ts";
import { readFrom } from "../origin.ts";
import { defineRule } from "../rule.ts";

const jsonwebtoken = new Set(["jsonwebtoken"]);

/** Tokens that are read and not verified, or verified by whatever algorithm they name. */
export const jwt = defineRule(
  "jwt",
  {
    decoded: {
      problem: "This token is read, not verified: anybody can write one.",
      fix: "Verify it: jwt.verify(token, key, { algorithms, issuer, audience }).",
    },
    algorithms: {
      problem: "No algorithms are named, so the token has a say in how it is checked.",
      fix: 'Name them, with issuer and audience: { algorithms: ["RS256"], issuer, audience }.',
    },
  },
  (file, report) => ({
    CallExpression(call: CallExpression) {
      if (readFrom(file, call.callee, jsonwebtoken)?.[0] === "decode") report(call, "decoded");
    },
  }),
);
