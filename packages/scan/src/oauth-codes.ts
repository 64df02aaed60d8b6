import { isSuccess } from "./answer.ts";
import type { Trial } from "./exchange.ts";
import { readToken } from "./identities.ts";
import { numberAt, textAt, textsAt } from "./json.ts";
import type { OAuthClient } from "./oauth-client.ts";
import {
  askForTokens,
  authorize,
  type Changes,
  codeIn,
  endsOf,
  type Flow,
  fresh,
  gotCode,
  grant,
  onlineScope,
  redeem,
  refresh,
  type TokenAnswer,
} from "./oauth-flow.ts";
import { flowVerdict, type Try } from "./oauth-verdicts.ts";
import { broken, held, inconclusive, type NamedOutcome, notApplicable, untried } from "./probe.ts";

/**
 * What can be done with a code that was intercepted: redeem it without its verifier, with another, a second time, as
 * another client, as nobody.
 *
 * @param other    another client of the same server; undefined leaves out what needs one
 * @param control  the honest flow, right before
 * @see RFC 7636, RFC 9700 sections 2.1.1 and 4.5 to 4.8, RFC 6749 sections 4.1.2 and 4.1.3
 */
export async function codeChecks(
  flow: Flow,
  other: OAuthClient | undefined,
  control: readonly Trial[],
): Promise<readonly NamedOutcome[]> {
  const madeUp = await redeem(flow, "negative", `client ${flow.client.id}, a made-up code`, {
    code: fresh(),
    verifier: fresh(),
  });
  if (madeUp.got !== "refused") {
    const why = "a code that was never issued is not refused clearly, so that answers tell nothing there";
    return [{ check: "code", ...inconclusive(why, [...control, madeUp.trial]) }];
  }
  const controls = [...control, madeUp.trial];
  const out = [...(await pkceChecks(flow, controls)), ...(await replayChecks(flow, controls))];
  out.push(...(await clientChecks(flow, controls)));
  if (other === undefined) {
    const why =
      "Whether a code or a refresh token of one client serves another was not tried: it needs a second --oauth";
    out.push({ check: "code-other-client", ...untried(`${why} client.`) });
  } else {
    const label = `client ${other.id}, a code of client ${flow.client.id}`;
    out.push(
      await flowVerdict({
        check: "code-other-client",
        control: controls,
        attack: () =>
          tryCode(flow, label, {}, (code, verifier) =>
            redeem(flow, "attack", label, { code, verifier }, { client: other }),
          ),
        broken: "a code is redeemed by another client than it was issued to",
        held: "a code of another client is refused",
      }),
    );
  }
  return out;
}

async function pkceChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const none = { code_challenge: undefined, code_challenge_method: undefined };
  const plain = fresh();
  const attacks: readonly (readonly [
    string,
    string,
    string,
    string,
    Changes,
    (verifier: string) => string | undefined,
  ])[] = [
    [
      flow.client.secret === undefined ? "pkce-missing" : "pkce-optional",
      "no PKCE at all",
      "a code is issued and redeemed without PKCE: whoever intercepts it can use it",
      "a flow without PKCE is refused",
      none,
      () => undefined,
    ],
    [
      "pkce-plain",
      "PKCE with the method plain",
      "PKCE is accepted with the method plain: the challenge in the address is the verifier",
      "the method plain is refused",
      { code_challenge: plain, code_challenge_method: "plain" },
      () => plain,
    ],
    [
      "verifier-wrong",
      "a wrong verifier",
      "a code is redeemed with a verifier that does not fit its challenge",
      "a wrong verifier is refused",
      {},
      () => fresh(),
    ],
    [
      "verifier-missing",
      "no verifier",
      "a code that was asked for with a challenge is redeemed without a verifier",
      "a code is not redeemed without its verifier",
      {},
      () => undefined,
    ],
    [
      "pkce-downgrade",
      "a verifier where there was no challenge",
      "a code that was asked for without a challenge is redeemed with a verifier, so that taking the challenge out goes unnoticed",
      "taking the challenge out of the request is noticed",
      none,
      (verifier) => verifier,
    ],
  ];
  const out: NamedOutcome[] = [];
  for (const [check, what, isBroken, isHeld, changes, verifierOf] of attacks) {
    const label = `client ${flow.client.id}, ${what}`;
    const attack = () =>
      tryCode(flow, label, changes, (code, verifier) =>
        redeem(flow, "attack", label, { code, verifier: verifierOf(verifier) }),
      );
    out.push(await flowVerdict({ check, control, attack, broken: isBroken, held: isHeld }));
  }
  return out;
}

