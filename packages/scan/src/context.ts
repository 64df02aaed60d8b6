import type { Abilities } from "./abilities.ts";
import { type Answer, isSuccess } from "./answer.ts";
import type { Effort } from "./effort.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Fetcher, Outgoing } from "./fetcher.ts";
import { reachOf } from "./framework.ts";
import type { History } from "./history.ts";
import { canAct, headerWith, type Identity, scopesOf, subjectOf } from "./identities.ts";
import { textAt } from "./json.ts";
import { kindsAlong } from "./kinds.ts";
import { resembles } from "./oracle.ts";
import type { OAuthClient } from "./oauth-client.ts";
import type { Objects } from "./objects.ts";
import type { Random } from "./random.ts";
import type { Redactor } from "./redact.ts";
import { requestFor, withCredential } from "./requests.ts";
import { BudgetSpent, ScanError, Unreachable } from "./scan-error.ts";
import type { Sessions } from "./sign-in.ts";
import type { WebhookSecret } from "./sign-delivery.ts";
import type { Supabase } from "./supabase.ts";
import { isGone, isSafe, type Operation, pathParameters, type Target, tightLimit } from "./target.ts";
import { createTurns, type Turns } from "./turns.ts";
import { validValue } from "./values.ts";

/** Everything a probe works with. */
export interface ProbeContext {
  readonly target: Target;
  readonly fetcher: Fetcher;
  readonly redactor: Redactor;
  readonly objects: Objects;
  readonly sessions: Sessions;
  /** Everybody the scan can be, in the order they were given. */
  readonly identities: readonly Identity[];
  readonly random: Random;
  /** Key to sign test tokens with: a secret, a PEM or a JWK. */
  readonly jwtKey: string | undefined;
  /** Secrets of webhooks, to send what their senders send. */
  readonly webhookSecrets: readonly WebhookSecret[];
  /** Clients of the target's authorization server; the first is attacked, the second tries what is the first one's. */
  readonly oauthClients: readonly OAuthClient[];
  /** The tables of a Supabase project, where one was given. */
  readonly supabase: Supabase | undefined;
  /** PEM certificates to trust besides the system's. */
  readonly ca: string | undefined;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** How much is tried where more of the same is possible. */
  readonly effort: Effort;
  /** How long the requests of one check may take where the operation's own limits are low, milliseconds. */
  readonly patienceMs: number;
  /** What was sent so far, by whom. */
  readonly history: History;
  /** Who may use limits up at the moment. */
  readonly turns: Turns;
  /** The account an identity is known by in the API's data; undefined where nothing told it. */
  subject(identity: Identity): string | undefined;
  send(leg: Leg, outgoing: Outgoing): Promise<Trial>;
  /** True where the operation refused that identity for who it is, and never let it in. */
  isRefused(operation: Operation, identity: Identity): boolean;
  /** Somebody who may call the operation: with its role where it demands one, else the first without one who is let in. */
  permitted(operation: Operation): Identity | undefined;
  /**
   * As `permitted`, but another one for each operation, so that probes which send much do not wait for one caller's limit.
   * Only for what everybody can do with objects of his own.
   */
  worker(operation: Operation): Identity | undefined;
  /** The answer to the operation when it is allowed; safe operations only. Sent once, then remembered. */
  baseline(operation: Operation): Promise<Trial>;
  /** The answer to a path that cannot exist. */
  nowhere(): Promise<Trial>;
  /** A read that alice may do and a stranger may not, to judge credentials and transports by. */
  witness(): Promise<Witness>;
}

/** A protected read whose good and bad answers are known. */
export interface Witness {
  readonly operation: Operation;
  readonly identity: Identity;
  readonly positive: Trial;
  /** The same request with a made-up credential, without one, and a path that does not exist. */
  readonly negatives: readonly Trial[];
  readonly canary: string | undefined;
}

/** What a context is made of. */
export type ContextParts = Pick<
  ProbeContext,
  | "target"
  | "fetcher"
  | "redactor"
  | "objects"
  | "sessions"
  | "identities"
  | "random"
  | "jwtKey"
  | "webhookSecrets"
  | "supabase"
  | "oauthClients"
  | "ca"
  | "now"
  | "effort"
  | "patienceMs"
  | "history"
  | "send"
> & {
  /** Accounts learned by reading each identity's own record. */
  readonly subjects: ReadonlyMap<string, string>;
  /** Who was let do what so far. */
  readonly abilities: Abilities;
};

/**
 * Makes what every probe of one scan works with. Sends nothing: what has to be learned from the target is asked for at
 * first use, once, and remembered.
 *
 * @param parts  the tools of the scan and what each identity's own record said of its account
 * @returns the context; `baseline` and `witness` reject with `Unreachable` where no identity may call what they need, and
 *   whatever sends rejects with `BudgetSpent` where the target's own limit leaves no room
 */
