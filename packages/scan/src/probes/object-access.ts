import { isSuccess } from "../answer.ts";
import { isPrivileged, type ProbeContext, requiredQuery, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { type Identity, subjectOf } from "../identities.ts";
import { textAt } from "../json.ts";
import { type Kind, kindAt } from "../kinds.ts";
import { beyondRole, grantingOf } from "../object-roles.ts";
import { outcome, type Thing } from "../objects.ts";
import { isLimited, sameSignature } from "../oracle.ts";
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
  threeLegs,
  twice,
} from "../probe.ts";
import { bodyOf, requestFor } from "../requests.ts";
import { propertiesOf, typeOf } from "../schema.ts";
import { stageWrite } from "../stage.ts";
import { isGone, isSafe, type Operation, pathParameters } from "../target.ts";

/**
 * One caller on another's objects: reads (a canary in the answer is proof), writes and deletes (judged by what the owner
 * reads afterwards), lists, nested parents that do not belong together, and whether a foreign object can be told from a
 * missing one. In both directions.
 */
export const objectAccess: Probe = { id: "object-access", plan: planObjectAccess };

interface Pair {
  readonly owner: Identity;
  readonly attacker: Identity;
}

function planObjectAccess(context: ProbeContext): readonly Check[] {
  const { target, objects } = context;
  const pairs = pairsOf(context);
  if (pairs.length === 0) {
    return [
      {
        check: "pairs",
        run: () =>
          Promise.resolve(
            inconclusive("it takes two callers to attack each other's objects (--as alice=… --as bob=…)"),
          ),
      },
    ];
  }
  const now = context.now();
  const checks: Check[] = [];
  for (const operation of target.operations) {
    if (isGone(operation, now)) continue;
    const kinds = kindsIn(context, operation);
    if (operation.access.kind === "public") {
      checks.push({ check: "foreign", operation, notApplicable: `Public by policy: ${operation.access.reason}` });
      continue;
    }
    if (kinds.length > 0) checks.push(...foreignChecks(context, operation, kinds, pairs));
    if (isSafe(operation) && showsLists(context, operation)) checks.push(...listChecks(context, operation, pairs));
  }
  checks.push(...referenceChecks(context, pairs), ...roleChecks(context, pairs));
  for (const kind of objects.kinds) {
    const { read, parent } = kind;
    const pair = pairs[0];
    if (read === undefined || parent === undefined || pair === undefined) continue;
    checks.push({ check: "parent-swap", operation: read, run: () => parentSwap(context, kind, read, pair) });
  }
  return checks.length > 0
    ? checks
    : [{ check: "objects", notApplicable: "No operation names an object the API can create." }];
}

/** Callers without roles against each other, everybody in both directions where there are two, at most four pairs. */
function pairsOf(context: ProbeContext): readonly Pair[] {
  const plain = context.identities.filter(
    (identity) => identity.kind !== "cookie" && !isPrivileged(identity, context.target),
  );
  const first = plain[0];
  const second = plain[1];
  if (first === undefined || second === undefined) return [];
  const others = plain.slice(1, 3).map((attacker): Pair => ({ owner: first, attacker }));
  return [...others, { owner: second, attacker: first }];
}

function kindsIn(context: ProbeContext, operation: Operation): readonly Kind[] {
  return pathParameters(operation.path).flatMap((name) => kindAt(context.objects.kinds, operation.path, name) ?? []);
}

function foreignChecks(
  context: ProbeContext,
  operation: Operation,
  kinds: readonly Kind[],
  pairs: readonly Pair[],
): readonly Check[] {
  const shared = kinds.map((kind) => kind.policy?.shared).find((reason) => reason !== undefined);
  if (shared !== undefined) return [{ check: "foreign", operation, notApplicable: `Shared by policy: ${shared}` }];
  if (operation.access.kind === "caller" && operation.access.roles.length > 0) {
    return [{ check: "foreign", operation, notApplicable: "It belongs to a role; function-access attacks it." }];
  }
  return pairs
    .filter(
      ({ owner, attacker }) => takes(operation, owner, context.target) && takes(operation, attacker, context.target),
    )
    .map((pair) => ({
      check: `foreign-${operation.method === "DELETE" ? "delete" : isSafe(operation) ? "read" : "write"}`,
      operation,
      run: () => (isSafe(operation) ? foreignRead(context, operation, pair) : foreignWrite(context, operation, pair)),
    }));
}

