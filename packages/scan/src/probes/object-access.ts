import { isSuccess } from "../answer.ts";
import { isPrivileged, type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { accountChecks } from "../foreign-accounts.ts";
import { foreignIdChecks, ownThing, unreachable } from "../foreign-ids.ts";
import { linkChecks } from "../foreign-links.ts";
import { listChecks } from "../foreign-lists.ts";
import { referenceChecks } from "../foreign-references.ts";
import { canAct, type Identity } from "../identities.ts";
import { type Kind, kindAt, kindsAlong } from "../kinds.ts";
import { beyondRole, grantingOf, isReadingRole } from "../object-roles.ts";
import { looksMissing } from "../looks-missing.ts";
import { markedList } from "../marked-list.ts";
import { isLimited } from "../oracle.ts";
import { type Pair, pairsOf } from "../pairs.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Probe,
  threeLegs,
  twice,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { stageWrite } from "../stage.ts";
import { isGone, isSafe, type Operation, pathParameters } from "../target.ts";

/**
 * One caller on another's objects: reads (a canary in the answer is proof), writes and deletes (judged by what the owner
 * reads afterwards), lists, nested parents that do not belong together, and whether a foreign object can be told from a
 * missing one. In both directions.
 */
export const objectAccess: Probe = { id: "object-access", plan: planObjectAccess };

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
    const kinds = kindsAlong(context.objects.kinds, operation.path);
    if (operation.access.kind === "public") {
      checks.push({ check: "foreign", operation, notApplicable: `Public by policy: ${operation.access.reason}` });
      continue;
    }
    if (kinds.length > 0) checks.push(...foreignChecks(context, operation, kinds, pairs));
    checks.push(...listChecks(context, operation, pairs));
  }
  checks.push(
    ...foreignIdChecks(context, pairs),
    ...accountChecks(context, pairs),
    ...referenceChecks(context, pairs),
    ...linkChecks(context, pairs),
    ...roleChecks(context, pairs),
  );
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
  const filled = await context.objects.fill(operation, owner);
  const { params, things } = filled;
  const innermost = kindsAlong(context.objects.kinds, operation.path).at(-1);
  const named = things.find(({ kind }) => kind === innermost);
  if (named !== undefined && named.owner.name !== owner.name) {
    const why = `${owner.name} may not create a ${named.kind.name}: it belongs to ${named.owner.name}, who shows it.`;
    return [{ check: "foreign-read", ...notApplicable(why) }];
  }
  const seen = await context.send("positive", requestFor(operation, { as: owner, ...filled }));
  const mark = things.map((thing) => thing.canary).find((own) => seen.answer.text.includes(own));
  const known =
    (mark === undefined ? await markedList(context, operation, owner, filled, seen) : undefined) ??
    ({ positive: seen, canary: mark } as const);
  const { positive, canary } = known;
  const missing = await context.send(
    "negative",
    requestFor(operation, { as: attacker, ...filled, params: withMissing(context, operation, params) }),
  );
  const foreign = await threeLegs({
    positive,
    negatives: [missing],
    canary,
    attack: () => context.send("attack", requestFor(operation, { as: attacker, ...filled })),
    broken: `${attacker.name} reads what belongs to ${owner.name}`,
    held: `${attacker.name} cannot read what belongs to ${owner.name}`,
  });
  return [{ check: "foreign-read", ...foreign }, await looksMissing(context, foreign, missing, attacker)];
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
  { owner: first, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const check = operation.method === "DELETE" ? "foreign-delete" : "foreign-write";
  const owner = await makerFor(context, operation, first);
  if (typeof owner === "string") return [{ check, ...notApplicable(owner) }];
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
  if (written.verdict !== "held" || attack === undefined) return [{ check, ...written }];
  const missing = await context.send("negative", {
    ...attack.outgoing,
    target: missingTarget(context, operation, attack),
  });
  return [
    { check, ...written },
    await looksMissing(context, written, missing, attacker, async () => {
      const stage = await stageWrite(context, operation, owner, attacker);
      return await context.send("attack", stage.request(attacker));
    }),
  ];
}

/**
 * Whose object is attacked: the owner's, and where only somebody else may create one, what that one made. What lies inside
 * of something everybody may see is not attacked then.
 */
async function makerFor(context: ProbeContext, operation: Operation, owner: Identity): Promise<Identity | string> {
  const kind = kindsAlong(context.objects.kinds, operation.path).at(-1);
  if (kind === undefined) return owner;
  const own = await ownThing(context, kind, owner, "shared");
  if (typeof own !== "string") return owner;
  if (kind.item !== operation.path) return own;
  for (const other of context.identities.filter((one) => canAct(one) && isPrivileged(one, context.target))) {
    const theirs = await ownThing(context, kind, other, "shared").catch(unreachable);
    if (typeof theirs !== "string") return other;
  }
  return own;
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

/** A child reached through a parent it does not belong to, both ways round. */
async function parentSwap(
  context: ProbeContext,
  kind: Kind,
  read: Operation,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const victim = await ownThing(context, kind, owner, "shared");
  const mine = await ownThing(context, kind, attacker, "shared");
  if (typeof victim === "string") return [{ check: "parent-swap", ...notApplicable(victim) }];
  if (typeof mine === "string") return [{ check: "parent-swap", ...notApplicable(mine) }];
  const above = kind.parent?.parameter ?? "";
  if (victim.params[above] === mine.params[above])
    return [{ check: "parent-swap", ...notApplicable("What both callers made lies in the same object.") }];
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
      const others = rolesBelow(context, operation.access.objectRole[kind.name] ?? [], granting.roles);
      return others.map((role) => ({
        check: `beyond-role-${role}`,
        operation,
        run: () => twice(() => beyondRole(context, operation, granting, role, pair)),
      }));
    });
  });
}

/**
 * Roles that must not change or delete it: those the policy does not name. Without a policy only a name that says so
 * counts, beside another role.
 */
function rolesBelow(context: ProbeContext, needed: readonly string[], roles: readonly string[]): readonly string[] {
  if (context.target.source === "manifest")
    return needed.length === 0 ? [] : roles.filter((role) => !needed.includes(role));
  const reading = roles.filter((role) => isReadingRole(role));
  return reading.length < roles.length ? reading : [];
}
