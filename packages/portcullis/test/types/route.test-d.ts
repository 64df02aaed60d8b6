import { anyCaller, by, createApi, cursorPages, list, notAnObject, nothing, publicAccess, view } from "portcullis";
import type { Caller } from "portcullis";
import { z } from "zod";

// Types are API: what must compile compiles here, what must not is marked. `./test` type-checks this file.

interface Row {
  readonly id: string;
  readonly ownerId: string;
  readonly secret: string;
}

const api = createApi({ name: "types", hosts: ["localhost"], credentials: [] });
const row = api.resource("row", {
  load: (id): Row | undefined => (id === "1" ? { id, ownerId: "a", secret: "s" } : undefined),
  owner: (one) => one.ownerId,
});
const RowView = z.strictObject({ id: z.string().max(10) });
const params = z.strictObject({ id: z.uuid() });

// Everything a handler is given is inferred.
api.route(
  {
    path: "GET /v1/rows/:id",
    access: anyCaller,
    input: { params },
    objects: { one: by("id", row) },
    output: view(RowView, row),
  },
  ({ one, params: { id }, caller }) => {
    const owner: string = one.ownerId;
    const who: Caller = caller;
    const asked: string = id;
    return { ...one, id: asked + owner + who.subject };
  },
);

// A public route's caller may be nobody.
api.route(
  { path: "GET /v1/open", access: publicAccess("status"), output: z.strictObject({ ok: z.boolean() }) },
  ({ caller }) => {
    // @ts-expect-error nobody has to be there
    const subject: string = caller.subject;
    return { ok: subject === "" };
  },
);

// A page's shape follows its kind.
api.route({ path: "GET /v1/rows", access: anyCaller, output: list(RowView, row), page: cursorPages() }, ({ page }) => {
  const limit: number = page.limit;
  return { items: [], next: limit };
});

// A missing access does not compile.
// @ts-expect-error nobody decided who may call it
api.route({ path: "GET /v1/a", output: nothing }, () => undefined);

// A missing output does not compile.
// @ts-expect-error nobody decided what leaves
api.route({ path: "GET /v1/b", access: anyCaller }, () => undefined);

// An id of the path without a rule does not compile, with and without other objects.
// @ts-expect-error the id "id" has no rule
api.route({ path: "GET /v1/rows/:id", access: anyCaller, input: { params }, output: nothing }, () => undefined);
api.route(
  // @ts-expect-error the id "otherId" has no rule
  { path: "GET /v1/rows/:id/:otherId", access: anyCaller, objects: { one: by("id", row) }, output: nothing },
  () => undefined,
);

// An id of the body or the query without a rule does not compile; with a rule or an excuse it does.
const body = z.strictObject({ rowId: z.uuid() });
// @ts-expect-error the id "body.rowId" has no rule
api.route({ path: "POST /v1/c", access: anyCaller, input: { body }, output: nothing }, () => undefined);
api.route(
  { path: "POST /v1/c", access: anyCaller, input: { body }, objects: { one: by("body.rowId", row) }, output: nothing },
  ({ one }) => {
    const owner: string = one.ownerId;
    return owner === "" ? undefined : undefined;
  },
);
api.route(
  {
    path: "POST /v1/c",
    access: anyCaller,
    input: { body },
    objects: { "body.rowId": notAnObject("a row of the customer's own system") },
    output: nothing,
  },
  () => undefined,
);

// A handler that returns something else than it declared does not compile.
api.route(
  { path: "GET /v1/d", access: anyCaller, output: z.strictObject({ ok: z.boolean() }) },
  // @ts-expect-error a number is no boolean
  () => ({ ok: 1 }),
);

// A view needs the whole object, or its owner could not be read.
api.route(
  { path: "GET /v1/e", access: anyCaller, output: view(RowView, row) },
  // @ts-expect-error the owner is missing
  () => ({ id: "1" }),
);

// No schema, no raw input.
api.route({ path: "POST /v1/f", access: anyCaller, output: nothing }, ({ body: raw }) => {
  const none: undefined = raw;
  return none;
});
