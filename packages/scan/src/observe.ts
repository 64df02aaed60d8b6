import { isSuccess } from "./answer.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Identity } from "./identities.ts";
import { resembles } from "./oracle.ts";
import type { Random } from "./random.ts";
import { requestFor } from "./requests.ts";
import { BudgetSpent, Unreachable } from "./scan-error.ts";
import { credentialFields } from "./sign-in.ts";
import { isSafe, type Operation, pathParameters, type Target } from "./target.ts";
import { validValue } from "./values.ts";

/**
 * Learns which operations need a caller where nothing says so, by asking each as a stranger. What refuses strangers and
 * lets somebody in, or answers a stranger 401 or 403 before it looks at anything else, needs one; of the others it stays
 * unknown, since they may be public on purpose.
 *
 * @param identities  the first one is asked as, where the operation is a read
 */
export async function observeAccess(
  target: Target,
  identities: readonly Identity[],
  send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>,
  random: Random,
): Promise<Target> {
  const learned: string[] = [];
  const operations: Operation[] = [];
  for (const operation of target.operations) {
    if (operation.access.kind !== "unknown" || !(await refusesStrangers(operation, identities[0], send, random))) {
      operations.push(operation);
      continue;
    }
    learned.push(operation.id);
    operations.push({ ...operation, access: { kind: "caller", scopes: [], roles: [], objectRole: {} } });
  }
  if (learned.length === 0) return target;
  const note = `Nothing says who may call them, and they refuse strangers, so they are taken to need a caller: ${learned.join(", ")}.`;
  return { ...target, operations, assumptions: [...target.assumptions, note] };
}

async function refusesStrangers(
  operation: Operation,
  identity: Identity | undefined,
  send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>,
  random: Random,
): Promise<boolean> {
  if (credentialFields(operation) !== undefined) return false;
  try {
    const params = Object.fromEntries(
      pathParameters(operation.path).map((name) => [name, String(made(operation, "path", name, random))]),
    );
    const query = Object.fromEntries(
      operation.parameters
        .filter((entry) => entry.in === "query" && entry.required)
        .map(({ name }) => [name, String(made(operation, "query", name, random))]),
    );
    // An empty body is refused by whoever looks at it; who asks for a caller first does not.
    const body = operation.body === undefined ? {} : { body: {} };
    const strangers = await send("negative", requestFor(operation, { params, query, ...body }));
    const refused = strangers.answer.status === 401 || strangers.answer.status === 403;
    if (!isSafe(operation) || Object.keys(params).length > 0 || identity === undefined) return refused;
    const mine = await send("positive", requestFor(operation, { as: identity, params, query }));
    return isSuccess(mine.answer) && !resembles(strangers.answer, mine.answer);
  } catch (error) {
    if (error instanceof Unreachable || error instanceof BudgetSpent) return false;
    throw error;
  }
}

function made(operation: Operation, place: "path" | "query", name: string, random: Random): unknown {
  const schema = operation.parameters.find((entry) => entry.in === place && entry.name === name)?.schema ?? {};
  return validValue(schema, { random }, name);
}
