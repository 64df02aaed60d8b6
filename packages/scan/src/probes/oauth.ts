import type { ProbeContext } from "../context.ts";
import { createJar } from "../cookie-jar.ts";
import type { Trial } from "../exchange.ts";
import { readToken } from "../identities.ts";
import { textAt } from "../json.ts";
import type { Person } from "../oauth-browser.ts";
import type { OAuthClient } from "../oauth-client.ts";
import { answerChecks, codeChecks, grantChecks, userinfo } from "../oauth-codes.ts";
import { authorize, codeIn, defaultScope, type Flow, fresh, type Granted, grant } from "../oauth-flow.ts";
import { metadataChecks } from "../oauth-metadata.ts";
import { redirectChecks } from "../oauth-redirects.ts";
import { logoutChecks, refreshChecks } from "../oauth-refresh.ts";
import { findServer, type OAuthServer } from "../oauth-server.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { Unreachable } from "../scan-error.ts";
import { flowVerdict } from "../oauth-verdicts.ts";

/**
 * An authorization server at the target: what it says of itself, and what it does for a client that is honest up to one
 * thing. Redirect addresses, PKCE, codes, refresh tokens, revocation, sign-out, and grants nobody should use any more.
 */
export const oauth: Probe = { id: "oauth", plan: planOAuth };

function planOAuth(context: ProbeContext): readonly Check[] {
  // Whether there is a server is known once its metadata was asked for.
  return [{ check: "flow", run: () => attackServer(context) }];
}

async function attackServer(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const [client, other] = context.oauthClients;
  const server = await findServer(context, client);
  if (server === undefined) {
    const nothing = "The target is no authorization server: it publishes no metadata of one.";
    if (client === undefined) return [{ check: "flow", ...notApplicable(nothing) }];
    const why =
      "no metadata was found; name the endpoints too (--oauth client=…,redirect=…,authorize=/path,token=/path)";
    return [{ check: "flow", ...inconclusive(why) }];
  }
  const said = metadataChecks(context, server);
  const flow = await openFlow(context, server, client);
  if ("failed" in flow) return [...said, { check: "flow", ...inconclusive(flow.failed, flow.trials) }];
  const { honest, ...rest } = flow;
  const outcomes = [...said, ...answerChecks(honest.tokens), ...(await responseChecks(rest, honest))];
  outcomes.push(...(await redirectChecks(rest, honest.asked.arrival.trials.slice(-1))));
  outcomes.push(...(await codeChecks(rest, other, honest.trials)));
  outcomes.push(...(await grantChecks(rest, honest.trials)));
  outcomes.push(...(await refreshChecks(rest, other)));
  outcomes.push(...(await userinfoChecks(rest)));
  outcomes.push(...(await logoutChecks(rest)));
  return await unlessDead(rest, outcomes);
}

/** What was refused by a server that refuses everybody by now proves nothing. */
async function unlessDead(flow: Flow, outcomes: readonly NamedOutcome[]): Promise<readonly NamedOutcome[]> {
  const last = await grant(flow);
  if (!("failed" in last)) return outcomes;
  return outcomes.map((outcome) =>
    outcome.verdict === "held" && !/^(?:metadata|token-|access-token)/.test(outcome.check)
      ? {
          check: outcome.check,
          ...inconclusive(`an honest flow works no more after the attacks: ${last.failed}`, outcome.trials),
        }
      : outcome,
  );
}

interface Failed {
  readonly failed: string;
  readonly trials: readonly Trial[];
}

/** Everything it takes to go the honest way, and the honest way gone once. */
async function openFlow(
  context: ProbeContext,
  server: OAuthServer,
  client: OAuthClient | undefined,
): Promise<(Flow & { readonly honest: Granted }) | Failed> {
  const trials = server.documents.slice(0, 1).map(({ trial }) => trial);
  const [away] = server.elsewhere;
  if (away !== undefined)
    return { failed: `its endpoints are at ${away}, which is not the address of the scan: scan that address`, trials };
  if (client === undefined) {
    const needs =
      "a client of it (--oauth client=<id>[:<secret>],redirect=<uri>) and somebody who signs in (--account)";
    return { failed: `attacking the authorization server takes ${needs}`, trials };
  }
  const scope = client.scope ?? defaultScope(server);
  const base = { context, server, client, scope, unknownClient: undefined };
  let failed: Failed | undefined;
  for (const person of await peopleOf(context)) {
    for (const authentication of client.secret === undefined ? (["none"] as const) : (["basic", "post"] as const)) {
      const flow: Flow = { ...base, person, authentication };
      const honest = await grant(flow);
      if (!("failed" in honest)) return { ...flow, unknownClient: await askAsUnknown(flow), honest };
      failed ??= honest;
    }
  }
  return failed ?? { failed: "nobody was given who could sign in (--account email:password)", trials };
}

