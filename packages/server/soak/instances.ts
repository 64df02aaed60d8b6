import { type ChildProcess, fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import type { StorageOptions } from "@portcullis/server/storage";
import { freePort } from "../../../scripts/free-ports.ts";
import { clientId, type Command, type InstanceOptions, redirectUri, type Reply } from "./instance.ts";

/** An identity server in a process of its own. */
export interface Instance {
  readonly origin: string;
  readonly process: ChildProcess;
  /** @throws Error with what it said went wrong */
  ask(command: Command): Promise<Readonly<Record<string, string>>>;
  /** Asks the token endpoint. */
  token(form: Readonly<Record<string, string>>): Promise<TokenReply>;
  refresh(token: string): Promise<TokenReply>;
  /** What the API says to a credential: the status. */
  me(headers: Readonly<Record<string, string>>): Promise<number>;
  /** Kills it, as the kernel's out-of-memory killer would, and waits for the end. */
  kill(): Promise<void>;
}

export interface TokenReply {
  readonly status: number;
  readonly access: string;
  readonly refresh: string;
}

/** What a person has after signing in. */
export interface SignedIn extends TokenReply {
  /** Cookies of the browser at the server. */
  readonly cookies: ReadonlyMap<string, string>;
}

/** Starts `count`, each on a port of its own; the first is the issuer's address. */
export async function startInstances(
  storage: StorageOptions,
  count: number,
  isUnlimited = false,
  more: Pick<InstanceOptions, "redisPort" | "slowFrom"> = {},
): Promise<readonly Instance[]> {
  const issuerPort = await freePort();
  // One after the other: the first makes the tables and the first key.
  const started: Instance[] = [];
  for (let number = 0; number < count; number += 1) {
    const port = number === 0 ? issuerPort : await freePort();
    started.push(await startInstance({ storage, port, issuerPort, isUnlimited, ...more }));
  }
  return started;
}

/** Starts one. @param holes  opens these, by their places in the list */
export async function startInstance(options: InstanceOptions, holes: readonly number[] = []): Promise<Instance> {
  const opening = holes.length === 0 ? [] : ["--import", new URL("hole-hook.ts", import.meta.url).href];
  const child = fork(new URL("instance.ts", import.meta.url).pathname, [JSON.stringify(options)], {
    execArgv: ["--conditions=source", "--disable-warning=ExperimentalWarning", ...opening],
    env: { ...process.env, PORTCULLIS_SOAK_HOLES: holes.join(",") },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr?.on("data", (text: Buffer) => (complaint = `${complaint}${text.toString()}`.slice(-2000)));
  const waiting = new Map<number, (reply: Reply) => void>();
  let next = 0;
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`an instance ended with ${code}: ${complaint}`)));
    child.on("message", (message: Reply | "ready") => {
      if (message === "ready") resolve();
      else waiting.get(message.id)?.(message);
    });
  });
  const origin = `http://localhost:${options.port}`;

  async function token(form: Readonly<Record<string, string>>): Promise<TokenReply> {
    const body = new URLSearchParams({ client_id: clientId, ...form });
    const response = await fetch(`${origin}/oauth/token`, { method: "POST", body });
    const text = await response.text();
    const said: unknown = text.startsWith("{") ? JSON.parse(text) : {};
    return { status: response.status, access: textIn(said, "access_token"), refresh: textIn(said, "refresh_token") };
  }

  return {
    origin,
    process: child,
    async ask(command) {
      const id = next++;
      const reply = await new Promise<Reply>((resolve, reject) => {
        waiting.set(id, resolve);
        child.send({ id, command }, (error) => error !== null && reject(error));
      });
      if (reply.failed !== undefined) throw new Error(reply.failed);
      return reply.said ?? {};
    },
    token,
    refresh: (refresh) => token({ grant_type: "refresh_token", refresh_token: refresh }),
    async me(headers) {
      const response = await fetch(`${origin}/me`, { headers });
      await response.arrayBuffer();
      return response.status;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Signs in as a browser without scripts does, and redeems the code. @throws Error where that does not end with tokens */
export async function signIn(
  at: Instance,
  email: string,
  password: string,
  scope = "openid notes:read",
): Promise<SignedIn> {
  const verifier = randomBytes(32).toString("base64url");
  const url = new URL("/oauth/authorize", at.origin);
  url.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: "code",
    scope,
    state: randomBytes(16).toString("base64url"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  }).toString();
  const { end, cookies } = await journey(at.origin, url, { email, password });
  const code = end.searchParams.get("code");
  if (code === null) throw new Error(`no code: ${end.href}`);
  const tokens = await at.token({
    grant_type: "authorization_code",
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
  if (tokens.status !== 200) throw new Error(`the code was answered with ${tokens.status}`);
  return { ...tokens, cookies };
}

/** The cookies of a browser that signed in by way of the routes for browsers. */
export async function signInBrowser(at: Instance, email: string, password: string): Promise<string> {
  const { cookies } = await journey(at.origin, new URL("/auth/sign-in", at.origin), { email, password });
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}

/** Goes on until a page without a form or the app's own stands, or an address elsewhere is to be gone to. */
async function journey(origin: string, start: URL, person: { readonly email: string; readonly password: string }) {
  const cookies = new Map<string, string>();
  let next: { readonly url: URL; readonly body?: URLSearchParams } = { url: start };
  for (let hop = 0; hop < 20; hop++) {
    if (next.url.origin !== origin) return { end: next.url, cookies };
    const response = await fetch(next.url, {
      method: next.body === undefined ? "GET" : "POST",
      ...(next.body === undefined ? {} : { body: next.body }),
      redirect: "manual",
      headers: {
        "sec-fetch-site": "same-origin",
        ...(cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") }),
      },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const text = await response.text();
    const on = response.headers.get("location") ?? /http-equiv="refresh" content="0;url=([^"]+)"/.exec(text)?.[1];
    const action = /<form method="post" action="([^"]+)"/.exec(text)?.[1];
    if (on !== undefined) next = { url: new URL(on.replaceAll("&#38;", "&"), next.url) };
    else if (action !== undefined) {
      next = { url: new URL(action.replaceAll("&#38;", "&"), next.url), body: new URLSearchParams({ ...person }) };
    } else if (response.status < 400 || next.url.pathname === "/") return { end: next.url, cookies };
    else throw new Error(`${next.url.pathname} answered ${response.status}: ${text.slice(0, 300)}`);
  }
  throw new Error("redirected in circles");
}

function textIn(value: unknown, name: string): string {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : "";
}
