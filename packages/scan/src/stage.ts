import { isSuccess } from "./answer.ts";
import { namesPerson } from "./bodies.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { isRecord, type JsonRecord, walk } from "./json.ts";
import { type Kind, kindAt } from "./kinds.ts";
import type { Thing } from "./objects.ts";
import { contentOf, volatilePaths } from "./oracle.ts";
import { personalHeaders, requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { propertiesOf } from "./schema.ts";
import { type Operation, pathParameters } from "./target.ts";
import { takesCanary, validValue } from "./values.ts";

/**
 * A write prepared on something the scan made, so that it can be sent by anybody and judged by what the owner sees
 * afterwards rather than by the answer.
 */
export interface Stage {
  readonly operation: Operation;
  readonly owner: Identity;
  /** What it changes, where the scan made it for this. */
  readonly thing?: Thing;
  /** The write as somebody sends it; every request carries a new marker where it has room for one. */
  request(as: Identity | undefined, label?: string): Outgoing;
  /** Whether the last write took effect, by the owner's re-read; undefined where nothing can be read back. */
  changed(last: Trial): Promise<{ changed: boolean; trial: Trial } | undefined>;
  /** The write by its owner, which must succeed; undefined where trying it would do harm. */
  prove: (() => Promise<Trial>) | undefined;
}

/**
 * Prepares a write. Objects it changes are new, a write to the caller's own record is undone when it is proved, and
 * what can be neither created nor undone is only ever sent by somebody who must be refused.
 *
 * @param apart  somebody who must not be named in it, since that might grant what is about to be attacked
 * @throws Unreachable when what it needs cannot be made
 */
export async function stageWrite(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  apart?: Identity,
): Promise<Stage> {
  const names = pathParameters(operation.path);
  const kinds = names.flatMap((name) => kindAt(context.objects.kinds, operation.path, name) ?? []);
  await context.objects.learnBody(operation, owner);
  const creates = context.objects.kinds.find((kind) => kind.create === operation);
  if (creates !== undefined) return await stageCreate(context, operation, owner, creates);
  const last = kinds.at(-1);
  if (last === undefined)
    return names.length === 0 ? await stageSelf(context, operation, owner) : stageBlind(context, operation, owner);
  const thing = await context.objects.fresh(last, owner);
  if (last.item === operation.path) return stageItem(context, operation, owner, thing);
  return await stageInside(context, operation, owner, thing, apart);
}

/** POST on a collection: the owner finds the marker in the collection or reads the new object by its id. */
async function stageCreate(context: ProbeContext, operation: Operation, owner: Identity, kind: Kind): Promise<Stage> {
  const { objects } = context;
  const parent = kind.parent === undefined ? undefined : await objects.fresh(kind.parent, owner);
  let mark = "";
  return {
    operation,
    owner,
    request(as, label) {
      mark = objects.canary();
      return asSomebody(objects.creation(kind, owner, parent, mark), owner, as, label);
    },
    async changed(last) {
      const made = objects.adopt(kind, last.outgoing.as ?? owner, last, parent?.params ?? {}, mark);
      if (parent !== undefined && kind.list !== undefined) {
        const trial = await context.send("reread", requestFor(kind.list, { as: owner, params: parent.params }));
        return { changed: trial.answer.text.includes(mark), trial };
      }
      // Where nothing lists them, only a success could have left something behind.
      if (made === undefined) return isSuccess(last.answer) ? undefined : { changed: false, trial: last };
      const { exists, trial } = await objects.reread({ ...made, owner });
      return exists ? { changed: true, trial } : undefined;
    },
    async prove() {
      mark = objects.canary();
      const trial = await context.send("positive", objects.creation(kind, owner, parent, mark));
      objects.adopt(kind, owner, trial, parent?.params ?? {}, mark);
      return trial;
    },
  };
}

/** PATCH, PUT or DELETE on a new object. */
function stageItem(context: ProbeContext, operation: Operation, owner: Identity, thing: Thing): Stage {
  let mark = "";
  const request = (as: Identity | undefined, label?: string) => {
    mark = context.objects.canary();
    const body = bodyFor(context, operation, owner, mark);
    const honest = requestFor(operation, { as: owner, params: thing.params, body });
    return asSomebody(honest, owner, as, label);
  };
  const before = thing.created.answer;
  return {
    operation,
    owner,
    thing,
    request,
    async changed() {
      const first = await context.objects.reread(thing);
      // A read that fails by itself says nothing about the object; once more tells whether it does.
      const { exists, trial } = first.exists || !isOutage(first.trial) ? first : await context.objects.reread(thing);
      if (!exists && isOutage(trial)) return undefined;
      if (operation.method === "DELETE") return { changed: !exists, trial };
      if (trial.answer.text.includes(mark)) return { changed: true, trial };
      if (carriesMark(operation, mark)) return { changed: false, trial };
      return { changed: exists && differs(before.json, trial.answer.json), trial };
    },
    prove: () => context.send("positive", request(owner)),
  };
}

/** A write below an object that is no kind of its own, such as a membership: judged by what the owner reads there. */
async function stageInside(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  thing: Thing,
  apart: Identity | undefined,
): Promise<Stage> {
  const params = { ...(await context.objects.fill(operation, owner)).params, ...thing.params };
  const put = context.target.operations.find((entry) => entry.method === "PUT" && entry.path === operation.path);
  if (put !== undefined) Object.assign(params, await personAccepted(context, put, owner, thing.kind, apart));
  const write = (entry: Operation, to: Readonly<Record<string, string>>) =>
    requestFor(entry, { as: owner, params: to, body: bodyFor(context, entry, owner, context.objects.canary()) });
  // There must be something to delete before deleting it can have an effect.
  if (operation.method === "DELETE" && put !== undefined) await context.send("positive", write(put, params));
  const view = readerOf(context, operation, thing.kind);
  const isList = view === thing.kind.list;
  const most = isList ? view.page?.max : undefined;
  const query: Record<string, string> = most === undefined ? {} : { limit: String(most) };
  const look = async () => await context.send("reread", requestFor(view, { as: owner, params, query }));
  const samples = [await look(), await look()];
  const volatile = volatilePaths(samples.map((trial) => trial.answer));
  // Of a list only what it says of this one: others come and go meanwhile.
  const contentIn = ({ answer }: Trial) =>
    isList ? JSON.stringify(recordOf(answer.json, thing.id)) : contentOf(answer, volatile);
  const before = samples.map(contentIn)[0];
  if (before === undefined) throw new Unreachable(`nothing reads back what ${operation.id} does`);
  const request = (as: Identity | undefined, label?: string) => asSomebody(write(operation, params), owner, as, label);
  return {
    operation,
    owner,
    request,
    async changed() {
      const trial = await look();
      return { changed: contentIn(trial) !== before, trial };
    },
    prove: () => context.send("positive", request(owner)),
  };
}

/** The object of a list that has this id; undefined where none has. */
function recordOf(json: unknown, id: string): JsonRecord | undefined {
  let found: JsonRecord | undefined;
  walk(json, (_path, _name, value) => {
    if (isRecord(value) && Object.values(value).includes(id)) found ??= value;
  });
  return found;
}

/**
 * Who may be named in a path parameter that names a person: the API may know rules of its own, so each account is tried
 * on an object made for it. Empty where no parameter names a person or nobody is accepted.
 */
async function personAccepted(
  context: ProbeContext,
  put: Operation,
  owner: Identity,
  kind: Kind,
  apart: Identity | undefined,
): Promise<Readonly<Record<string, string>>> {
  const parameter = pathParameters(put.path).find((name) => namesPerson(name));
  if (parameter === undefined) return {};
  const people = context.identities.filter((identity) => identity.name !== owner.name && identity.name !== apart?.name);
  const scratch = await context.objects.fresh(kind, owner);
  for (const person of people) {
    const subject = context.subject(person);
    if (subject === undefined || subject === context.subject(owner)) continue;
    const params = { ...scratch.params, [parameter]: subject };
    const body = bodyFor(context, put, owner, context.objects.canary());
    const trial = await context.send("positive", requestFor(put, { as: owner, params, body }));
    if (isSuccess(trial.answer)) return { [parameter]: subject };
  }
  return {};
}

/** A write to the caller's own record, which is put back to what it was. */
async function stageSelf(context: ProbeContext, operation: Operation, owner: Identity): Promise<Stage> {
  const view = context.target.operations.find((entry) => entry.method === "GET" && entry.path === operation.path);
  if (view === undefined || operation.body === undefined || operation.method === "POST") {
    return stageBlind(context, operation, owner);
  }
  const original = await context.send("reread", requestFor(view, { as: owner }));
  const record = original.answer.json;
  const restored: Record<string, unknown> = {};
  for (const name of propertiesOf(operation.body.schema).keys()) {
    if (isRecord(record) && record[name] !== undefined) restored[name] = record[name];
  }
  if (!isSuccess(original.answer) || Object.keys(restored).length === 0) return stageBlind(context, operation, owner);
  let mark = "";
  return {
    operation,
    owner,
    request(as, label) {
      mark = context.objects.canary();
      return asSomebody(
        requestFor(operation, { as: owner, body: bodyFor(context, operation, owner, mark) }),
        owner,
        as,
        label,
      );
    },
    async changed() {
      const trial = await context.send("reread", requestFor(view, { as: owner }));
      const changed = trial.answer.text.includes(mark);
      if (changed) await context.send("positive", requestFor(operation, { as: owner, body: restored }));
      return { changed, trial };
    },
    prove: () => context.send("positive", requestFor(operation, { as: owner, body: restored })),
  };
}

/** A write whose effect can neither be read back nor undone: random ids, and nobody who may do it sends it. */
function stageBlind(context: ProbeContext, operation: Operation, owner: Identity): Stage {
  const params: Record<string, string> = {};
  for (const name of pathParameters(operation.path)) {
    const schema = operation.parameters.find((entry) => entry.in === "path" && entry.name === name)?.schema ?? {};
    params[name] = String(validValue(schema, { random: context.random }, name));
  }
  return {
    operation,
    owner,
    request(as, label) {
      const body = bodyFor(context, operation, owner, context.objects.canary());
      return asSomebody(requestFor(operation, { as: owner, params, body }), owner, as, label);
    },
    changed: () => Promise.resolve(undefined),
    prove: undefined,
  };
}

/** The nearest read that shows what a write below an object changed. */
function readerOf(context: ProbeContext, operation: Operation, kind: Kind): Operation {
  const reads = context.target.operations.filter((entry) => entry.method === "GET");
  const above = operation.path.slice(0, operation.path.lastIndexOf("/"));
  const found =
    reads.find((entry) => entry.path === operation.path) ??
    reads.find((entry) => entry.path === above) ??
    kind.read ??
    kind.list;
  if (found === undefined) throw new Unreachable(`nothing reads back what ${operation.id} does`);
  return found;
}

function bodyFor(context: ProbeContext, operation: Operation, owner: Identity, mark: string): unknown {
  return context.objects.body(operation, owner, mark);
}

function asSomebody(honest: Outgoing, owner: Identity, as: Identity | undefined, label?: string): Outgoing {
  const { as: _owner, ...rest } = honest;
  const own = [owner.header[0], ...personalHeaders(owner)];
  const headers = honest.headers.filter(([name]) => !own.includes(name));
  if (as === undefined) return { ...rest, headers, label: label ?? "nobody" };
  const theirs = personalHeaders(as);
  const along = (as.along ?? []).filter(([name]) => theirs.includes(name));
  return { ...rest, as, headers: [as.header, ...along, ...headers], label: label ?? as.name };
}

/** True for no answer, a limit and an error of the target's own: none of them says that something is gone. */
function isOutage({ answer }: Trial): boolean {
  return answer.status === 0 || answer.status === 429 || answer.status >= 500;
}

function carriesMark(operation: Operation, mark: string): boolean {
  return [...propertiesOf(operation.body?.schema ?? {}).values()].some((schema) => takesCanary(schema, mark));
}

function differs(before: unknown, after: unknown): boolean {
  if (!isRecord(before) || !isRecord(after)) return false;
  return Object.keys(before).some(
    (key) => !/updated|modified/i.test(key) && JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
}