/** A fresh code and what is done with it. A request that is refused before there is a code is refused. */
async function tryCode(
  flow: Flow,
  label: string,
  changes: Changes,
  use: (code: string, verifier: string) => Promise<TokenAnswer>,
): Promise<Try> {
  const { arrival, verifier } = await authorize(flow, "attack", label, { scope: onlineScope(flow.scope), ...changes });
  const code = codeIn(arrival);
  const trials = endsOf(arrival);
  const isHonest = Object.keys(changes).length === 0;
  if (code === undefined) {
    const { got, why } = gotCode(flow, arrival);
    return { got: isHonest ? "unclear" : got, why, trials };
  }
  const tokens = await use(code, verifier);
  return { got: tokens.got, why: "the token endpoint says neither yes nor no", trials: [...trials, tokens.trial] };
}

/** A code is used once; where it comes a second time, somebody has it who should not, and what came of it ends. */
async function replayChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const first = await grant(flow);
  if ("failed" in first) return [{ check: "code-replay", ...inconclusive(first.failed, first.trials) }];
  const again = () =>
    redeem(flow, "attack", `client ${flow.client.id}, the same code again`, {
      code: first.code,
      verifier: first.asked.verifier,
    });
  const replay = await flowVerdict({
    check: "code-replay",
    control: [...control.slice(-1), ...first.trials],
    attack: async () => {
      const { got, trial } = await again();
      return { got, why: "the token endpoint says neither yes nor no", trials: [trial] };
    },
    broken: "a code is redeemed more than once",
    held: "a code is redeemed once and no more",
  });
  if (replay.verdict !== "held") return [replay];
  return [replay, { check: "code-replay-revokes", ...(await afterReplay(flow, first.tokens, replay.trials)) }];
}

async function afterReplay(flow: Flow, tokens: TokenAnswer, control: readonly Trial[]) {
  const what = "the tokens of a code that came a second time";
  if (tokens.refresh !== undefined) {
    const used = await refresh(flow, "attack", `client ${flow.client.id}, after the replay`, tokens.refresh);
    const trials = [...control.slice(-2), used.trial];
    if (used.got === "granted") return broken(`${what} stay good: the refresh token still works`, trials);
    return used.got === "refused"
      ? held(`${what} are revoked`, trials)
      : inconclusive("neither a yes nor a no", trials);
  }
  const read =
    tokens.access === undefined ? undefined : await userinfo(flow, tokens.access, "attack", "after the replay");
  if (read === undefined)
    return notApplicable("There is no refresh token, and nothing here reads with an access token.");
  const trials = [...control.slice(-2), read];
  return isSuccess(read.answer)
    ? broken(`${what} stay good: the access token still works`, trials)
    : held(`${what} are revoked`, trials);
}

/** The userinfo endpoint with a token; undefined where there is none here. */
export async function userinfo(
  flow: Flow,
  token: string,
  leg: Trial["leg"],
  label: string,
): Promise<Trial | undefined> {
  const target = flow.server.endpoint("userinfo_endpoint");
  if (target === undefined) return undefined;
  const headers = [["authorization", `Bearer ${token}`]] as const;
  return await flow.context.send(leg, { method: "GET", target, headers, label });
}

