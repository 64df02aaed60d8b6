import { type Answer, isSuccess } from "./answer.ts";
import type { Login, Recipe } from "./auth-file.ts";
import { decoded } from "./decoded.ts";
import type { Outgoing } from "./fetcher.ts";
import { changing, type Header, type Identity, identityOf, readToken } from "./identities.ts";
import { numberAt } from "./json.ts";
import { obtained } from "./obtained.ts";
import { resembles } from "./oracle.ts";
import { ScanError } from "./scan-error.ts";
import type { Scheme } from "./schemes.ts";

/** Somebody who can sign in: an identity whose credential is always the current one. */
export interface Live {
  readonly identity: Identity;
  /** Signs in; of several credentials the answer may carry, the one that `accepts` takes. */
  signIn(accepts: (candidate: Identity) => Promise<boolean>): Promise<void>;
  /** Tells how to see whether the credential still works: a request of it and the answer it got when it did. */
  recognised(request: Outgoing, answer: Answer): void;
  /** Sends one request of it; signs in again and sends it once more where the credential has died. */
  send(
    outgoing: Outgoing,
    go: (outgoing: Outgoing) => Promise<Answer>,
  ): Promise<{ outgoing: Outgoing; answer: Answer }>;
}

/** What signing in takes. */
export interface LiveOptions {
  readonly recipe: Recipe & { readonly login: Login };
  readonly schemes: readonly Scheme[];
  /** Sends the sign-in request. */
  readonly ask: (login: Login) => Promise<Answer>;
  /** Told of every secret received. */
  readonly received: (secret: string, name: string) => void;
  /** Milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/** An answer this recent, milliseconds, shows that a credential is alive, unless a 401 says otherwise. */
const recentMs = 1000;

/** No credential is renewed more often than this because of how long it lives, milliseconds. */
const leastLifeMs = 400;

/** Without one for so long, milliseconds, it is asked again before it is used: some APIs refuse with 200. */
const quietMs = 5000;

/** A token is renewed so long before it says it ends, milliseconds. */
const earlyMs = 5000;

/** Signing in again fails so often in a row before it is given up. */
const mostFailures = 3;

/**
 * Makes an identity that signs in by itself. Nothing is sent before `signIn`, and until then it has no credential.
 *
 * @returns the identity and its keeper; `signIn` rejects with `ScanError` where the sign-in is refused or its answer
 *   carries nothing that works
 */
export function createLive(options: LiveOptions): Live {
  const { recipe, schemes, ask, received } = options;
  const now = options.now ?? Date.now;
  const none: Identity = { ...identityOf(recipe.name, "Authorization: none", recipe.roles) };
  let current = none;
  /** Header values of all credentials it ever had. */
  const former = new Set<string>();
  /** Which of the candidates was the right one, by its place. */
  let choice = 0;
  let proof: { request: Outgoing; answer: Answer } | undefined;
  let aliveAt = 0;
  let signedInAt = 0;
  /** How long the last credentials lived that died, milliseconds. */
  let lives: readonly number[] = [];
  let failures = 0;
  let renewing: Promise<boolean> | undefined;

  const identity = changing(
    recipe,
    () => current,
    (now) => along(now, recipe.headers),
  );

  function take(credential: Identity): void {
    if (current !== none) former.add(current.header[1]);
    current = credential;
    aliveAt = now();
    signedInAt = now();
  }

  async function candidates(): Promise<readonly Identity[]> {
    const answer = await ask(recipe.login);
    const texts = obtained(answer, recipe.login, schemes);
    if (answer.status === 0 || answer.status >= 400)
      throw new ScanError(
        `${recipe.name} could not sign in: ${recipe.login.method} ${recipe.login.endpoint} ${said(answer)}`,
      );
    if (texts.length === 0)
      throw new ScanError(
        `the answer to ${recipe.name}'s sign-in (${recipe.login.method} ${recipe.login.endpoint}, ${said(answer)}) carries no credential where one was expected`,
      );
    const found = texts.map((text) => identityOf(recipe.name, text, recipe.roles));
    for (const { secret } of found) received(secret, recipe.name);
    return found;
  }

  async function renew(): Promise<boolean> {
    if (failures >= mostFailures) return false;
    try {
      const found = await candidates();
      const next = found[choice] ?? found[0];
      if (next === undefined) return false;
      take(next);
      failures = 0;
      return true;
    } catch (error) {
      if (!(error instanceof ScanError)) throw error;
      failures += 1;
      return false;
    }
  }

  /** One sign-in at a time; who comes meanwhile gets its result. */
  function renewOnce(): Promise<boolean> {
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  /** The request with today's credential in place of any it had before. */
  function refitted(outgoing: Outgoing): Outgoing {
    const headers = outgoing.headers.map((header): Header => (former.has(header[1]) ? current.header : header));
    return { ...outgoing, headers };
  }

  async function isAlive(go: (outgoing: Outgoing) => Promise<Answer>): Promise<boolean> {
    if (proof === undefined) return true;
    const answer = await go(refitted(proof.request));
    const alive = answer.status === 429 || answer.status === 503 || resembles(answer, proof.answer);
    if (alive) aliveAt = now();
    else lives = [now() - signedInAt, ...lives].slice(0, 2);
    return alive;
  }

  function endsSoon(): boolean {
    // Two that died at about the same age tell how long they live; one alone may have been taken back.
    const [last = 0, before = 0] = lives;
    const isSteady = Math.min(last, before) * 1.5 > Math.max(last, before);
    if (isSteady && now() - signedInAt > Math.max(leastLifeMs, Math.min(last, before) * 0.6)) return true;
    const claims = readToken(current.secret)?.claims;
    const end = numberAt(claims, "exp");
    if (end === undefined) return false;
    const life = (end - (numberAt(claims, "iat") ?? end - 60)) * 1000;
    return end * 1000 - now() < Math.min(earlyMs, life / 4);
  }

  return {
    identity,
    recognised(request, answer) {
      proof = { request, answer };
      aliveAt = now();
    },
    async signIn(accepts) {
      const found = await candidates();
      for (const [index, candidate] of found.entries()) {
        if (found.length > 1 && !(await accepts(withAlong(candidate, recipe.headers)))) continue;
        choice = index;
        return take(candidate);
      }
      const [first] = found;
      if (first === undefined) return;
      take(first);
    },
    async send(outgoing, go) {
      if (outgoing.burst === true) return { outgoing, answer: await go(outgoing) };
      if (endsSoon()) await renewOnce();
      if (proof !== undefined && now() - aliveAt > quietMs && !(await isAlive(go))) await renewOnce();
      const first = refitted(outgoing);
      const credential = current.header[1];
      const answer = await go(first);
      if (isSuccess(answer)) {
        if (outgoing.operation?.access.kind === "caller") aliveAt = now();
        return { outgoing: first, answer };
      }
      const isOld = current.header[1] !== credential;
      const asks = answer.status === 401 || now() - aliveAt > recentMs;
      const died = !isOld && proof !== undefined && asks && !(await isAlive(go));
      if (!isOld && !(died && (await renewOnce()))) return { outgoing: first, answer };
      const again = refitted(first);
      return { outgoing: again, answer: await go(again) };
    },
  };
}

/** A CSRF cookie travels back in a header, as the page that got it would send it. */
function along(credential: Identity, headers: readonly Header[]): readonly Header[] {
  if (credential.kind !== "cookie") return headers;
  const token = /(?:^|; )(xsrf-token|csrf-?token|_csrf|csrf)=([^;]+)/i.exec(credential.header[1]);
  if (token?.[2] === undefined) return headers;
  return [...headers, [/xsrf/i.test(token[1] ?? "") ? "x-xsrf-token" : "x-csrf-token", decoded(token[2])]];
}

function withAlong(candidate: Identity, headers: readonly Header[]): Identity {
  return { ...candidate, along: along(candidate, headers) };
}

function said(answer: Answer): string {
  return answer.status === 0 ? (answer.failure ?? "gave no answer") : `answered ${answer.status}`;
}
