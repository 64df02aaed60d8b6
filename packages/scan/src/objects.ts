import { AsyncLocalStorage } from "node:async_hooks";
import { type Answer, isSuccess } from "./answer.ts";
import { type Creations, unclaimedLines } from "./creations.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { canAct, type Identity } from "./identities.ts";
import { complaintOf, createCreating } from "./creating.ts";
import { createFilling, type Filled } from "./filling.ts";
import { idIn, namesId, sameShape } from "./ids.ts";
import type { Kind } from "./kinds.ts";
import type { Random } from "./random.ts";
import { bodyOf, paramsIn, requestFor } from "./requests.ts";
import { BudgetSpent, ScanError, Unreachable } from "./scan-error.ts";
import { type Operation, pathParameters } from "./target.ts";
import type { Thing } from "./thing.ts";
import { validValue } from "./values.ts";

export type { Thing } from "./thing.ts";

/** Makes the objects probes need, and deletes them. */
export interface Objects {
  readonly kinds: readonly Kind[];
  /** The object of that kind and owner that everybody reads and nobody changes; created on first use. */
  shared(kind: Kind, owner: Identity): Promise<Thing>;
  /** A new object, to be changed or deleted by one check only; inside `within` or the owner's shared parent. */
  fresh(kind: Kind, owner: Identity, within?: Thing): Promise<Thing>;
  /** Remembers an object that an attack created, so that it is deleted at the end; undefined where the answer names none. */
  adopt(
    kind: Kind,
    owner: Identity,
    trial: Trial,
    params: Readonly<Record<string, string>>,
    canary: string,
  ): Thing | undefined;
  /**
   * At least so many objects of a kind and owner, inside the owner's shared parent, kept until the end. Fewer where the
   * API stops it.
   */
  crowd(kind: Kind, owner: Identity, count: number): Promise<void>;
  /**
   * Learns how each kind is created and who may do it, by creating one of it as each: what a body has to name, and what it is
   * filled with. Where that fails, whoever needs the kind is told why.
   */
  learn(identities: readonly Identity[]): Promise<void>;
  /** What every marker begins with; a search for it finds what the scan made. */
  readonly prefix: string;
  /** A creation request for a kind. */
  creation(kind: Kind, owner: Identity, within: Thing | undefined, canary: string): Outgoing;
  /** What an operation has to be sent in its path, query and headers, out of the owner's shared objects. */
  fill(operation: Operation, owner: Identity): Promise<Filled>;
  /** Learns the ids that a body of the operation has to name, for `body`. */
  learnBody(operation: Operation, owner: Identity): Promise<void>;
  /** A valid body of any operation; undefined where it takes none. */
  body(operation: Operation, owner: Identity, mark: string): unknown;
  /** What the owner sees of it now. */
  reread(thing: Thing): Promise<{ exists: boolean; trial: Trial }>;
  /** An id that looks like that of the kind and belongs to nothing. */
  missingId(kind: Kind): string;
  /** A new marker. */
  canary(): string;
  /**
   * Runs one check; what it created for itself alone is deleted when it is done, without anybody waiting for it. That
   * spreads the work and takes back what an attack spoiled.
   */
  during<Result>(check: () => Promise<Result>): Promise<Result>;
  /** Says what stays behind beside objects, such as an account that was given power. */
  leave(line: string): void;
  /** Ids of shared objects that their owners cannot see any more, although nobody was to delete them. */
  vanished(): Promise<ReadonlySet<string>>;
  /** Deletes everything that is left, children first. What could not be deleted is returned, one line each. */
  cleanUp(): Promise<readonly string[]>;
}