/** A confidential client proves itself each time. */
async function clientChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const { client } = flow;
  if (client.secret === undefined)
    return [{ check: "client-secret-wrong", ...notApplicable("The client is a public one and has no secret.") }];
  const attacks: readonly (readonly [string, string, OAuthClient])[] = [
    ["client-secret-wrong", "with a wrong secret", { ...client, secret: fresh() }],
    ["client-secret-missing", "without its secret", { id: client.id, redirect: client.redirect }],
  ];
  const out: NamedOutcome[] = [];
  for (const [check, what, as] of attacks) {
    const label = `client ${client.id} ${what}`;
    out.push(
      await flowVerdict({
        check,
        control,
        attack: () =>
          tryCode(flow, label, {}, (code, verifier) =>
            redeem(flow, "attack", label, { code, verifier }, { client: as }),
          ),
        broken: `a confidential client gets tokens ${what}`,
        held: `a confidential client gets nothing ${what}`,
      }),
    );
  }
  return out;
}

/**
 * Grants that hand tokens out in ways nobody should use any more: in the address (implicit), for a password (resource
 * owner password credentials).
 *
 * @see RFC 9700 sections 2.1.2 and 2.4
 */
export async function grantChecks(flow: Flow, control: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const { client, person } = flow;
  const scope = onlineScope(flow.scope);
  const offered = textsAt(flow.server.metadata, "response_types_supported").filter((one) =>
    /(?:^| )token(?: |$)/.test(one),
  );
  const type = offered.find((one) => !one.includes("code")) ?? offered[0] ?? "token";
  const implicit = await flowVerdict({
    check: "grant-implicit",
    control,
    async attack() {
      const none = { code_challenge: undefined, code_challenge_method: undefined };
      const changes = { ...none, response_type: type, scope };
      const { arrival } = await authorize(flow, "attack", `client ${client.id}, response type ${type}`, changes);
      const trials = endsOf(arrival);
      if (arrival.kind === "response" && arrival.params.has("access_token")) return { got: "granted", trials };
      return { ...gotCode(flow, arrival), trials };
    },
    broken: "the implicit grant works: access tokens travel in addresses",
    held: "the implicit grant is refused",
  });
  if (person.account === undefined) {
    const why = "The password grant was not tried: it needs an account (--account email:password).";
    return [implicit, { check: "grant-password", ...untried(why) }];
  }
  const { user: username, password } = person.account;
  const passwordGrant = await flowVerdict({
    check: "grant-password",
    control,
    async attack() {
      const params = { grant_type: "password", username, password, scope: scope === "" ? undefined : scope };
      const { got, trial } = await askForTokens(flow, "attack", `client ${client.id}, password grant`, client, params);
      return { got, why: "the token endpoint says neither yes nor no", trials: [trial] };
    },
    broken: "the password grant works: clients see passwords, and second factors are passed by",
    held: "the password grant is refused",
  });
  return [implicit, passwordGrant];
}

/** What the token endpoint answers is for nobody's cache (RFC 6749 section 5.1), and an access token lives an hour at most. */
export function answerChecks(tokens: TokenAnswer): readonly NamedOutcome[] {
  const { trial } = tokens;
  const expiresIn = tokens.expiresIn ?? lifetimeIn(tokens.access);
  const cache = trial.answer.headers.filter(([name]) => name === "cache-control").map(([, value]) => value);
  const isKept = !cache.some((value) => /\bno-store\b/i.test(value));
  const type = textAt(trial.answer.json, "token_type");
  return [
    {
      check: "token-no-store",
      ...(isKept
        ? broken("tokens are answered without Cache-Control: no-store", [trial])
        : held("tokens are answered with Cache-Control: no-store", [trial])),
    },
    {
      check: "access-token-lifetime",
      ...(expiresIn === undefined
        ? inconclusive("the token endpoint does not say how long an access token lives (expires_in)", [trial])
        : expiresIn > 3600
          ? broken(`an access token lives ${Math.round(expiresIn / 60)} min; an hour is the most, 15 min are better`, [
              trial,
            ])
          : held(
              `an access token lives ${Math.round(expiresIn / 60)} min${type === "DPoP" ? " and is bound to its holder" : ""}`,
              [trial],
            )),
    },
  ];
}

/** How long a token says that it lives, seconds; undefined where it is none that says it. */
function lifetimeIn(access: string | undefined): number | undefined {
  const claims = readToken(access ?? "")?.claims;
  const [from, to] = [numberAt(claims, "iat"), numberAt(claims, "exp")];
  return from === undefined || to === undefined ? undefined : to - from;
}