/** bob reads what alice made. */
async function foreignRead(
  context: ProbeContext,
  operation: Operation,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const { params, things } = await context.objects.fill(operation, owner);
  const query = requiredQuery(operation, context.random);
  const positive = await context.send("positive", requestFor(operation, { as: owner, params, query }));
  const missing = await context.send(
    "negative",
    requestFor(operation, { as: attacker, params: withMissing(context, operation, params), query }),
  );
  const canary = things.map((thing) => thing.canary).find((mark) => positive.answer.text.includes(mark));
  const foreign = await threeLegs({
    positive,
    negatives: [missing],
    canary,
    attack: () => context.send("attack", requestFor(operation, { as: attacker, params, query })),
    broken: `${attacker.name} reads what belongs to ${owner.name}`,
    held: `${attacker.name} cannot read what belongs to ${owner.name}`,
  });
  return [{ check: "foreign-read", ...foreign }, enumeration(foreign, missing, attacker)];
}

/** A foreign object must look missing: another answer tells a stranger that it exists. */
function enumeration(found: Outcome, missing: Trial, attacker: Identity): NamedOutcome {
  const check = "foreign-looks-missing";
  const attack = found.trials.find((trial) => trial.leg === "attack");
  if (found.verdict !== "held" || attack === undefined) {
    return { check, ...notApplicable("The foreign object was not refused in the first place.") };
  }
  const subject = subjectOf(attacker);
  if (subject !== undefined && attack.outgoing.target.includes(subject)) {
    // Preparing a request like "remove bob" makes bob a member first, and a member may be told that it exists.
    return { check, ...notApplicable(`The request names ${attacker.name}, who may see the object because of it.`) };
  }
  const trials = [missing, attack];
  if (sameSignature(attack.answer, missing.answer))
    return { check, ...held("a foreign object looks like a missing one", trials) };
  return {
    check,
    ...broken(
      `${attacker.name} can tell foreign objects from missing ones: ${outcome(attack.answer)} and ${outcome(missing.answer)}`,
      trials,
    ),
  };
}

/** The same parameters with the last object's id replaced by one that belongs to nothing. */
function withMissing(context: ProbeContext, operation: Operation, params: Readonly<Record<string, string>>) {
  const out = { ...params };
  for (const name of pathParameters(operation.path)) {
    const kind = kindAt(context.objects.kinds, operation.path, name);
    if (kind !== undefined) out[name] = context.objects.missingId(kind);
  }
  return out;
}

/** bob writes to or deletes what alice made; only alice's re-read decides. */
async function foreignWrite(
  context: ProbeContext,
  operation: Operation,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const written = await twice(async () => {
    const stage = await stageWrite(context, operation, owner, attacker);
    const attack = await context.send("attack", stage.request(attacker));
    if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [attack]);
    const seen = await stage.changed(attack);
    if (seen === undefined) return inconclusive("its effect cannot be read back", [attack]);
    if (seen.changed) {
      return broken(
        `${attacker.name} ${operation.method === "DELETE" ? "deletes" : "changes"} what belongs to ${owner.name}`,
        [attack, seen.trial],
      );
    }
    const proof = await stage.prove?.();
    if (proof === undefined || !isSuccess(proof.answer)) {
      return inconclusive(`nothing changed, but ${owner.name} could not do it either`, [
        ...(proof === undefined ? [] : [proof]),
        attack,
        seen.trial,
      ]);
    }
    return held(`${attacker.name} cannot change what belongs to ${owner.name}`, [proof, attack, seen.trial]);
  });
  const attack = written.trials.find((trial) => trial.leg === "attack");
  const check = operation.method === "DELETE" ? "foreign-delete" : "foreign-write";
  if (written.verdict !== "held" || attack === undefined) return [{ check, ...written }];
  const missing = await context.send("negative", {
    ...attack.outgoing,
    target: missingTarget(context, operation, attack),
  });
  return [{ check, ...written }, enumeration(written, missing, attacker)];
}

/** The target of a write with every object id replaced by one that belongs to nothing. */
function missingTarget(context: ProbeContext, operation: Operation, attack: Trial): string {
  const template = operation.path.split("/");
  const actual = attack.outgoing.target.split("/");
  return template
    .map((segment, index) => {
      const name = /^\{(.+)\}$/.exec(segment)?.[1];
      const kind = name === undefined ? undefined : kindAt(context.objects.kinds, operation.path, name);
      return kind === undefined ? (actual[index] ?? segment) : encodeURIComponent(context.objects.missingId(kind));
    })
    .join("/");
}

