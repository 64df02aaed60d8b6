import type { AnySchema, InferInput } from "./lib/standard-schema.ts";
import type { ListOutput, OutputPolicy } from "./output.ts";
import type { CallerAccess, InputPolicy, PagePolicy, PathNames, PublicAccess } from "./policy.ts";
import type { WebhookAccess } from "./webhooks/webhook-access.ts";

/**
 * What a policy has to hold beyond the type of each member: nothing where it does, else a member that cannot be
 * written, whose type says what is missing. The compiler shows it at the policy, or at the member that is too much.
 * Every one of these is a start-up problem as well.
 */
export type PolicyChecks<Path extends string, Access, Input, Objects, Output, Paging> = EveryIdHasARule<
  Path,
  Input,
  Objects
> &
  AccessDemands<Access> &
  InputIsKnown<Input> &
  ListHasAnEnd<Output, Paging>;

/**
 * Each id without a rule as a member of `objects` that is missing, named as `notAnObject` would name it. Looks at
 * single ids, so that the message spells them out.
 */
type EveryIdHasARule<Path extends string, Input, Objects> = [IdsWithoutRule<Path, Input, Objects>] extends [never]
  ? unknown
  : {
      readonly objects: {
        readonly [Id in IdsWithoutRule<
          Path,
          Input,
          Objects
        >]: `an id without a rule: by("${Id}", resource), or notAnObject("reason")`;
      };
    };

/** Every id a route takes that no rule consumes: those whose names the types can tell. */
type IdsWithoutRule<Path extends string, Input, Objects> = Exclude<
  PathNames<Path> | IdsOf<Input, "query", "query"> | IdsOf<Input, "headers", "header"> | IdsOf<Input, "body", "body">,
  Consumed<Objects>
>;

type Consumed<O> = {
  [K in keyof O]: O[K] extends { readonly kind: "by" | "by-each"; readonly field: infer F } ? F : K;
}[keyof O];

/** As rules write them: `query.projectId`, `header.x-project-id`, `body.items.*.projectId`. */
type IdsOf<I, Member extends keyof InputPolicy, Place extends string> = I extends {
  readonly [M in Member]: infer S extends AnySchema;
}
  ? IdsIn<InferInput<S>, Place, Levels>
  : never;

/** How deep the compiler looks for ids; the start looks everywhere. Recursive schemas would otherwise have no end. */
type Levels = [1, 1, 1, 1, 1];

type IdsIn<V, At extends string, Left extends readonly unknown[]> = 0 extends 1 & V
  ? never
  : V extends Leaf
    ? never
    : Left extends readonly [unknown, ...infer Rest]
      ? V extends readonly (infer Item)[]
        ? IdsIn<Item, `${At}.*`, Rest>
        : V extends object
          ? {
              [K in keyof V & string]-?: K extends IdName ? `${At}.${K}` : IdsIn<V[K], `${At}.${K}`, Rest>;
            }[keyof V & string]
          : never
      : never;

type Leaf = string | number | boolean | bigint | symbol | null | undefined | Date | ((...given: never) => unknown);

/**
 * The part of `idFields` (lib/schema-problems.ts) that types can say. Formats cannot be seen here, and `…ID` is left to
 * the start, which tells "projectID" from "PAID".
 */
type IdName =
  | "id"
  | "ids"
  | "uuid"
  | `${string}Id`
  | `${string}Ids`
  | `${string}Uuid`
  | `${string}_id`
  | `${string}_ids`
  | `${string}_uuid`
  | `${string}-id`
  | `${string}-ids`
  | `${string}-uuid`;

/**
 * A demand is written down, or why there is none; nothing else stands in an access. What is wrong is told by objects: a
 * text beside the text somebody wrote would be `never`, which says nothing.
 */
type AccessDemands<Access> = [Extract<Access, PublicAccess | WebhookAccess>] extends [never]
  ? [keyof Access] extends [never]
    ? {
        readonly access: {
          readonly "demands nothing": 'say { scopes }, { roles }, { objectRole }, anyCaller or publicAccess("reason")';
        };
      }
    : NothingBeside<"access", Access, keyof CallerAccess, "no demand: say scopes, roles or objectRole">
  : NothingBeside<"access", Access, keyof PublicAccess | keyof WebhookAccess, "no part of such an access">;

type InputIsKnown<Input> = NothingBeside<
  "input",
  Input,
  keyof InputPolicy,
  "no place of input: say params, query, headers, cookies or body"
>;

/** A misspelt member is one whose type nothing has, and it says why. */
type NothingBeside<Member extends string, Value, Known, Why extends string> = [Exclude<keyof Value, Known>] extends [
  never,
]
  ? unknown
  : { readonly [M in Member]: { readonly [K in Exclude<keyof Value, Known>]: { readonly [W in Why]: never } } };

/** A list has a page, and nothing else has one. Where the output's type says neither, the start does. */
type ListHasAnEnd<Output, Paging> = OutputPolicy extends Output
  ? unknown
  : true extends HoldsList<Output>
    ? [Paging] extends [PagePolicy]
      ? unknown
      : { readonly output: { readonly "a list without an end": "add page: cursorPages() or page: pages()" } }
    : [Paging] extends [undefined]
      ? unknown
      : { readonly page: { readonly "only a list has pages": "say list(Schema, resource), or take page out" } };

type HoldsList<O> = O extends ListOutput
  ? true
  : O extends { readonly kind: "by-role"; readonly roles: infer R }
    ? HoldsList<R[keyof R]>
    : O extends { readonly kind: string } | AnySchema
      ? false
      : O extends { readonly [status: number]: infer R }
        ? HoldsList<R>
        : false;
