import { isSuccess } from "./answer.ts";
import type { Trial } from "./exchange.ts";
import { readToken } from "./identities.ts";
import { textAt, textsAt } from "./json.ts";
import { browse } from "./oauth-browser.ts";
import type { OAuthClient } from "./oauth-client.ts";
import { userinfo } from "./oauth-codes.ts";
import {
  authorize,
  codeIn,
  type Flow,
  fresh,
  type Granted,
  gotCode,
  grant,
  onlineScope,
  postAsClient,
  refresh,
} from "./oauth-flow.ts";
import { flowVerdict } from "./oauth-verdicts.ts";
import { broken, held, inconclusive, type NamedOutcome, notApplicable, type Outcome, untried } from "./probe.ts";

/** How long a server may take a used refresh token again because an answer was lost, milliseconds; 10 s are usual. */
const graceMs = 11_000;

/**
 * A refresh token is used once and has one successor; an old one that comes again ends the family. It serves its own client
 * and what was agreed to, and nothing after it was revoked.
 *
 * @param other  another client of the same server; undefined leaves out what needs one
 * @see RFC 9700 sections 2.2.2 and 4.14, RFC 6749 section 6, RFC 7009
 */
export async function refreshChecks(flow: Flow, other: OAuthClient | undefined): Promise<readonly NamedOutcome[]> {
  const first = await grant(flow);
  if ("failed" in first) return [{ check: "refresh-reuse", ...inconclusive(first.failed, first.trials) }];
  const token = first.tokens.refresh;
  if (token === undefined) {
    const why = flow.scope.split(" ").includes("offline_access")
      ? "No refresh token is issued."
      : "No refresh token is issued; what it takes may be a scope (--oauth client=…,scope=openid offline_access).";
    return [{ check: "refresh-reuse", ...untried(why) }];
  }
  return [
    ...(await rotation(flow, token, first.trials)),
    ...(await foreignRefresh(flow, other)),
    { check: "refresh-scope", ...(await widened(flow)) },
    ...(await revocation(flow)),
  ];
}

async function rotation(flow: Flow, token: string, before: readonly Trial[]): Promise<readonly NamedOutcome[]> {
  const label = `client ${flow.client.id}`;
  const second = await refresh(flow, "positive", label, token);
  const control = [...before.slice(-1), second.trial];
  if (second.got !== "granted")
    return [{ check: "refresh-reuse", ...inconclusive("a fresh refresh token is refused to its own client", control) }];
  const successor = second.refresh;
  if (successor === undefined || successor === token) {
    const again = await refresh(flow, "attack", `${label}, the same refresh token again`, token);
    const trials = [...control, again.trial];
    const why = "refresh tokens are not rotated: one that was stolen works beside its owner's, and nobody notices";
    if (again.got === "granted") return [{ check: "refresh-reuse", ...broken(why, trials) }];
    return [{ check: "refresh-reuse", ...held("a refresh token works once, and there is no other", trials) }];
  }
  // Only once its successor was used is an old token nobody's lost answer any more.
  const third = await refresh(flow, "positive", label, successor);
  const known = await refresh(flow, "negative", `${label}, a made-up refresh token`, fresh());
  const controls = [...control, third.trial, known.trial];
  if (third.got !== "granted" || known.got !== "refused")
    return [{ check: "refresh-reuse", ...inconclusive("good and bad refresh tokens are not told apart", controls) }];
  let tries = 0;
  const reuse = await flowVerdict({
    check: "refresh-reuse",
    control: controls,
    async attack() {
      tries += 1;
      if (tries > 1)
        await new Promise((resolve) => setTimeout(resolve, Math.min(graceMs, flow.context.patienceMs + 1000)));
      const { got, trial } = await refresh(flow, "attack", `${label}, a refresh token that was used`, token);
      return { got, why: "the token endpoint says neither yes nor no", trials: [trial] };
    },
    broken: "a refresh token works again after it was used and its successor too",
    held: "a refresh token that was used is refused",
  });
  const youngest = third.refresh ?? successor;
  if (reuse.verdict !== "held") return [reuse];
  const after = await refresh(flow, "attack", `${label}, the successor after the reuse`, youngest);
  const trials = [...controls.slice(-2), ...reuse.trials.slice(-1), after.trial];
  const family =
    after.got === "granted"
      ? broken(
          "after an old refresh token came again its successor still works: the thief or the owner goes on",
          trials,
        )
      : after.got === "refused"
        ? held("an old refresh token that comes again ends its successors too", trials)
        : inconclusive("the token endpoint says neither yes nor no", trials);
  return [reuse, { check: "refresh-family", ...family }];
}