/** True for reads that list objects somebody owns: collections, and what a manifest calls a list. */
function showsLists(context: ProbeContext, operation: Operation): boolean {
  if (operation.outputs.some((output) => output.everyOwner !== undefined || output.shared !== undefined)) return false;
  if (operation.access.kind === "caller" && operation.access.roles.length > 0) return false;
  return listedKind(context, operation) !== undefined && kindsIn(context, operation).length === 0;
}

function listedKind(context: ProbeContext, operation: Operation): Kind | undefined {
  const named = operation.outputs.find((output) => output.kind === "list")?.resource;
  return (
    context.objects.kinds.find((kind) => kind.list === operation) ??
    context.objects.kinds.find((kind) => named !== undefined && kind.name === named && kind.parent === undefined)
  );
}

function listChecks(context: ProbeContext, operation: Operation, pairs: readonly Pair[]): readonly Check[] {
  const kind = listedKind(context, operation);
  if (kind === undefined) return [];
  return pairs.map((pair) => ({
    check: "foreign-list",
    operation,
    run: () => foreignList(context, operation, kind, pair),
  }));
}

/** bob's list must not hold what alice made, while alice's does. */
async function foreignList(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const thing = await context.objects.fresh(kind, owner);
  const own = await pagesOf(context, operation, owner, thing, "positive");
  const trials = own.trials.slice(-1);
  if (!own.found) {
    return notApplicable(`${owner.name}'s own ${kind.name} does not appear in it, so nothing can leak that way.`);
  }
  const other = await pagesOf(context, operation, attacker, thing, "attack");
  const last = other.trials.at(-1);
  if (last === undefined || isLimited(last.answer))
    return inconclusive("the list could not be read", [...trials, ...other.trials]);
  if (!other.found) return held(`${attacker.name}'s list shows nothing of ${owner.name}`, [...trials, last]);
  const again = await pagesOf(context, operation, attacker, thing, "attack");
  if (!again.found) return inconclusive("it leaked once and not again", [...trials, last]);
  return broken(`${attacker.name}'s list shows what belongs to ${owner.name}`, [...trials, ...other.trials.slice(-1)]);
}

/** Reads a list page by page, at most eight, until the object is seen. */
async function pagesOf(
  context: ProbeContext,
  operation: Operation,
  as: Identity,
  thing: Thing,
  leg: "positive" | "attack",
) {
  const trials: Trial[] = [];
  const base: Record<string, string> = { ...requiredQuery(operation, context.random) };
  const search = operation.parameters.find(
    (entry) => entry.in === "query" && /^(?:q|query|search|term|filter|name)$/i.test(entry.name),
  );
  if (search !== undefined) base[search.name] = thing.canary;
  if (operation.page !== undefined) base["limit"] = String(operation.page.max);
  let cursor: string | undefined;
  for (let page = 1; page <= 8; page += 1) {
    const query = {
      ...base,
      ...(cursor === undefined ? {} : { cursor }),
      ...(operation.page?.kind === "pages" ? { page: String(page) } : {}),
    };
    const trial = await context.send(leg, requestFor(operation, { as, query }));
    trials.push(trial);
    // The search term may be echoed; the object's id is not what was asked for.
    if (trial.answer.text.includes(thing.id)) return { found: true, trials };
    const next = textAt(trial.answer.json, "next");
    if (operation.page === undefined || (operation.page.kind === "cursor" && next === undefined)) break;
    if (operation.page.kind === "pages" && !trial.answer.text.includes('"id"')) break;
    cursor = next;
  }
  return { found: false, trials };
}