export function createContext(parts: ContextParts): ProbeContext {
  const { target, objects, send, abilities } = parts;
  /** Whoever may not create something has nothing to change or delete. */
  const rank: Rank = (operation, identity) => {
    const kind = isSafe(operation) ? undefined : kindsAlong(objects.kinds, operation.path).at(-1);
    const owns = kind?.create === undefined || !abilities.isRefused(kind.create, identity);
    return owns ? abilities.rank(operation, identity) : 3;
  };
  const able = (operation: Operation) => permittedIdentities(operation, parts.identities, target, rank);
  const baselines = new Map<Operation, Promise<Trial>>();
  let nowhere: Promise<Trial> | undefined;
  let witness: Promise<Witness> | undefined;

  const context: ProbeContext = {
    ...parts,
    turns: createTurns(),
    subject: (identity) => parts.subjects.get(identity.name) ?? subjectOf(identity),
    isRefused: abilities.isRefused,
    permitted: (operation) => able(operation)[0],
    worker(operation) {
      const fit = able(operation).filter(
        (identity) => canAct(identity) && !isPrivileged(identity, target) && hasScopes(identity, operation),
      );
      const [first] = fit;
      const likely = first === undefined ? 3 : rank(operation, first);
      const alike = likely === 3 ? [] : fit.filter((identity) => rank(operation, identity) === likely);
      return alike[target.operations.indexOf(operation) % alike.length] ?? context.permitted(operation);
    },
    baseline(operation) {
      const known = baselines.get(operation);
      if (known !== undefined) return known;
      const made = sendBaseline(operation);
      baselines.set(operation, made);
      return made;
    },
    nowhere() {
      nowhere ??= send("negative", {
        method: "GET",
        target: `${reachOf(target)}/pc-${parts.random.text(12)}/${parts.random.text(6)}`,
        headers: [],
        label: "nobody",
      });
      return nowhere;
    },
    witness() {
      witness ??= findWitness(context);
      return witness;
    },
  };
  return context;

  async function sendBaseline(operation: Operation): Promise<Trial> {
    if (!isSafe(operation)) throw new Unreachable(`${operation.id} changes things`);
    if (operation.access.kind === "public") {
      const owner = parts.identities[0];
      const query = requiredQuery(operation, parts.random);
      return await send(
        "positive",
        requestFor(operation, owner === undefined ? { query } : await objects.fill(operation, owner)),
      );
    }
    let first: Trial | undefined;
    // A plain description names no roles: whoever is let in first is the one it is for.
    let unfilled: Unreachable | undefined;
    const likely = able(operation);
    for (const identity of target.source === "manifest" ? likely.slice(0, 1) : likely) {
      const filled = await objects.fill(operation, identity).catch((error: unknown) => {
        if (!(error instanceof Unreachable)) throw error;
        unfilled ??= error;
        return undefined;
      });
      if (filled === undefined) continue;
      const trial = await send("positive", requestFor(operation, { as: identity, ...filled }));
      first ??= trial;
      if (isSuccess(trial.answer)) return trial;
    }
    if (first !== undefined) return first;
    if (unfilled !== undefined) throw unfilled;
    throw new Unreachable(`no identity was given that may call ${operation.id}${roleHint(operation)}`);
  }
}

/** Required query parameters with valid values. */
export function requiredQuery(operation: Operation, random: Random): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const parameter of operation.parameters) {
    if (parameter.in !== "query" || !parameter.required) continue;
    out[parameter.name] = String(validValue(parameter.schema, { random }, parameter.name));
  }
  return out;
}

function roleHint(operation: Operation): string {
  const { access } = operation;
  if (access.kind !== "caller" || access.roles.length === 0) return "";
  return `; it needs the role ${access.roles.join(" or ")} (--roles name=role)`;
}

/** Roles an identity has: those it was given; without any, its own name counts as its role. */
function hasRole(identity: Identity, roles: readonly string[]): boolean {
  const own = identity.roles.length > 0 ? identity.roles : [identity.name];
  return roles.some((role) => own.includes(role));
}

/** True where a credential is known to have the scopes an operation demands; a key does not tell. */
function hasScopes(identity: Identity, { access }: Operation): boolean {
  if (access.kind !== "caller" || access.scopes.length === 0) return true;
  const own = scopesOf(identity);
  return own !== undefined && access.scopes.every((scope) => own.includes(scope));
}

/** How likely somebody is let in, as {@link Abilities} says it. */
type Rank = Abilities["rank"];