async function foreignRefresh(flow: Flow, other: OAuthClient | undefined): Promise<readonly NamedOutcome[]> {
  const attackers: readonly (readonly [string, OAuthClient, string])[] = [
    ...(other === undefined ? [] : [["refresh-other-client", other, "another client"] as const]),
    ...(flow.client.secret === undefined
      ? []
      : [
          [
            "refresh-without-secret",
            { id: flow.client.id, redirect: flow.client.redirect },
            "its client without a secret",
          ] as const,
        ]),
  ];
  const out: NamedOutcome[] = [];
  for (const [check, as, who] of attackers) {
    const granted = await grant(flow);
    out.push(
      await flowVerdict({
        check,
        control: granted.trials,
        async attack() {
          const fresher = await grant(flow);
          if ("failed" in fresher || fresher.tokens.refresh === undefined)
            return { got: "unclear", why: "no fresh refresh token was issued", trials: fresher.trials };
          const used = await refresh(flow, "attack", `client ${as.id}, not its own`, fresher.tokens.refresh, {
            client: as,
          });
          return {
            got: used.got,
            why: "the token endpoint says neither yes nor no",
            trials: [...fresher.trials, used.trial],
          };
        },
        broken: `a refresh token works for ${who}`,
        held: `a refresh token is refused to ${who}`,
      }),
    );
  }
  return out;
}

/** A refresh may narrow what was agreed to and never widen it (RFC 6749 section 6). */
async function widened(flow: Flow): Promise<Outcome> {
  const own = flow.scope.split(" ").filter((one) => one !== "");
  const usual = new Set(["openid", "offline_access"]);
  const more =
    own.find((one) => !usual.has(one)) ??
    textsAt(flow.server.metadata, "scopes_supported").find((one) => !usual.has(one) && !own.includes(one));
  if (more === undefined) return notApplicable("There is no scope but what the client has.");
  const narrow = own.filter((one) => one !== more).join(" ");
  if (narrow === "") return notApplicable("The client has one scope, which cannot be narrowed.");
  const both = `${narrow} ${more}`;
  const verdict = await flowVerdict({
    check: "refresh-scope",
    control: [],
    async attack() {
      const granted = await grant(flow, "positive", { scope: narrow });
      const token = "failed" in granted ? undefined : granted.tokens.refresh;
      if ("failed" in granted || token === undefined)
        return { got: "unclear", why: "no refresh token is issued for a narrower scope", trials: granted.trials };
      const asked = await refresh(flow, "attack", `client ${flow.client.id}, a wider scope`, token, { scope: both });
      const trials = [...granted.trials, asked.trial];
      if (asked.got !== "granted") return { got: asked.got, why: "neither a yes nor a no", trials };
      const claims = readToken(asked.access ?? "")?.claims;
      const has = asked.scope ?? textAt(claims, "scope");
      // RFC 6749 section 5.1: a server that says no scope has granted the one that was asked for.
      return { got: (has ?? both).split(" ").includes(more) ? "granted" : "refused", trials };
    },
    broken: `a refresh brings the scope ${more}, which was not agreed to`,
    held: "a refresh brings no scope that was not agreed to",
  });
  return verdict;
}

async function revocation(flow: Flow): Promise<readonly NamedOutcome[]> {
  if (flow.server.endpoint("revocation_endpoint") === undefined) {
    const why = "The server offers no way to revoke a token (revocation_endpoint).";
    return [{ check: "refresh-after-revocation", ...notApplicable(why) }];
  }
  const revoke = async (token: string, hint: string) => {
    const params = { token, token_type_hint: hint };
    return await postAsClient(flow, "positive", `client ${flow.client.id}`, flow.client, "revocation_endpoint", params);
  };
  const granted = await grant(flow);
  if ("failed" in granted || granted.tokens.refresh === undefined)
    return [
      { check: "refresh-after-revocation", ...inconclusive("no fresh refresh token was issued", granted.trials) },
    ];
  const { tokens } = granted;
  const out: NamedOutcome[] = [];
  const access = tokens.access === undefined ? undefined : await accessRevoked(flow, granted, revoke);
  if (access !== undefined) out.push({ check: "access-after-revocation", ...access });
  const said = await revoke(granted.tokens.refresh, "refresh_token");
  const label = `client ${flow.client.id}, after revocation`;
  const after = await refresh(flow, "attack", label, granted.tokens.refresh);
  const trials = [...granted.trials.slice(-1), said, after.trial];
  const refused = held("a refresh token that was revoked is refused", trials);
  const verdict = !isSuccess(said.answer)
    ? inconclusive(`the revocation endpoint answered ${said.answer.status} to an honest client`, trials)
    : after.got === "granted"
      ? broken("a refresh token works after it was revoked", trials)
      : after.got === "refused"
        ? refused
        : inconclusive("the token endpoint says neither yes nor no", trials);
  out.push({ check: "refresh-after-revocation", ...verdict });
  return out;
}

