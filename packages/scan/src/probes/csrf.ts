import { isSuccess } from "../answer.ts";
import { type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import type { Header, Identity } from "../identities.ts";
import { outcome } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { bodyOf, withHeaders } from "../requests.ts";
import { type Stage, stageWrite } from "../stage.ts";
import { isGone, isSafe, type Operation } from "../target.ts";

/**
 * Writes with a cookie as a foreign page would send them. Judged by what the owner reads afterwards, whatever the answer
 * says; and signing in from a foreign page.
 */
export const csrf: Probe = { id: "csrf", plan: planCsrf };

/** A request as a browser makes it on somebody else's page. */
interface ForeignPage {
  readonly check: string;
  readonly headers: readonly Header[];
  /** Who sends it, after "a write from". */
  readonly what: string;
  /** The body is that of a form, where it can be written as one. */
  readonly isForm?: true;
}

/** What a browser sends from somebody else's page, and origins that a careless comparison takes for the API's own. */
function foreignPages({ protocol, hostname, origin }: URL): readonly ForeignPage[] {
  const crossSite = (from: string, mode = "no-cors"): readonly Header[] => [
    ["sec-fetch-site", "cross-site"],
    ["sec-fetch-mode", mode],
    ["origin", from],
  ];
  const evil = "https://evil.example";
  return [
    { check: "cross-site", headers: crossSite(evil), what: "a foreign page" },
    {
      check: "foreign-origin",
      headers: [["origin", evil]],
      what: "a foreign page in an old browser (Origin only)",
    },
    {
      check: "no-origin",
      headers: [
        ["sec-fetch-site", "cross-site"],
        ["sec-fetch-mode", "no-cors"],
      ],
      what: "a foreign page that tells no Origin",
    },
    { check: "null-origin", headers: [["origin", "null"]], what: "a sandboxed frame (Origin: null)" },
    { check: "null-origin-cross-site", headers: crossSite("null"), what: "a sandboxed frame of another site" },
    {
      check: "same-site",
      headers: [
        ["sec-fetch-site", "same-site"],
        ["origin", "https://other.localhost"],
      ],
      what: "a sibling site",
    },
    {
      check: "origin-prefix",
      headers: crossSite(`${protocol}//${hostname}.evil.example`),
      what: "a site whose name begins like the API's",
    },
    {
      check: "origin-prefix-whole",
      headers: crossSite(`${origin}.evil.example`),
      what: "a site whose name begins with the API's whole origin",
    },
    {
      check: "origin-suffix",
      headers: crossSite(`${protocol}//evil${hostname}`),
      what: "a site whose name ends like the API's",
    },
    {
      check: "text-plain",
      headers: [...crossSite(evil, "navigate"), ["content-type", "text/plain"]],
      what: "a foreign form with JSON in it (text/plain)",
    },
    {
      check: "form",
      headers: [...crossSite(evil, "navigate"), ["content-type", "application/x-www-form-urlencoded"]],
      what: "a foreign form",
      isForm: true,
    },
  ];
}

function planCsrf(context: ProbeContext): readonly Check[] {
  const { sessions, target } = context;
  const cookies =
    target.policy.credentials.some((entry) => entry.kind === "sessions") ||
    sessions.start !== undefined ||
    context.identities.some((identity) => identity.kind === "cookie");
  if (!cookies)
    return [{ check: "csrf", notApplicable: "No cookie proves a caller here; headers do not travel by themselves." }];
  const checks: Check[] = [];
  const write = writeFor(context);
  if (write === undefined) checks.push({ check: "writes", notApplicable: "No write takes the cookie." });
  else checks.push({ check: "writes", operation: write, run: () => foreignWrites(context, write) });
  const { start } = sessions;
  if (start !== undefined)
    checks.push({ check: "sign-in", operation: start, run: () => foreignSignIn(context, start) });
  return checks;
}

/** A write on something the scan makes that a cookie may do; creating comes last, it leaves most behind. */
function writeFor(context: ProbeContext): Operation | undefined {
  const now = context.now();
  const cookie: Identity = {
    name: "session",
    kind: "cookie",
    header: ["cookie", ""],
    scheme: "",
    secret: "",
    cookie: "session",
    roles: [],
  };
  const writes = context.target.operations.filter(
    (operation) =>
      !isSafe(operation) &&
      !isGone(operation, now) &&
      operation.access.kind === "caller" &&
      operation.access.roles.length === 0 &&
      operation.body !== undefined &&
      takes(operation, cookie, context.target),
  );
  const kinds = context.objects.kinds;
  return (
    writes.find((operation) => kinds.some((kind) => kind.update === operation && kind.parent === undefined)) ??
    writes.find((operation) => kinds.some((kind) => kind.create === operation))
  );
}

async function foreignWrites(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const identity = await context.sessions.identity();
  const control = await stageWrite(context, operation, identity);
  const honest = await context.send("positive", control.request(identity, "session, own page"));
  if (!isSuccess(honest.answer)) {
    return [
      {
        check: "writes",
        ...inconclusive(`the same write from the API's own page ${outcome(honest.answer)}`, [honest]),
      },
    ];
  }
  const found: NamedOutcome[] = [];
  // What a refused write left as it was serves for the next one.
  let stage: Stage | undefined;
  for (const page of foreignPages(context.fetcher.url)) {
    stage ??= await stageWrite(context, operation, identity);
    const outcomeOfPage = await foreignWrite(context, stage, identity, honest, page);
    if (outcomeOfPage.verdict !== "held") stage = undefined;
    found.push({ check: page.check, ...outcomeOfPage });
  }
  return found;
}

async function foreignWrite(
  context: ProbeContext,
  stage: Stage,
  identity: Identity,
  honest: Trial,
  { headers, what, isForm }: ForeignPage,
): Promise<Outcome> {
  const trials: Trial[] = [honest];
  for (let round = 1; round <= 2; round += 1) {
    const own = stage.request(identity);
    const sent = foreignPage(isForm ? asForm(own) : own, headers, `session, ${what}`);
    const attack = await context.send("attack", sent);
    trials.push(attack);
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), trials);
    const seen = await stage.changed(attack);
    if (seen !== undefined) trials.push(seen.trial);
    if (seen?.changed !== true && !(seen === undefined && isSuccess(attack.answer)))
      return held(`a write from ${what} changes nothing`, trials);
  }
  return broken(`a write from ${what} takes effect`, trials);
}

