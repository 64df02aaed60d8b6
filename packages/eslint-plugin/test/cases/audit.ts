import { type Case, finds, inExpress, leaves } from "../case.ts";

export const audit: readonly Case[] = [
  finds(
    "secret",
    "the Authorization header",
    inExpress('app.use((req, res, next) => { console.log("auth", req.headers.authorization); next(); });'),
  ),
  finds(
    "secret",
    "a password in an object, for pino",
    inExpress(
      'import pino from "pino";\nconst log = pino();\napp.post("/s", (req, res) => { log.info({ password: req.body.password }, "sign-in"); });',
    ),
  ),
  finds("secret", "the whole body", inExpress('app.post("/s", (req, res) => { console.log(req.body); });')),
  finds("secret", "every header", inExpress('app.post("/s", (req, res) => { console.debug(`in: ${req.headers}`); });')),
  finds(
    "secret",
    "a token that the handler made",
    inExpress('app.post("/s", (req, res) => { const accessToken = sign(); console.log("token: " + accessToken); });'),
  ),
  finds("secret", "a secret of the environment", "console.log(`starting with ${process.env.STRIPE_SECRET_KEY}`);"),
  leaves(
    "words about secrets",
    inExpress('app.post("/s", (req, res) => { console.log("password changed", "token expired"); });'),
  ),
  leaves(
    "who called and what came of it",
    inExpress(
      'app.post("/s", (req, res) => { console.log(req.method, req.path, req.params.id, req.body.name, req.headers.accept); });',
    ),
  ),
  leaves(
    "a tool that prints the token it was asked for",
    "const token = await makeToken();\nconsole.log(token);\nconsole.log(process.env.NODE_ENV, process.env.NEXT_PUBLIC_API_KEY);",
  ),
  leaves(
    "counts and names that only sound so",
    inExpress(
      'app.post("/s", (req, res) => { const tokenCount = 3; const csrfToken = make(); console.log(tokenCount, csrfToken); });',
    ),
  ),
  leaves(
    "a console that is somebody else's",
    inExpress('import { console } from "./screen.ts";\napp.post("/s", (req, res) => { console.log(req.body); });'),
  ),
];
