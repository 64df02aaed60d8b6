import { type Answer, isSuccess } from "./answer.ts";
import type { Login, Recipe } from "./auth-file.ts";
import type { Fetcher, Outgoing } from "./fetcher.ts";
import { type Identity, identityOf } from "./identities.ts";
import { createLive, type Live } from "./live.ts";
import { resembles } from "./oracle.ts";
import { requestFor } from "./requests.ts";
import { ScanError } from "./scan-error.ts";
import { isGone, type Operation, pathParameters, type Target } from "./target.ts";

/** Everybody the scan can be, and those among them who sign in by themselves. */
export interface Callers {
  readonly identities: readonly Identity[];
  /** Sends a request; who it is made as may sign in again first, and then it is sent once more. */
  send(
    outgoing: Outgoing,
    go: (outgoing: Outgoing) => Promise<Answer>,
  ): Promise<{ outgoing: Outgoing; answer: Answer }>;
  /** Somebody's request was accepted: by asking it again his credential is seen to live. */
  recognised(name: string, request: Outgoing, answer: Answer): void;
  /** Adds somebody who signs in; he does so before this resolves. */
  join(recipe: Recipe): Promise<Identity>;
}

/** What they need. */
export interface CallersOptions {
  readonly target: Target;
  readonly fetcher: Fetcher;
  /** Opens a connection to a sign-in server elsewhere; throws `ScanError` for a host that may not be contacted. */
  readonly elsewhere: (url: URL) => Fetcher;
  readonly given: readonly Identity[];
  readonly received: (secret: string, name: string) => void;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Makes the callers of a scan. Nothing is sent before somebody joins. */
export function createCallers(options: CallersOptions): Callers {
  const { target, fetcher, received } = options;
  const identities: Identity[] = [...options.given];
  const live = new Map<string, Live>();
  const reads = protectedReads(target, options.now);

  async function ask(login: Login): Promise<Answer> {
    const away = /^https?:/i.test(login.endpoint) ? new URL(login.endpoint) : undefined;
    const isHere = away === undefined || away.origin === fetcher.url.origin;
    const to = isHere ? fetcher : options.elsewhere(away);
    try {
      return await to.send({
        method: login.method,
        target: away === undefined ? login.endpoint : `${away.pathname}${away.search}`,
        headers: login.headers,
        ...(login.body === undefined ? {} : { body: login.body }),
        label: "signing in",
      });
    } finally {
      if (!isHere) to.close();
    }
  }

  /** Whether a credential is taken: some read answers it, and not in the way it answers a stranger. */
  async function accepts(candidate: Identity): Promise<boolean> {
    for (const read of reads.slice(0, 4)) {
      const mine = await fetcher.send(requestFor(read, { as: candidate }));
      if (!isSuccess(mine)) continue;
      const strangers = await fetcher.send(requestFor(read, {}));
      if (!resembles(strangers, mine)) return true;
    }
    return false;
  }

  return {
    identities,
    async send(outgoing, go) {
      const somebody = outgoing.as === undefined ? undefined : live.get(outgoing.as.name);
      return somebody === undefined ? { outgoing, answer: await go(outgoing) } : await somebody.send(outgoing, go);
    },
    recognised: (name, request, answer) => live.get(name)?.recognised(request, answer),
    async join(recipe) {
      if (identities.some(({ name }) => name === recipe.name))
        throw new ScanError(`two identities are called ${recipe.name}`);
      const { login } = recipe;
      for (const [, value] of recipe.headers) received(value.replace(/^[A-Za-z]+ +/, ""), recipe.name);
      if (login === undefined) {
        const identity = fixedIdentity(recipe);
        identities.push(identity);
        return identity;
      }
      for (const secret of login.secrets) received(secret, recipe.name);
      const somebody = createLive({ recipe: { ...recipe, login }, schemes: target.schemes, ask, received });
      await somebody.signIn(accepts);
      live.set(recipe.name, somebody);
      identities.push(somebody.identity);
      return somebody.identity;
    },
  };
}

/** Somebody known by headers that never change: the one that looks like a credential, and those that go with it. */
function fixedIdentity({ name, roles, headers }: Recipe): Identity {
  const looks = [/^authorization$/, /key|token|auth|session|secret/, /^cookie$/, /./];
  const rank = (field: string) => looks.findIndex((pattern) => pattern.test(field));
  const [credential] = [...headers].sort(([left], [right]) => rank(left) - rank(right));
  if (credential === undefined) throw new ScanError(`${name} has no credential`);
  const identity = identityOf(name, `${credential[0]}: ${credential[1]}`, roles);
  const along = headers.filter((header) => header !== credential);
  return along.length === 0 ? identity : { ...identity, along };
}

/** Reads that a credential can be tried on, what is said to need one first. */
function protectedReads(target: Target, now: number): readonly Operation[] {
  const reads = target.operations.filter(
    (operation) =>
      operation.method === "GET" &&
      operation.access.kind !== "public" &&
      !isGone(operation, now) &&
      pathParameters(operation.path).length === 0 &&
      !operation.parameters.some((parameter) => parameter.required),
  );
  const rank = (operation: Operation) =>
    (operation.access.kind === "caller" ? 0 : 2) +
    (/\/(?:me|self|profile|account|whoami|session)$/i.test(operation.path) ? 0 : 1);
  return [...reads].sort((left, right) => rank(left) - rank(right));
}