/** What objects are made with. */
export interface ObjectsOptions {
  readonly kinds: readonly Kind[];
  /** Everything the API offers, for what has to be looked up. */
  readonly operations: readonly Operation[];
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  readonly random: Random;
  /** What every marker begins with; it tells the objects of two scans apart. */
  readonly prefix: string;
  readonly creations: Creations;
  /** Told how many requests it will take to delete what there is, so that they are kept for it. */
  readonly keep: (requests: number) => void;
  /** Everybody who may be able to delete what an attack gave away. */
  readonly identities: readonly Identity[];
  /** The account of somebody else than the owner, for members and parameters that name a person. */
  readonly person: (owner: Identity) => string | undefined;
  /** The owner's own account. */
  readonly self: (owner: Identity) => string | undefined;
}

/** Requests that deleting one object takes: the deletion, and a look whether it is gone. */
const deletionCosts = 2;

/**
 * Makes the keeper of everything a scan creates. Sends nothing itself, and forgets nothing that was created until it is
 * deleted.
 *
 * @returns the keeper; what creates or reads rejects with `Unreachable` where the API has no operation for it or refuses
 *   it, and with `BudgetSpent` where the target's own limit leaves no room. `cleanUp` says what it could not delete
 */
export function createObjects(options: ObjectsOptions): Objects {
  const { kinds, send, random, prefix, creations } = options;
  const things = new Set<Thing>();
  const left: string[] = [];
  /** True from when the rest is deleted. */
  let closing = false;
  const scope = new AsyncLocalStorage<Set<Thing>>();
  const deletions = new Set<Promise<void>>();
  const shared = new Map<string, Promise<Thing>>();
  const seenIds = new Map<Kind, string>();
  /** Whether deleting a kind was seen to work. */
  const deletes = new Map<Kind, boolean>();
  /** What is being made on the way here: it cannot be named by what it needs. */
  const making = new AsyncLocalStorage<readonly string[]>();
  const creating = createCreating({ ...options, available: (kind, owner) => filling.available(kind, owner) });
  const { creation, references } = creating;
  const filling = createFilling({ ...options, references, shared: (kind, owner) => objects.shared(kind, owner) });

  const canary = () => `${prefix}-${random.text(8)}`;
  const crowds = new Map<string, { size: number; ready: Promise<void> }>();

  async function parentOf(kind: Kind, owner: Identity): Promise<Thing | undefined> {
    return kind.parent === undefined ? undefined : await filling.available(kind.parent, owner);
  }

  function remember(
    kind: Kind,
    owner: Identity,
    trial: Trial,
    params: Readonly<Record<string, string>>,
    mark: string,
    known?: string,
  ) {
    const id = known ?? idIn(trial.answer, kind, bodyOf(trial.outgoing));
    if (id === undefined) return undefined;
    seenIds.set(kind, id);
    creations.claim(trial);
    const thing: Thing = { kind, id, owner, canary: mark, params: { ...params, [kind.parameter]: id }, created: trial };
    things.add(thing);
    options.keep(things.size * deletionCosts);
    scope.getStore()?.add(thing);
    return thing;
  }

  const objects: Objects = {
    kinds,
    prefix,
    canary,
    leave: (line) => void left.push(line),
    creation: (kind, owner, within, mark) => creation(kind, owner, within?.params ?? {}, mark),
    crowd(kind, owner, count) {
      const key = keyOf(kind, owner);
      const known = crowds.get(key) ?? { size: 0, ready: Promise.resolve() };
      if (known.size >= count) return known.ready;
      const missing = count - known.size;
      const ready = known.ready.then(() => scope.exit(() => createMany(kind, owner, missing)));
      crowds.set(key, { size: count, ready });
      return ready;
    },
    async learn(identities) {
      for (const kind of kinds) {
        if (kind.create === undefined) continue;
        for (const identity of identities) await objects.shared(kind, identity).catch(unlessUndecidable);
      }
    },
    shared(kind, owner) {
      const key = keyOf(kind, owner);
      const outer = making.getStore() ?? [];
      if (outer.includes(key)) return Promise.reject(new Unreachable(`a ${kind.name} has to name one that is there`));
      const known = shared.get(key);
      if (known !== undefined) return known;
      // It outlives the check that happened to need it first.
      const made = scope.exit(() => making.run([...outer, key], () => objects.fresh(kind, owner)));
      shared.set(key, made);
      return made;
    },
    async fresh(kind, owner, within) {
      const parent = within ?? (await parentOf(kind, owner));
      const mark = canary();
      const trial = await creating.create(kind, owner, parent?.params ?? {}, mark);
      if (!isSuccess(trial.answer)) {
        const why = `${outcome(trial.answer)}${complaintOf(trial.answer)}`;
        throw new Unreachable(`${owner.name} could not create a ${kind.name} (${why})`);
      }
      const params = parent?.params ?? {};
      const thing =
        remember(kind, owner, trial, params, mark) ??
        remember(kind, owner, trial, params, mark, await creating.listedId(kind, owner, params, mark));
      if (thing === undefined) throw new Unreachable(`the answer to creating a ${kind.name} names no id`);
      return thing;
    },
    adopt(kind, owner, trial, params, mark) {
      return isSuccess(trial.answer) ? remember(kind, owner, trial, params, mark) : undefined;
    },
    fill: filling.fill,
    learnBody: (operation, owner) => references.learn(operation, owner),
    body: (operation, owner, mark) => creating.body(operation, owner, mark),
    async reread(thing) {
      const { kind, owner } = thing;
      if (kind.read !== undefined) {
        const trial = await send("reread", requestFor(kind.read, { as: owner, params: thing.params }));
        return { exists: isSuccess(trial.answer) && mentions(trial.answer, thing), trial };
      }
      if (kind.list === undefined) throw new Unreachable(`nothing reads a ${kind.name}`);
      const most = kind.list.page?.max;
      const query: Record<string, string> = most === undefined ? {} : { limit: String(most) };
      const trial = await send("reread", requestFor(kind.list, { as: owner, params: thing.params, query }));
      return { exists: isSuccess(trial.answer) && mentions(trial.answer, thing), trial };
    },
    missingId(kind) {
      const seen = seenIds.get(kind);
      if (seen !== undefined) return sameShape(seen, random);
      const schema = (kind.read ?? kind.remove ?? kind.update)?.parameters.find(
        (entry) => entry.in === "path" && entry.name === kind.parameter,
      )?.schema;
      return schema === undefined ? random.uuid() : String(validValue(schema, { random }, kind.parameter));
    },
    async during(check) {
      const own = new Set<Thing>();
      try {
        return await scope.run(own, check);
      } finally {
        const deletion = scope.exit(() => removeAll(own)).catch(() => {});
        deletions.add(deletion);
        void deletion.then(() => deletions.delete(deletion));
      }
    },
    async vanished() {
      const gone = new Set<string>();
      for (const made of shared.values()) {
        const thing = await made.catch(() => undefined);
        if (thing === undefined || (thing.kind.read ?? thing.kind.list) === undefined) continue;
        const seen = await objects.reread(thing).catch(unlessUndecidable);
        if (seen === undefined) continue;
        const { exists, trial } = seen;
        // A list may show other members first; only a read by id that fails says that it is gone.
        if (!exists && thing.kind.read !== undefined && trial.answer.status !== 429) gone.add(thing.id);
      }
      return gone;
    },
    async cleanUp() {
      await Promise.all(deletions);
      closing = true;
      for (const trial of creations.unclaimed()) claimed(trial);
      await removeAll(things);
      return [...left, ...unclaimedLines(creations.unclaimed())];
    },
  };
  return objects;

  async function createMany(kind: Kind, owner: Identity, count: number): Promise<void> {
    let left = count;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        await objects.fresh(kind, owner);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker)).catch((error: unknown) => {
      if (!(error instanceof BudgetSpent || error instanceof Unreachable)) throw error;
      left = 0;
    });
  }

  /** Takes charge of what an attack created and did not look after, where its answer and its path tell enough. */
  function claimed(trial: Trial): void {
    const path = trial.outgoing.target.split("?")[0] ?? "";
    const owner = trial.outgoing.as ?? options.identities[0];
    for (const kind of kinds) {
      const params = kind.create?.method === trial.outgoing.method ? paramsIn(kind.create.path, path) : undefined;
      if (params === undefined || owner === undefined || kind.remove === undefined) continue;
      if (remember(kind, owner, trial, params, trial.answer.text) !== undefined) return;
    }
  }

  /** Children before parents, several at a time. */
  async function removeAll(some: Iterable<Thing>): Promise<void> {
    const depthOf = (thing: Thing) => pathParameters(thing.kind.item).length;
    const all = [...some];
    for (const depth of [...new Set(all.map(depthOf))].sort((left, right) => right - left)) {
      const queue = all.filter((thing) => depthOf(thing) === depth);
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let thing = queue.pop(); thing !== undefined; thing = queue.pop()) await remove(thing);
        }),
      );
    }
  }

  async function remove(thing: Thing): Promise<void> {
    const reason = await whyNotRemoved(thing);
    if (reason === "later") return;
    things.delete(thing);
    options.keep(things.size * deletionCosts);
    if (reason !== undefined) left.push(`${thing.kind.name} ${thing.id} of ${thing.owner.name}: ${reason}`);
  }

  /** Why it could not be deleted; undefined where it is gone, `later` where the budget for that is kept for the end. */
  async function whyNotRemoved(thing: Thing): Promise<string | undefined> {
    const { kind } = thing;
    if (kind.remove === undefined) return "the API has no way to delete it";
    try {
      const outgoing = requestFor(kind.remove, { as: thing.owner, params: thing.params });
      const wasDeleted = creations.wasDeleted(outgoing.target);
      const { answer } = await send("positive", outgoing);
      if (answer.status === 404 || answer.status === 410) {
        if (wasDeleted || (await isRemovedByAnother(thing, kind.remove))) return undefined;
        return `its owner's DELETE ${outcome(answer)}, though no DELETE had succeeded: an attack deleted it on a side way, gave it away or hid it`;
      }
      return isSuccess(answer) ? await whyStillThere(thing) : outcome(answer);
    } catch (error) {
      if (error instanceof ScanError) throw error;
      if (error instanceof BudgetSpent && !closing) return "later";
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** An attack that set the owner may have given it to somebody the scan can be. */
  async function isRemovedByAnother(thing: Thing, remove: Operation): Promise<boolean> {
    for (const identity of options.identities) {
      if (identity === thing.owner || !canAct(identity)) continue;
      const trial = await send("positive", requestFor(remove, { as: identity, params: thing.params }));
      if (isSuccess(trial.answer)) return true;
    }
    return false;
  }

  /** Looks again after the first deletion of each kind; an API may answer a DELETE with success and keep the object. */
  async function whyStillThere(thing: Thing): Promise<string | undefined> {
    if (thing.kind.read === undefined) return undefined;
    const known = deletes.get(thing.kind);
    if (known === true) return undefined;
    const { exists } = await objects.reread(thing);
    deletes.set(thing.kind, !exists);
    return exists ? "its DELETE was answered with success, and it is still there" : undefined;
  }
}

/** What could not be decided is no answer; everything else that is thrown is. */
function unlessUndecidable(error: unknown): undefined {
  if (!(error instanceof BudgetSpent || error instanceof Unreachable)) throw error;
}

function keyOf(kind: Kind, owner: Identity): string {
  return `${kind.create?.id ?? kind.item} ${owner.name}`;
}

function mentions(answer: Answer, thing: Thing): boolean {
  return answer.text.includes(thing.canary) || namesId(answer, thing.kind, thing.id);
}

/** In words, what an answer was. */
export function outcome(answer: Answer): string {
  return answer.status === 0 ? (answer.failure ?? "no answer") : `answered ${answer.status}`;
}