/** Only the server's own userinfo is asked: an API that verifies tokens by itself learns of a revocation when they expire. */
async function accessRevoked(
  flow: Flow,
  granted: Granted,
  revoke: (token: string, hint: string) => Promise<Trial>,
): Promise<Outcome | undefined> {
  const token = granted.tokens.access ?? "";
  // Who asks for openid may read who signed in; without it userinfo refuses everybody.
  const before = await userinfo(flow, token, "positive", `client ${flow.client.id}`);
  if (before === undefined || !isSuccess(before.answer)) return undefined;
  const said = await revoke(token, "access_token");
  if (!isSuccess(said.answer)) return undefined;
  const after = await userinfo(flow, token, "attack", `client ${flow.client.id}, after revocation`);
  if (after === undefined) return undefined;
  const trials = [before, said, after];
  if (isSuccess(after.answer)) {
    return readToken(token) === undefined
      ? broken("an access token works at userinfo after it was revoked", trials)
      : notApplicable("Access tokens carry their own proof here: one that was revoked ends when it expires.");
  }
  return held("an access token that was revoked is refused", trials);
}

/**
 * After signing out at the server, the browser that was signed in gets no code any more, with old cookies neither, and a
 * refresh token that was not for offline access has ended with its session.
 *
 * @see OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0 section 2.7, OWASP ASVS 5.0 7.4.1
 */
export async function logoutChecks(flow: Flow): Promise<readonly NamedOutcome[]> {
  const end = flow.server.endpoint("end_session_endpoint");
  if (end === undefined)
    return [
      { check: "session-after-logout", ...notApplicable("Nothing signs out at the server (end_session_endpoint).") },
    ];
  const { context, server, client, person } = flow;
  const granted = await grant(flow, "positive", { scope: onlineScope(flow.scope) });
  if ("failed" in granted) return [{ check: "session-after-logout", ...inconclusive(granted.failed, granted.trials) }];
  const silent = { scope: onlineScope(flow.scope), prompt: "none" };
  const nobody = { ...flow, person: { jar: person.jar.copy(), account: undefined } };
  const asked = await authorize(nobody, "positive", "the browser that is signed in", silent);
  if (codeIn(asked.arrival) === undefined) {
    const why = "a browser that is signed in gets no code without being asked, so that signing out shows nothing";
    return [{ check: "session-after-logout", ...notApplicable(why) }];
  }
  const old = person.jar.copy();
  const state = fresh();
  const params = new URLSearchParams({ client_id: client.id, state });
  if (granted.tokens.id !== undefined) params.set("id_token_hint", granted.tokens.id);
  const target = `${end}${end.includes("?") ? "&" : "?"}${params.toString()}`;
  const left = await browse(
    context,
    server,
    { ...person, account: undefined },
    {
      target,
      state,
      leg: "positive",
      label: "signing out",
      signsOut: true,
    },
  );
  const control = [...asked.arrival.trials.slice(-1), ...left.trials.slice(-2)];
  const out: NamedOutcome[] = [];
  const kept = granted.tokens.refresh;
  if (kept !== undefined) {
    const used = await refresh(flow, "attack", `client ${client.id}, after signing out`, kept);
    const trials = [...control, used.trial];
    const what = "a refresh token without offline access";
    const verdict =
      used.got === "granted"
        ? broken(`${what} works after its user signed out`, trials)
        : used.got === "refused"
          ? held(`${what} ends when its user signs out`, trials)
          : inconclusive("the token endpoint says neither yes nor no", trials);
    out.push({ check: "refresh-after-logout", ...verdict });
  }
  for (const [check, jar, what] of [
    ["session-after-logout", person.jar.copy(), "the browser that signed out"],
    ["old-cookie-after-logout", old, "cookies from before signing out"],
  ] as const) {
    const after = { ...flow, person: { jar, account: undefined } };
    const { arrival } = await authorize(after, "attack", what, silent);
    const trials = [...control, ...arrival.trials.slice(-1)];
    if (codeIn(arrival) !== undefined) {
      const isDone = left.trials.every(({ answer }) => answer.status > 0 && answer.status < 400);
      const why = "signing out could not be finished by the forms the server shows";
      out.push({
        check,
        ...(isDone ? broken(`after signing out there is still a code for ${what}`, trials) : inconclusive(why, trials)),
      });
      continue;
    }
    const error = arrival.kind === "response" ? (arrival.params.get("error") ?? "") : "";
    const isNo = error.endsWith("_required") || gotCode(flow, arrival).got === "refused";
    out.push({
      check,
      ...(isNo
        ? held(`after signing out there is no code for ${what}`, trials)
        : inconclusive("neither a code nor a known no", trials)),
    });
  }
  return out;
}