/** Who may call an operation, the likeliest first. */
function permittedIdentities(
  operation: Operation,
  identities: readonly Identity[],
  target: Target,
  rank: Rank,
): readonly Identity[] {
  const roles = operation.access.kind === "caller" ? operation.access.roles : [];
  const able = identities.filter((identity) => takes(operation, identity, target));
  const fitting = able.filter((identity) => hasRole(identity, roles));
  // The words of a plain description may name a role otherwise than --roles does.
  if (roles.length > 0 && (fitting.length > 0 || target.source === "manifest")) return fitting;
  // Whoever has a role comes after everybody else, but before those who are known to be refused.
  const place = (identity: Identity) => {
    const known = rank(operation, identity);
    return (known === 3 ? 8 : known) + (isPrivileged(identity, target) ? 4 : 0);
  };
  return able.toSorted((left, right) => place(left) - place(right));
}

/** True where the operation takes the kind of credential the identity has; unknown kinds are taken to be welcome. */
export function takes(operation: Operation, identity: Identity, target: Target): boolean {
  const welcome = target.policy.credentials.filter((entry) => operation.credentials.includes(entry.name));
  if (welcome.length === 0) return true;
  return welcome.some((entry) => {
    if (identity.kind === "cookie") return entry.kind === "sessions";
    if (identity.kind === "header") return entry.header?.toLowerCase() === identity.header[0];
    return entry.kind !== "sessions" && entry.header === undefined;
  });
}

/** Roles that everybody has who has an account. */
const plainRole = /^(?:user|member|customer|client|reader|viewer|guest|basic|default|authenticated)s?$/i;

/**
 * True where an identity has a role that some operation demands. A plain description names no roles: there, whoever was
 * given one has it for a reason, unless it says no more than that there is an account.
 */
export function isPrivileged(identity: Identity, target: Target): boolean {
  if (target.source !== "manifest" && identity.roles.some((role) => !plainRole.test(role))) return true;
  return target.operations.some(
    (operation) =>
      operation.access.kind === "caller" &&
      operation.access.roles.length > 0 &&
      hasRole(identity, operation.access.roles),
  );
}

/** Reads by which a credential can be judged, the best first: an object with a canary, then any answer of its own. */
async function findWitness(context: ProbeContext): Promise<Witness> {
  const { target, objects } = context;
  const now = context.now();
  const reads = target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      operation.access.kind === "caller" &&
      !isGone(operation, now) &&
      tightLimit(operation, 60, context.patienceMs) === undefined,
  );
  const items = new Set(objects.kinds.map((kind) => kind.read));
  const ranked = [
    ...reads.filter((operation) => items.has(operation)),
    ...reads.filter((operation) => !items.has(operation)),
  ];
  const reasons: string[] = [];
  for (const operation of ranked) {
    try {
      const found = await tryWitness(context, operation);
      if (typeof found !== "string") return found;
      reasons.push(found);
    } catch (error) {
      if (error instanceof ScanError) throw error;
      if (!(error instanceof Unreachable || error instanceof BudgetSpent)) throw error;
      reasons.push(error.message);
    }
  }
  const isLimited = target.operations.some(
    (operation) => isSafe(operation) && tightLimit(operation, 60, context.patienceMs) !== undefined,
  );
  const nothing = isLimited
    ? "the limits of its reads are too low to try; let the scan wait longer (--patience <minutes>), or scan an instance whose limits count in seconds"
    : "nothing to read";
  throw new Unreachable(`no read tells a caller from a stranger (${reasons[0] ?? nothing})`);
}

async function tryWitness(context: ProbeContext, operation: Operation): Promise<Witness | string> {
  const positive = await context.baseline(operation);
  const identity = positive.outgoing.as;
  if (identity === undefined || !isSuccess(positive.answer)) {
    return `${operation.id} answered ${positive.answer.status} to ${positive.outgoing.label}`;
  }
  const stranger = await context.send("negative", withCredential(positive.outgoing, undefined, "nobody"));
  const madeUp = await context.send("negative", madeUpCredential(context, positive.outgoing, identity));
  const known = (answer: Answer) => resembles(answer, positive.answer);
  if (known(madeUp.answer) || known(stranger.answer)) return `${operation.id} answers strangers like callers`;
  const nowhere = await context.nowhere();
  const things = (await objects(context, operation, identity)).map((thing) => thing.canary);
  const canary = things.find((mark) => positive.answer.text.includes(mark));
  return { operation, identity, positive, negatives: [madeUp, stranger, nowhere], canary };
}

async function objects(context: ProbeContext, operation: Operation, identity: Identity) {
  return pathParameters(operation.path).length === 0 ? [] : (await context.objects.fill(operation, identity)).things;
}

/** The request with a credential nobody was ever given. */
export function madeUpCredential(context: ProbeContext, outgoing: Outgoing, identity: Identity): Outgoing {
  const made = headerWith(identity, context.random.fork("made up").text(40));
  return withCredential(outgoing, made, "nobody, made-up credential");
}

/** The account in an identity's own record, as `GET /me` and the like answer it. */
export function subjectIn(answer: Answer): string | undefined {
  return textAt(answer.json, "id") ?? textAt(answer.json, "userId") ?? textAt(answer.json, "sub");
}