/** The members of a JSON body as the fields of a form. */
function asForm(outgoing: Outgoing): Outgoing {
  const fields = Object.entries(bodyOf(outgoing) ?? {}).map(([name, value]): [string, string] => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return { ...outgoing, body: new URLSearchParams(fields).toString() };
}

/** Signing somebody in from a foreign page makes him use the attacker's account. */
async function foreignSignIn(context: ProbeContext, start: Operation): Promise<Outcome> {
  const account = context.sessions.accounts[0];
  if (account === undefined) return inconclusive("it needs an account (--account email:password)");
  const control = await context.sessions.identity().catch(() => undefined);
  if (control === undefined) return notApplicable("The account given cannot sign in.");
  const headers: readonly Header[] = [
    ["sec-fetch-site", "cross-site"],
    ["origin", "https://evil.example"],
  ];
  const attempt = () =>
    context.send("attack", {
      ...context.sessions.attempt(start, account.user, account.password, headers),
      label: "a foreign page",
    });
  const first = await attempt();
  if (isLimited(first.answer)) return inconclusive(limitedWhy(first.answer), [first]);
  const setsCookie = (trial: Trial) =>
    isSuccess(trial.answer) && trial.answer.headers.some(([name]) => name === "set-cookie");
  if (!setsCookie(first)) return held("a foreign page cannot sign anybody in", [first]);
  const second = await attempt();
  return setsCookie(second)
    ? broken("a foreign page can start a session", [first, second])
    : inconclusive("it worked once and not again", [first, second]);
}

/** The same request as a foreign page makes a browser send it: nothing of the own page's headers is left. */
function foreignPage(outgoing: Outgoing, headers: readonly Header[], label: string): Outgoing {
  const own = outgoing.headers.filter(([name]) => name !== "origin" && name !== "sec-fetch-site");
  return withHeaders({ ...outgoing, headers: own }, headers, label);
}