/** A child reached through a parent it does not belong to, both ways round. */
async function parentSwap(
  context: ProbeContext,
  kind: Kind,
  read: Operation,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const victim = await context.objects.shared(kind, owner);
  const mine = await context.objects.shared(kind, attacker);
  const ask = (leg: Trial["leg"], as: Identity, params: Readonly<Record<string, string>>) =>
    context.send(leg, requestFor(read, { as, params }));
  const positive = await ask("positive", owner, victim.params);
  const ownPositive = await ask("positive", attacker, mine.params);
  const missing = await ask("negative", attacker, {
    ...mine.params,
    [kind.parameter]: context.objects.missingId(kind),
  });
  const theirChild = await threeLegs({
    positive,
    negatives: [missing],
    canary: victim.canary,
    attack: () => ask("attack", attacker, { ...mine.params, [kind.parameter]: victim.id }),
    broken: `${attacker.name} reads a ${kind.name} of ${owner.name} through a ${kind.parent?.name ?? "parent"} of its own`,
    held: `a ${kind.name} cannot be reached through a ${kind.parent?.name ?? "parent"} it does not belong to`,
  });
  const theirParent = await threeLegs({
    positive: ownPositive,
    negatives: [missing],
    canary: mine.canary,
    attack: () => ask("attack", attacker, { ...victim.params, [kind.parameter]: mine.id }),
    broken: `${attacker.name} gets an answer through a ${kind.parent?.name ?? "parent"} of ${owner.name}`,
    held: `a foreign ${kind.parent?.name ?? "parent"} answers nothing, whatever stands below it`,
  });
  return [
    { check: "parent-swap-child", ...theirChild },
    { check: "parent-swap-parent", ...theirParent },
  ];
}

/** Changes of an object by somebody who has a role in it that the policy does not name. */
function roleChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const pair = pairs[0];
  if (pair === undefined) return [];
  return context.objects.kinds.flatMap((kind) => {
    const granting = grantingOf(context, kind);
    if (granting === undefined) return [];
    return [kind.update, kind.remove].flatMap((operation) => {
      if (operation?.access.kind !== "caller") return [];
      const needed = operation.access.objectRole[kind.name] ?? [];
      const others = needed.length === 0 ? [] : granting.roles.filter((role) => !needed.includes(role));
      return others.map((role) => ({
        check: `beyond-role-${role}`,
        operation,
        run: () => twice(() => beyondRole(context, operation, granting, role, pair)),
      }));
    });
  });
}

/** Bodies that name an object: another's id in it. Only where a manifest says which member names what. */
function referenceChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const pair = pairs[0];
  if (pair === undefined) return [];
  return context.target.operations.flatMap((operation) => {
    const creates = context.objects.kinds.find((kind) => kind.create === operation);
    if (creates === undefined) return [];
    return operation.objects.flatMap((use) => {
      const kind = context.objects.kinds.find((entry) => entry.name === use.resource && entry.create !== undefined);
      if (use.in !== "body" || kind === undefined || kind.policy?.shared !== undefined) return [];
      return [
        {
          check: `foreign-${use.field}`,
          operation,
          run: () => foreignReference(context, creates, use.field, kind, pair),
        },
      ];
    });
  });
}

/** The attacker names the owner's object in an object of its own; only what is stored decides. */
async function foreignReference(
  context: ProbeContext,
  creates: Kind,
  field: string,
  kind: Kind,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const theirs = await context.objects.shared(kind, owner);
  const mine = await context.objects.shared(kind, attacker);
  const parent = creates.parent === undefined ? undefined : await context.objects.shared(creates.parent, attacker);
  const ask = async (leg: Trial["leg"], id: string) => {
    const mark = context.objects.canary();
    const honest = context.objects.creation(creates, attacker, parent, mark);
    const value = Array.isArray(valueOf(creates, field)) ? [id] : id;
    const trial = await context.send(leg, { ...honest, body: JSON.stringify({ ...bodyOf(honest), [field]: value }) });
    context.objects.adopt(creates, attacker, trial, parent?.params ?? {}, mark);
    return trial;
  };
  const positive = await ask("positive", mine.id);
  if (!isSuccess(positive.answer))
    return inconclusive(`naming an object of its own ${outcome(positive.answer)}`, [positive]);
  const attack = await ask("attack", theirs.id);
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [positive, attack]);
  if (!isSuccess(attack.answer))
    return held(`"${field}" may not name what belongs to ${owner.name}`, [positive, attack]);
  if (!attack.answer.text.includes(theirs.id))
    return held(`"${field}" of another's object is ignored`, [positive, attack]);
  const again = await ask("attack", theirs.id);
  if (!isSuccess(again.answer)) return inconclusive("it was accepted once and not again", [positive, attack, again]);
  return broken(`${attacker.name} may name what belongs to ${owner.name} in "${field}"`, [positive, attack, again]);
}

/** What the schema of a member looks like: a list where it holds several ids. */
function valueOf(kind: Kind, field: string): unknown {
  const schema = propertiesOf(kind.create?.body?.schema ?? {}).get(field);
  return schema !== undefined && typeOf(schema) === "array" ? [] : "";
}
