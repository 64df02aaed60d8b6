import { createAbilities } from "./abilities.ts";
import { readAuthFile } from "./auth-file.ts";
import { sameOrigin } from "./browser.ts";
import { type Callers, createCallers } from "./callers.ts";
import { createContext, isPrivileged, type ProbeContext } from "./context.ts";
import { createCreations } from "./creations.ts";
import { efforts } from "./effort.ts";
import type { Leg, Trial } from "./exchange.ts";
import { browserEntrance, type Entrance } from "./entrances.ts";
import { createFetcher, type Fetcher, type Outgoing } from "./fetcher.ts";
import { hostOf } from "./address.ts";
import { createHistory } from "./history.ts";
import type { Interrupt } from "./interrupt.ts";
import { canAct, type Identity, subjectOf, withBrowsers } from "./identities.ts";
import { kindsOf } from "./kinds.ts";
import { createObjects } from "./objects.ts";
import { observeAccess } from "./observe.ts";
import type { ScanOptions } from "./options.ts";
import { createPacer } from "./pace.ts";
import { plainCredentials } from "./plain-credentials.ts";
import { preflight } from "./preflight.ts";
import { seeded } from "./random.ts";
import { recogniseIdentities } from "./recognise.ts";
import type { Redactor } from "./redact.ts";
import { register, registerAccount, type Registering, signInOf, signInRecipe, signUpOf } from "./registration.ts";
import { ScanError, Unreachable } from "./scan-error.ts";
import type { Account } from "./account.ts";
import { createSessions, isSignIn } from "./sign-in.ts";
import { createSupabase } from "./supabase.ts";
import type { Target } from "./target.ts";

/** What a scan knows before it sends anything. */
export interface Preparation {
  readonly options: ScanOptions;
  readonly described: Target;
  readonly fetcher: Fetcher;
  /** Knows what the options hold; is told of every secret that comes. */
  readonly redactor: Redactor;
  readonly seed: number;
  readonly patienceMs: number;
  /** True for a host that may be contacted. */
  readonly mayContact: (host: string) => boolean;
  /** Asked before every request to another host than the target's. */
  readonly interrupt: Interrupt;
  /** Told what a person should know before it happens. */
  readonly warn: (line: string) => void;
}

/**
 * Makes sure that the target is there, signs everybody in, learns who is who and what needs a caller.
 *
 * @returns everything probes work with; its target says more than the description did
 * @throws ScanError when nothing listens, somebody cannot sign in, or a credential is refused everywhere
 */
export async function prepare(preparation: Preparation): Promise<ProbeContext> {
  const { options, described, fetcher, redactor, seed, patienceMs } = preparation;
  const random = seeded(seed);
  const received = (secret: string, name: string) => redactor.add(secret, name);
  const prefix = `pc-${random.text(6)}`;
  const creations = createCreations(prefix, isSignIn);
  const abilities = createAbilities();
  const history = createHistory();
  const now = Date.now();
  const callers = createCallers({
    target: described,
    fetcher,
    elsewhere: (url) => elsewhere(url, preparation),
    given: options.identities,
    received,
    now,
  });
  const send = async (leg: Leg, outgoing: Outgoing): Promise<Trial> => {
    const trial: Trial = { leg, ...(await callers.send(outgoing, (one) => fetcher.send(one))) };
    creations.watch(trial);
    abilities.watch(trial);
    history.watch(trial);
    return trial;
  };
  await preflight(fetcher, described, options.identities, now);
  const using = { target: described, url: fetcher.url, random: random.fork("accounts"), prefix, send, received, now };
  const { said, accounts } = await joinEverybody(preparation, callers, using, redactor);
  const identities = withBrowsers(callers.identities, sameOrigin(fetcher.url));
  const { subjects, proofs } = await recogniseIdentities(described, identities, send, now, patienceMs);
  for (const [name, { outgoing, answer }] of proofs) callers.recognised(name, outgoing, answer);
  const observed = await observeAccess(described, identities, send, random.fork("strangers"));
  const target = { ...observed, assumptions: [...observed.assumptions, ...said] };
  const subject = (identity: Identity) => subjects.get(identity.name) ?? subjectOf(identity);
  const context = createContext({
    target,
    fetcher,
    redactor,
    identities,
    random,
    jwtKey: options.jwtKey,
    webhookSecrets: options.webhooks ?? [],
    oauthClients: options.oauth ?? [],
    ca: options.ca,
    now: Date.now,
    patienceMs,
    supabase:
      options.supabase === undefined
        ? undefined
        : createSupabase({
            options: options.supabase,
            fetcher: elsewhere(new URL(options.supabase.url), preparation),
            identities,
            random: random.fork("supabase"),
            prefix,
            subject,
          }),
    effort: efforts[options.profile ?? "quick"],
    send,
    subjects,
    abilities,
    history,
    sessions: createSessions({
      url: fetcher.url,
      target,
      identities,
      accounts,
      redactor,
      random: random.fork("sign-in"),
      now,
      send,
    }),
    objects: createObjects({
      kinds: kindsOf(target, now),
      operations: target.operations,
      send,
      random: random.fork("objects"),
      prefix,
      creations,
      keep: (requests) => fetcher.keep(requests),
      identities,
      self: subject,
      person(owner) {
        const others = identities.filter((identity) => identity.name !== owner.name);
        return others.map(subject).find((account) => account !== undefined && account !== subject(owner));
      },
    }),
  });
  // A manifest says exactly what a body has to be.
  if (target.source !== "manifest") {
    const plain = identities.filter((one) => canAct(one) && !isPrivileged(one, target));
    await context.objects.learn((plain.length > 0 ? plain : identities).slice(0, 3));
  }
  return context;
}

