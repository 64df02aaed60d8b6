import { type Case, finds, inExpress, leaves } from "../case.ts";

export const jwt: readonly Case[] = [
  finds(
    "decoded",
    "a token that a middleware decodes and never verifies",
    inExpress(`
      import jwt from "jsonwebtoken";
      app.use((req, res, next) => { req.user = jwt.decode(req.get("authorization").slice(7)); next(); });`),
  ),
  finds(
    "decoded",
    "the same with jose, in a route of Next.js",
    `import { decodeJwt } from "jose";
     export async function GET(request: Request) {
       const { sub } = decodeJwt(request.headers.get("authorization") ?? "");
       return Response.json({ sub });
     }`,
    "src/app/me/route.ts",
  ),
  finds(
    "decoded",
    "the same with jwt-decode, by require",
    `const express = require("express");
     const { jwtDecode } = require("jwt-decode");
     const router = express.Router();
     router.get("/me", function me(req, res) { res.json({ sub: jwtDecode(req.cookies.token).sub }); });`,
    "src/me.js",
  ),
  finds(
    "decoded",
    "the same with fast-jwt, whose decoder is made first",
    inExpress(`
      import { createDecoder } from "fast-jwt";
      const decode = createDecoder();
      app.get("/me", (req, res) => { res.json({ sub: decode(req.headers.token).sub }); });`),
  ),
  finds("algorithms", "a verification without options", 'import jwt from "jsonwebtoken";\njwt.verify(token, key);'),
  finds(
    "algorithms",
    "options that leave the algorithms out, by a name",
    'import { verify } from "jsonwebtoken";\nconst options = { issuer: "me" };\nverify(token, key, options);',
  ),
  finds(
    "algorithms",
    "a callback in the place of the options",
    'const jwt = require("jsonwebtoken");\njwt.verify(token, key, (error, payload) => done(error, payload));',
    "src/auth.js",
  ),
  finds(
    "none",
    "the algorithm none among others",
    'import jwt from "jsonwebtoken";\njwt.verify(token, key, { algorithms: ["HS256", "none"] });',
  ),
  finds(
    "claims",
    "jose without issuer and audience",
    'import { jwtVerify } from "jose";\nawait jwtVerify(token, key);',
  ),
  finds(
    "secret",
    "a key that stands in the source, by a name",
    'import jwt from "jsonwebtoken";\nconst SECRET = "hunter2";\njwt.sign({ sub }, SECRET);',
  ),
  finds(
    "scheme",
    "a token whose scheme is cut off and not demanded",
    inExpress('app.use((req, res, next) => { check(req.headers.authorization?.replace("Bearer ", "")); next(); });'),
  ),
  leaves(
    "a scheme that is demanded before it is cut off",
    inExpress(
      'app.use((req, res, next) => { const header = req.headers.authorization; if (!header?.startsWith("Bearer ")) return res.sendStatus(401); check(header.replace("Bearer ", "")); next(); });',
    ),
  ),
  leaves(
    "a header that is read before the verification",
    inExpress(`
      import jwt from "jsonwebtoken";
      app.use((req, res, next) => {
        const { header } = jwt.decode(req.cookies.token, { complete: true });
        req.user = jwt.verify(req.cookies.token, keys[header.kid], { algorithms: ["RS256"] });
        next();
      });`),
  ),
  leaves(
    "a token that a page in the browser reads to show a name",
    'import { jwtDecode } from "jwt-decode";\nexport const nameIn = (token: string) => jwtDecode(token).name;',
    "src/name.tsx",
  ),
  leaves(
    "a decode that is somebody else's",
    inExpress(`
      import base64 from "./base64.ts";
      const jwt = { decode: base64.decode, verify: base64.check };
      app.use((req, res, next) => { jwt.decode(req.cookies.token); jwt.verify(req.cookies.token, "x"); next(); });`),
  ),
  leaves(
    "a local function that shadows the import",
    'import { verify } from "jsonwebtoken";\nexport function run(verify: (a: string, b: string) => void) { verify("a", "b"); }',
  ),
  leaves(
    "algorithms that are named",
    'import jwt from "jsonwebtoken";\njwt.verify(t, key, { algorithms: ["RS256"] });',
  ),
  leaves(
    "options that come from elsewhere",
    'import jwt from "jsonwebtoken";\nimport { options } from "./options.ts";\njwt.verify(t, key, options);\njwt.verify(t, key, { ...options });',
  ),
  leaves("a key of the environment", 'import jwt from "jsonwebtoken";\njwt.sign({ sub }, process.env.JWT_KEY);'),
  leaves(
    "a promisified verification, which cannot be seen through",
    'import jwt from "jsonwebtoken";\nimport { promisify } from "node:util";\nconst verify = promisify(jwt.verify);\nawait verify(token, key);',
  ),
];
