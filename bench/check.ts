import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { ServerProcess } from "./server-process.ts";
import { makeToken, proxied, type TokenChange } from "./requests.ts";
import { host, loadProject, newProject, newProjectId, projectIdOf, securityHeaders, viewText } from "./world.ts";
import { insertProject } from "./world.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Holds a server against what all of them have to do, so that nothing is fast by leaving something out: the same bytes
 * for honest requests, and of a secured one a refusal for each kind of dishonest request, its headers and its log line.
 *
 * @param log  file the server writes its log to
 * @returns what is wrong, in words; [] when nothing is
 */
export async function checkServer(server: ServerProcess, log: string): Promise<readonly string[]> {
  const wrong: string[] = [];
  let asked = 0;
  const expect = async (what: string, ask: Ask, isRight: (answer: Answer) => boolean): Promise<void> => {
    asked++;
    const answer = await send(server.port, ask);
    if (!isRight(answer)) wrong.push(`${server.name}: ${what}: answered ${answer.status} ${answer.body.slice(0, 200)}`);
  };

  const own = await loadProject(projectIdOf(7));
  const made = await insertProject(newProject, "", "");
  const getText = own === undefined ? "" : viewText(own);
  const postText = viewText(made);
  const token = makeToken(7);
  await expect("an honest GET", get({ token }), (a) => a.status === 200 && a.body === getText && isJson(a));
  await expect("an honest POST", post({ token }), (a) => a.status === 201 && a.body === postText && isJson(a));
  if (server.name === "bare") return wrong;

  await expect("its headers", get({ token }), hasSecurityHeaders);
  await expect("a GET without a token", get({}), (a) => a.status === 401 && "www-authenticate" in a.headers);
  await expect("the headers of a refusal", get({}), hasSecurityHeaders);
  await expect("a POST without a token", post({}), (a) => a.status === 401);
  for (const [what, change] of badTokens()) {
    await expect(`a token with ${what}`, get({ token: makeToken(7, change) }), (a) => a.status === 401);
  }
  await expect("a token with nothing signed", get({ token: unsigned(token) }), (a) => a.status === 401);
  await expect("another scheme", get({ headers: { authorization: `Basic ${token}` } }), (a) => a.status === 401);
  await expect("a missing scope", get({ token: makeToken(7, { claims: { scope: "none" } }) }), (a) => a.status === 403);
  await expect("a foreign project", get({ token: makeToken(8) }), (a) => a.status === 404);
  await expect("another tenant", get({ token: makeToken(7, { claims: { tid: "org_x" } }) }), (a) => a.status === 404);
  await expect("a missing project", get({ token, path: `/v1/projects/${newProjectId}` }), (a) => a.status === 404);
  await expect("an id that is no uuid", get({ token, path: "/v1/projects/1" }), (a) => a.status === 400);
  await expect("a route that is not there", get({ token, path: "/v1/nothing" }), (a) => a.status === 404);
  for (const [what, body] of badBodies()) {
    await expect(`a body with ${what}`, post({ token, body }), (a) => a.status === 400);
  }
  await expect("a body too large", post({ token, body: " ".repeat(200_000) }), (a) => a.status === 413);
  await expect("plain http", get({ token, headers: { "x-forwarded-proto": "http" } }), (a) => a.status === 421);
  await expect("another host", get({ token, headers: { host: "evil.example" } }), (a) => a.status === 421);
  // Every batch of lines is out after 100 ms.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const lines = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /"status":\d{3}/.test(line) && !/"kind":"event"/.test(line));
  if (lines.length !== asked) wrong.push(`${server.name}: ${lines.length} lines in the log for ${asked} requests`);
  return wrong;
}

function get(ask: Ask & { readonly token?: string }): Ask {
  return { method: "GET", path: `/v1/projects/${projectIdOf(7)}`, ...ask, headers: headersOf(ask) };
}

function post(ask: Ask & { readonly token?: string }): Ask {
  return {
    method: "POST",
    path: "/v1/projects",
    body: JSON.stringify(newProject),
    ...ask,
    headers: { "content-type": "application/json", ...headersOf(ask) },
  };
}

function headersOf({ token, headers }: Ask & { readonly token?: string }): Readonly<Record<string, string>> {
  return { host, ...proxied(7), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers };
}

function badTokens(): readonly (readonly [string, TokenChange])[] {
  const now = Math.floor(Date.now() / 1_000);
  return [
    ["a forged signature", { secret: "another-secret-that-is-as-long-as-the-right-one-but-wrong" }],
    ["alg none", { header: { alg: "none" } }],
    ["another typ", { header: { typ: "logout+jwt" } }],
    ["another issuer", { claims: { iss: "https://evil.example" } }],
    ["another audience", { claims: { aud: "https://other.example.com" } }],
    ["no audience", { claims: { aud: undefined } }],
    ["no subject", { claims: { sub: undefined } }],
    ["no exp", { claims: { exp: undefined } }],
    ["its time over", { claims: { exp: now - 600 } }],
    ["its time not come", { claims: { nbf: now + 600 } }],
    ["an age of two hours", { claims: { iat: now - 7_200, nbf: now - 7_200 } }],
  ];
}

function badBodies(): readonly (readonly [string, string])[] {
  return [
    ["an unknown field", JSON.stringify({ ...newProject, ownerId: "usr_000001" })],
    ["a missing field", JSON.stringify({ ...newProject, name: undefined })],
    ["a wrong type", JSON.stringify({ ...newProject, isPublic: "false" })],
    ["a value out of the list", JSON.stringify({ ...newProject, backendType: "oracle" })],
    ["too long a text", JSON.stringify({ ...newProject, name: "x".repeat(101) })],
    ["no url in url", JSON.stringify({ ...newProject, url: "not a url" })],
    ["broken JSON", '{"name":'],
  ];
}

function unsigned(token: string): string {
  return token.slice(0, token.lastIndexOf(".") + 1);
}

function isJson(answer: Answer): boolean {
  return answer.headers["content-type"]?.startsWith("application/json") === true;
}

function hasSecurityHeaders(answer: Answer): boolean {
  const held = Object.entries(securityHeaders).every(
    ([name, value]) => String(answer.headers[name]).replaceAll(/;(?=\S)/g, "; ") === value,
  );
  const limited = Object.keys(answer.headers).some((name) => name.startsWith("ratelimit"));
  const known = "x-request-id" in answer.headers && answer.headers["cache-control"] === "no-store";
  return held && limited && known;
}

function send(port: number, { method = "GET", path = "/", headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const options = { port, host: "127.0.0.1", method, path, headers: { ...headers, ...length }, agent: false };
    const req = httpRequest(options, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (chunk: string) => {
        text += chunk;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text }));
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}