/**
 * Who is in the authentication file; where nobody was given, the accounts; and where that makes fewer than two callers
 * without roles, users registered for the scan; then an account for the probes of sign-in too, where none was given.
 *
 * @returns what to say about it, one sentence each; and the accounts
 */
async function joinEverybody(
  { options, described, fetcher }: Preparation,
  callers: Callers,
  using: Registering,
  redactor: Redactor,
): Promise<{ readonly said: readonly string[]; readonly accounts: readonly Account[] }> {
  const given = options.accounts ?? [];
  const recipes = options.auth === undefined ? [] : await readAuthFile(options.auth);
  for (const recipe of recipes) {
    await callers.join({ ...recipe, roles: options.roles?.get(recipe.name) ?? recipe.roles });
  }
  const signIn = signInOf(described, using.now);
  // What is signed in at by itself may be the issuer alone, whose cookie proves nobody to the API.
  const byBrowser = browserEntrance({ browser: { ...using, redactor, fetcher }, target: described, now: using.now });
  const joinByBrowser = async (entrance: Entrance, name: string, account: Account): Promise<void> => {
    const headers = [["cookie", await cookieOf(entrance, account)] as const];
    await callers.join({ name, roles: options.roles?.get(name) ?? [], headers, login: undefined });
  };
  const isAlone = callers.identities.length === 0;
  if (isAlone && byBrowser !== undefined) {
    for (const [index, account] of given.entries()) await joinByBrowser(byBrowser, `account${index + 1}`, account);
  } else if (isAlone && signIn !== undefined) {
    for (const [index, account] of given.entries()) {
      await callers.join(signInRecipe(`account${index + 1}`, signIn, account, using));
    }
  }
  const signUp = options.register === false ? undefined : signUpOf(described, using.now);
  const plain = () => callers.identities.filter((identity) => !isPrivileged(identity, described)).length;
  if (signUp === undefined) return { said: [], accounts: given };
  const made: string[] = [];
  for (let number = 1; number <= 2 && plain() < 2; number += 1) {
    const name = `user${number}`;
    try {
      if (byBrowser === undefined) await callers.join(await register(signUp, name, using));
      else {
        const account = await registerAccount(signUp, name, using);
        if (account === undefined) throw new Unreachable(`${signUp.id} made no account`);
        await joinByBrowser(byBrowser, name, account);
      }
      made.push(name);
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof ScanError)) throw error;
      return { said: [`No user could be registered: ${error.message}.`], accounts: given };
    }
  }
  const said =
    made.length === 0 ? [] : [`Too few callers were given, so ${made.join(" and ")} registered by ${signUp.id}.`];
  const account = given.length > 0 ? undefined : await registerAccount(signUp, "account", using);
  if (account === undefined) return { said, accounts: given };
  const why = `For the probes of sign-in, an account that is nobody else's was registered by ${signUp.id}.`;
  return { said: [...said, why], accounts: [account] };
}

/** @throws ScanError where the account gets no session that way */
async function cookieOf(entrance: Entrance, account: Account): Promise<string> {
  const { cookie } = await entrance.enter(account).catch((error: unknown) => {
    throw error instanceof Unreachable ? new ScanError(`${account.user} cannot sign in: ${error.message}`) : error;
  });
  if (cookie === undefined)
    throw new ScanError(`${account.user} cannot sign in: ${entrance.operation.id} sets no cookie`);
  return `${cookie.name}=${cookie.value}`;
}

/** For requests that carry a credential to another host than the target's. */
function elsewhere(url: URL, { options, mayContact, described, interrupt, warn }: Preparation): Fetcher {
  if (!mayContact(hostOf(url))) {
    throw new ScanError(
      `${url.href} is on another host, which the scan does not contact without its owner's consent (--consent ${url.hostname})`,
    );
  }
  const plain = plainCredentials(url);
  if (plain !== undefined) warn(plain);
  return createFetcher({
    url,
    policy: { ...described.policy, limits: {} },
    pacer: createPacer(() => interrupt.longestWaitMs(15_000)),
    interrupt,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
}