/** Somebody who is signed in already, somebody who signs in through the API, and somebody who fills in the form. */
async function peopleOf(context: ProbeContext): Promise<readonly Person[]> {
  const [account] = context.sessions.accounts;
  // Forms write a password in their own way.
  if (account !== undefined)
    for (const written of [
      encodeURIComponent(account.password),
      new URLSearchParams({ p: account.password }).toString().slice(2),
    ])
      context.redactor.add(written, "password");
  const people: Person[] = [];
  const cookie = context.identities.find(({ kind }) => kind === "cookie");
  if (cookie !== undefined) people.push({ jar: createJar(cookie.header[1]), account });
  else if (context.sessions.start !== undefined && account !== undefined) {
    const { entrances, start } = context.sessions;
    try {
      const { identity } = await context.sessions.enter(entrances.find(({ operation }) => operation === start));
      people.push({ jar: createJar(identity.header[1]), account });
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
  }
  return [...people, { jar: createJar(), account }];
}

/** What a client is told that nobody knows; its answer is what a refusal looks like. */
async function askAsUnknown(flow: Flow): Promise<Trial | undefined> {
  const nobody = { ...flow, client: { ...flow.client, id: `pc-${flow.context.random.text(12)}` } };
  const { arrival } = await authorize(nobody, "negative", "a client nobody knows");
  return codeIn(arrival) === undefined ? arrival.trials.at(-1) : undefined;
}

/** What the authorization response carries: the state as it was sent, who answered, and the nonce in the ID token. */
async function responseChecks(flow: Flow, { asked, response, tokens }: Granted): Promise<readonly NamedOutcome[]> {
  const trials = [...response.trials.slice(-1), tokens.trial];
  const nonce = textAt(readToken(tokens.id ?? "")?.claims, "nonce");
  const nonceOutcome =
    tokens.id === undefined
      ? notApplicable("There is no ID token.")
      : nonce === asked.nonce
        ? held("the ID token carries the nonce of its request", trials)
        : broken("the ID token lacks the nonce of its request: one that was stolen can be put in elsewhere", trials);
  return [
    {
      check: "state",
      ...(response.params.get("state") === asked.state
        ? held("the state comes back as it was sent", trials.slice(0, 1))
        : broken(
            "the state does not come back: clients cannot tell their own flows from forged ones",
            trials.slice(0, 1),
          )),
    },
    { check: "nonce", ...nonceOutcome },
    { check: "response-issuer", ...issuerOf(flow, response.params.get("iss"), trials.slice(0, 1)) },
    { check: "form-resent", ...resent(response.trials) },
    { check: "code-in-fragment", ...fragment(response.where, trials) },
  ];
}

/** RFC 9207: who answers says so, where it announces that it does. */
function issuerOf(flow: Flow, iss: string | null, trials: readonly Trial[]): Outcome {
  const { metadata, issuer } = flow.server;
  if (iss !== null && issuer !== undefined && iss !== issuer)
    return broken(`the authorization response names another issuer than the metadata: ${iss}`, trials);
  if (iss !== null) return held("the authorization response names its issuer", trials);
  if (metadata["authorization_response_iss_parameter_supported"] === true)
    return broken("the authorization response lacks the issuer that the metadata announces", trials);
  return notApplicable(
    "The server does not say that its responses name it (RFC 9207); it matters to clients of several servers.",
  );
}

/** A redirect that keeps the method sends the form again, password and all (RFC 9700 section 4.12). */
function resent(trials: readonly Trial[]): Outcome {
  const forms = trials.filter(({ outgoing }) => outgoing.method === "POST");
  const wrong = forms.find(({ answer }) => answer.status === 307 || answer.status === 308);
  if (wrong !== undefined)
    return broken(`a form is answered with ${wrong.answer.status}: the browser sends it on, password and all`, [wrong]);
  return forms.length === 0
    ? notApplicable("Nobody had to fill in a form.")
    : held("forms are answered with redirects that send nothing on", forms.slice(0, 1));
}

function fragment(where: string, trials: readonly Trial[]): Outcome {
  return where === "fragment"
    ? broken("a code is answered in the fragment, where every script of the page reads it", trials)
    : held("a code is answered where only the client's server reads it", trials);
}

/** What is taken for an access token: an ID token, a refresh token, a token in the address. */
async function userinfoChecks(flow: Flow): Promise<readonly NamedOutcome[]> {
  const target = flow.server.endpoint("userinfo_endpoint");
  if (target === undefined || !flow.scope.split(" ").includes("openid"))
    return [{ check: "userinfo", ...notApplicable("There is no userinfo to read with a token.") }];
  const granted = await grant(flow);
  if ("failed" in granted) return [{ check: "userinfo", ...inconclusive(granted.failed, granted.trials) }];
  const { access = "", id, refresh } = granted.tokens;
  const positive = await userinfo(flow, access, "positive", `client ${flow.client.id}`);
  const negative = await userinfo(flow, fresh(), "negative", "a made-up token");
  if (positive === undefined || negative === undefined) return [];
  const control = [positive, negative];
  if (positive.answer.status !== 200 || negative.answer.status === 200)
    return [{ check: "userinfo", ...inconclusive("good and bad tokens are not told apart at userinfo", control) }];
  const inUrl = () =>
    flow.context.send("attack", {
      method: "GET",
      target: `${target}?access_token=${encodeURIComponent(access)}`,
      headers: [],
      label: "a token in the address",
    });
  const attacks: readonly (readonly [string, string, (() => Promise<Trial | undefined>) | undefined])[] = [
    ["id-token-as-access", "an ID token", withToken(id)],
    ["refresh-as-access", "a refresh token", withToken(refresh)],
    ["token-in-url", "an access token in the address", inUrl],
  ];
  const out: NamedOutcome[] = [];
  for (const [check, what, send] of attacks) {
    if (send === undefined) continue;
    const verdict = await flowVerdict({
      check,
      control,
      async attack() {
        const trial = await send();
        if (trial === undefined) return { got: "unclear", trials: [] };
        const { status } = trial.answer;
        return {
          got: status === 200 ? "granted" : status >= 400 && status < 429 ? "refused" : "unclear",
          trials: [trial],
        };
      },
      broken: `userinfo takes ${what}`,
      held: `userinfo refuses ${what}`,
    });
    out.push(verdict);
  }
  return out;

  function withToken(token: string | undefined) {
    return token === undefined ? undefined : () => userinfo(flow, token, "attack", "another kind of token");
  }
}
