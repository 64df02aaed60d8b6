import { type Answer, isSuccess } from "./answer.ts";
import { honestBody, type Way, ways } from "./bodies.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { type Identity, scopesOf } from "./identities.ts";
import { idOfMarked } from "./ids.ts";
import { textAt } from "./json.ts";
import type { Kind } from "./kinds.ts";
import type { Random } from "./random.ts";
import { createReferences, type References, type ReferencesOptions } from "./references.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import type { Operation } from "./target.ts";

/** Values of a path's parameters. */
type Params = Readonly<Record<string, string>>;

/** How objects are created: what a body has to name, and with what it is filled so that the API takes it. */
export interface Creating {
  /** A creation as it is known to work by now. */
  creation(kind: Kind, owner: Identity, params: Params, mark: string): Outgoing;
  /** Creates one; where it is refused for what it says, in another way, which is kept where it works. */
  create(kind: Kind, owner: Identity, params: Params, mark: string): Promise<Trial>;
  /** The ids that requests have to name. */
  readonly references: References;
  /** A valid body of any operation, with the ids that were learned for it. */
  body(operation: Operation, owner: Identity, mark: string, way?: Way): unknown;
  /** The id of a new object by its marker, where the answer to its creation names none. */
  listedId(kind: Kind, owner: Identity, params: Params, mark: string): Promise<string | undefined>;
}

/** What it takes. */
export interface CreatingOptions extends ReferencesOptions {
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  readonly random: Random;
  /** The account of somebody else than the owner, for members that name a person. */
  readonly person: (owner: Identity) => string | undefined;
}

/** Makes the part of the objects' keeper that learns how creation works. */
export function createCreating(options: CreatingOptions): Creating {
  const { send, random } = options;
  const references = createReferences(options);
  const demanded = options.operations.flatMap(({ access }) => (access.kind === "caller" ? access.scopes : []));
  /** Which way of filling a creation in works, for kinds that refused the first. */
  const wayOf = new Map<Kind, number>();

  const creating: Creating = {
    references,
    body(operation, owner, mark, way = "marked") {
      return honestBody(operation, {
        random,
        canary: mark,
        person: () => options.person(owner),
        reference: (name, schema) => references.known(owner, name, schema),
        scopes: scopesOf(owner) ?? demanded,
        way,
      });
    },
    creation(kind, owner, params, mark) {
      const { create } = kind;
      if (create === undefined) throw new Unreachable(`nothing creates a ${kind.name}`);
      const body = creating.body(create, owner, mark, ways[wayOf.get(kind) ?? 0]);
      return requestFor(create, { as: owner, params, body });
    },
    async create(kind, owner, params, mark) {
      if (kind.create !== undefined) await references.learn(kind.create, owner);
      const learned = wayOf.get(kind);
      const first = await send("positive", creating.creation(kind, owner, params, mark));
      if (learned !== undefined || !isAboutTheBody(first.answer)) return first;
      // What is shown as an example gets furthest, and so says best what stands in the way.
      let best = first;
      for (const [way, name] of ways.entries()) {
        wayOf.set(kind, way);
        // What was refused as it was is not sent again; only a name that is taken may be free the next time.
        if (way === 0 && first.answer.status !== 409) continue;
        const trial = await send("positive", creating.creation(kind, owner, params, mark));
        if (isSuccess(trial.answer)) return trial;
        if (name === "examples") best = trial;
      }
      wayOf.set(kind, 0);
      return best;
    },
    async listedId(kind, owner, params, mark) {
      if (kind.list === undefined) return undefined;
      const trial = await send("positive", requestFor(kind.list, { as: owner, params }));
      return isSuccess(trial.answer) ? idOfMarked(trial.answer.json, kind, mark) : undefined;
    },
  };
  return creating;
}

/** What an answer says is wrong, in a few words of its own, after a colon; "" where it says nothing short. */
export function complaintOf(answer: Answer): string {
  const said = ["detail", "message", "error", "title"]
    .map((name) => textAt(answer.json, name))
    .find((text) => text !== undefined && text !== "");
  return said === undefined ? "" : `: ${said.length > 120 ? `${said.slice(0, 120)}…` : said}`;
}

/** True for a refusal that may be about what the body says. */
function isAboutTheBody(answer: Answer): boolean {
  return [400, 404, 409, 415, 422, 500].includes(answer.status);
}
