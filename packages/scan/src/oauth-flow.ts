import { createHash, randomBytes } from "node:crypto";
import { type Answer, isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Header } from "./identities.ts";
import { numberAt, textAt, textsAt } from "./json.ts";
import { type Arrival, browse, type Person, type Responded } from "./oauth-browser.ts";
import type { OAuthClient } from "./oauth-client.ts";
import type { OAuthServer } from "./oauth-server.ts";
import { outcome } from "./objects.ts";
import { resembles } from "./oracle.ts";

/** One client at one authorization server, and somebody at a browser. */
export interface Flow {
  readonly context: ProbeContext;
  readonly server: OAuthServer;
  readonly client: OAuthClient;
  readonly person: Person;
  /** How the client proves itself at the token endpoint. */
  readonly authentication: "basic" | "post" | "none";
  /** What it asks for. */
  readonly scope: string;
  /** The answer to an authorization request of a client nobody knows: what "no" looks like there. */
  readonly unknownClient: Trial | undefined;
}

/** Parameters to change; undefined leaves one out. */
export type Changes = Readonly<Record<string, string | undefined>>;

/** An authorization request that was made, with what only its client knows. */
export interface Asked {
  readonly arrival: Arrival;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** What the token endpoint said. */
export interface TokenAnswer {
  readonly trial: Trial;
  /** `granted`: tokens; `refused`: a clear no; `unclear`: neither. */
  readonly got: Got;
  readonly access: string | undefined;
  readonly refresh: string | undefined;
  readonly id: string | undefined;
  readonly scope: string | undefined;
  /** Seconds. */
  readonly expiresIn: number | undefined;
}

/** What became of an attack. */
export type Got = "granted" | "refused" | "unclear";

/** PKCE's challenge for a verifier (RFC 7636 section 4.2). */
export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

/** 256 bits; a server may rightly refuse what repeats, so that these do not come from the scan's seed. */
export function fresh(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * Makes an authorization request, honest unless `changes` say otherwise, and follows it.
 *
 * @param label  who it says it comes from
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function authorize(flow: Flow, leg: Leg, label: string, changes: Changes = {}): Promise<Asked> {
  const { context, server, client, person } = flow;
  const state = fresh();
  const nonce = fresh();
  const verifier = fresh();
  const scope = changes["scope"] ?? flow.scope;
  const asked: Record<string, string | undefined> = {
    response_type: "code",
    client_id: client.id,
    redirect_uri: client.redirect,
    scope: scope === "" ? undefined : scope,
    state,
    // Without an ID token nobody checks it.
    nonce: scope.split(" ").includes("openid") ? nonce : undefined,
    // OpenID Connect Core 1.0 section 11: offline access is agreed to each time.
    prompt: scope.split(" ").includes("offline_access") ? "consent" : undefined,
    code_challenge: challengeOf(verifier),
    code_challenge_method: "S256",
    ...changes,
  };
  context.redactor.add(verifier, "verifier");
  const target = withParams(server.endpoint("authorization_endpoint") ?? "/authorize", asked);
  const arrival = await browse(context, server, person, {
    target,
    state,
    redirect: changes["redirect_uri"] ?? client.redirect,
    leg,
    label,
  });
  const code = arrival.kind === "response" ? arrival.params.get("code") : null;
  if (code !== null) learn(context, code, "code");
  const token = arrival.kind === "response" ? arrival.params.get("access_token") : null;
  if (token !== null) learn(context, token, "token");
  return { arrival, state, nonce, verifier };
}

/** The request a way began with and the answer it ended with; what lies between is signing in and agreeing. */
export function endsOf({ trials }: Arrival): readonly Trial[] {
  return trials.length < 2 ? trials : [...trials.slice(0, 1), ...trials.slice(-1)];
}

/** The code an authorization request brought; undefined where it brought none. */
export function codeIn(arrival: Arrival): string | undefined {
  return arrival.kind === "response" ? (arrival.params.get("code") ?? undefined) : undefined;
}

/**
 * Redeems a code, honestly unless `changes` say otherwise.
 *
 * @param as  the client that does it; default the flow's own
 */
export async function redeem(
  flow: Flow,
  leg: Leg,
  label: string,
  given: { readonly code: string; readonly verifier: string | undefined },
  changes: { readonly client?: OAuthClient } = {},
): Promise<TokenAnswer> {
  const client = changes.client ?? flow.client;
  learn(flow.context, given.code, "code");
  if (given.verifier !== undefined) learn(flow.context, given.verifier, "verifier");
  return await askForTokens(flow, leg, label, client, {
    grant_type: "authorization_code",
    code: given.code,
    redirect_uri: flow.client.redirect,
    code_verifier: given.verifier,
  });
}

/** Uses a refresh token. */
export async function refresh(
  flow: Flow,
  leg: Leg,
  label: string,
  token: string,
  changes: { readonly client?: OAuthClient; readonly scope?: string } = {},
): Promise<TokenAnswer> {
  learn(flow.context, token, "refresh token");
  const params = { grant_type: "refresh_token", refresh_token: token, scope: changes.scope };
  return await askForTokens(flow, leg, label, changes.client ?? flow.client, params);
}

/** Asks the token endpoint as a client. */
export async function askForTokens(
  flow: Flow,
  leg: Leg,
  label: string,
  client: OAuthClient,
  params: Changes,
): Promise<TokenAnswer> {
  const { context } = flow;
  const trial = await postAsClient(flow, leg, label, client, "token_endpoint", params);
  const { json } = trial.answer;
  const at = (name: string, called: string) => {
    const value = textAt(json, name);
    if (value !== undefined) learn(context, value, called);
    return value;
  };
  const access = at("access_token", "token");
  return {
    trial,
    got: gotTokens(trial.answer),
    access,
    refresh: at("refresh_token", "refresh token"),
    id: at("id_token", "token"),
    scope: textAt(json, "scope"),
    expiresIn: numberAt(json, "expires_in"),
  };
}

/** Posts to an endpoint as a client proves itself. */
export async function postAsClient(
  flow: Flow,
  leg: Leg,
  label: string,
  client: OAuthClient,
  endpoint: string,
  params: Changes,
): Promise<Trial> {
  const { context, server } = flow;
  const headers: Header[] = [["content-type", "application/x-www-form-urlencoded"]];
  let body: Changes = params;
  const { secret } = client;
  if (secret === undefined) body = { ...params, client_id: client.id };
  else if (flow.authentication === "post") body = { ...params, client_id: client.id, client_secret: secret };
  else {
    // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);
    const credential = Buffer.from(`${encode(client.id)}:${encode(secret)}`).toString("base64");
    context.redactor.add(credential, "client secret");
    headers.push(["authorization", `Basic ${credential}`]);
  }
  if (secret !== undefined) learn(context, secret, "client secret");
  return await context.send(leg, {
    method: "POST",
    target: server.endpoint(endpoint) ?? "/token",
    headers,
    body: encoded(body).toString(),
    label,
  });
}

/** What an authorization request got: a code at any address but the registered one is looked at elsewhere. */
export function gotCode(flow: Flow, arrival: Arrival): { readonly got: Got; readonly why: string } {
  if (arrival.kind === "response") {
    if (codeIn(arrival) !== undefined) return { got: "granted", why: "a code was issued" };
    const error = arrival.params.get("error") ?? "";
    const isTheirs = /^(?:login_required|interaction_required|consent_required|account_selection_required)$/.test(
      error,
    );
    if (isTheirs || /^(?:server_error|temporarily_unavailable|access_denied)$/.test(error))
      return { got: "unclear", why: `the authorization request was answered with ${error}` };
    return { got: "refused", why: error };
  }
  return {
    got: isKnownNo(flow, arrival.trials.at(-1)) || arrival.as === "refused" ? "refused" : "unclear",
    why: arrival.why,
  };
}

/** True for an answer like the one a client gets that nobody knows: some servers say no with 200. */
function isKnownNo(flow: Flow, trial: Trial | undefined): boolean {
  const no = flow.unknownClient;
  return no !== undefined && trial !== undefined && resembles(trial.answer, no.answer);
}

/** Tokens, a clear no, or neither. RFC 6749 section 5.2 says no with 400 or 401; others answer 200 with an error. */
function gotTokens(answer: Answer): Got {
  const { json } = answer;
  if (isSuccess(answer) && (textAt(json, "access_token") ?? textAt(json, "id_token")) !== undefined) return "granted";
  if (answer.status === 429 || answer.status >= 500 || answer.status === 0) return "unclear";
  if (answer.status >= 400) return "refused";
  return isSuccess(answer) && textAt(json, "error") !== undefined ? "refused" : "unclear";
}

/** A full, honest flow. */
export interface Granted {
  readonly asked: Asked;
  readonly response: Responded;
  readonly code: string;
  readonly tokens: TokenAnswer;
  readonly trials: readonly Trial[];
}

/**
 * Goes the whole way as the client does: an authorization request, the code, the tokens.
 *
 * @returns the tokens, or one sentence that says how far it came and what to pass
 */
export async function grant(
  flow: Flow,
  leg: Leg = "positive",
  changes: Changes = {},
): Promise<Granted | { readonly failed: string; readonly trials: readonly Trial[] }> {
  const label = `client ${flow.client.id}`;
  const asked = await authorize(flow, leg, label, changes);
  const { arrival } = asked;
  const last = arrival.trials.slice(-1);
  if (arrival.kind === "stopped")
    return { failed: `the authorization request came to no answer: ${arrival.why}`, trials: last };
  const code = codeIn(arrival);
  if (code === undefined) {
    const why = [arrival.params.get("error"), arrival.params.get("error_description")].filter((one) => one !== null);
    return { failed: `the authorization request was answered with ${why.join(": ")}`, trials: last };
  }
  const tokens = await redeem(flow, leg, label, { code, verifier: asked.verifier });
  const trials = [...last, tokens.trial];
  if (tokens.got !== "granted") {
    const said = textAt(tokens.trial.answer.json, "error");
    const reason = said === undefined ? "" : ` (${said})`;
    return { failed: `the token endpoint ${outcome(tokens.trial.answer)}${reason} to an honest client`, trials };
  }
  return { asked, response: arrival, code, tokens, trials };
}

/** The scope to ask for where the client says none. */
export function defaultScope(server: OAuthServer): string {
  const known = textsAt(server.metadata, "scopes_supported");
  return ["openid", "offline_access"].filter((one) => known.includes(one)).join(" ");
}

/** A scope without what lets refresh tokens be issued: it is agreed to once and not each time. */
export function onlineScope(scope: string): string {
  return scope
    .split(" ")
    .filter((one) => one !== "offline_access")
    .join(" ");
}

function encoded(params: Changes): URLSearchParams {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) out.append(name, value);
  return out;
}

function withParams(path: string, params: Changes): string {
  return `${path}${path.includes("?") ? "&" : "?"}${encoded(params).toString()}`;
}

/** A secret as it is and as forms write it. */
function learn(context: ProbeContext, secret: string, label: string): void {
  context.redactor.add(secret, label);
  for (const written of [encodeURIComponent(secret), new URLSearchParams({ s: secret }).toString().slice(2)])
    if (written !== secret) context.redactor.add(written, label);
}
