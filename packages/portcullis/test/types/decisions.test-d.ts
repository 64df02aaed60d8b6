import {
  answer,
  anyCaller,
  by,
  byEach,
  byRole,
  createApi,
  cursorPages,
  list,
  notAnObject,
  nothing,
  pages,
  publicAccess,
  unowned,
  view,
} from "portcullis";
import { z } from "zod";

// What a policy has to say, and what it cannot say: both directions, so that the checks refuse no valid neighbour.

interface Row {
  readonly id: string;
  readonly ownerId: string;
}

const api = createApi({ name: "types", hosts: ["localhost"], credentials: [] });
const row = api.resource("row", { load: (id): Row => ({ id, ownerId: "a" }), owner: (one) => one.ownerId });
const stored: Row = { id: "1", ownerId: "a" };
const RowView = z.strictObject({ id: z.string().max(10) });
const Empty = z.strictObject({});
const params = z.strictObject({ id: z.uuid() });

// An access demands something that exists, or says that it does not.
api.route({ path: "GET /v1/a", access: { scopes: ["rows:read"] }, output: nothing }, () => undefined);
api.route({ path: "GET /v1/a", access: { roles: ["admin"], scopes: [] }, output: nothing }, () => undefined);
api.route({ path: "GET /v1/a", access: { any: true }, output: nothing }, () => undefined);
api.route(
  {
    path: "GET /v1/a/:id",
    access: { objectRole: { row: ["owner"] } },
    input: { params },
    objects: { row: by("id", row) },
    output: nothing,
  },
  () => undefined,
);
// @ts-expect-error it demands nothing
api.route({ path: "GET /v1/a", access: {}, output: nothing }, () => undefined);
// @ts-expect-error the demand is called roles
api.route({ path: "GET /v1/a", access: { role: ["admin"] }, output: nothing }, () => undefined);
// @ts-expect-error the other demand is called objectRole
api.route({ path: "GET /v1/a", access: { scopes: ["a"], objectRoles: ["owner"] }, output: nothing }, () => undefined);
// @ts-expect-error scopes are a list
api.route({ path: "GET /v1/a", access: { scopes: "admin" }, output: nothing }, () => undefined);
// @ts-expect-error nobody is "not any"
api.route({ path: "GET /v1/a", access: { any: false }, output: nothing }, () => undefined);
const misspelt = { scopes: ["a"], objectRoles: ["owner"] };
// @ts-expect-error nor when it was written elsewhere
api.route({ path: "GET /v1/a", access: misspelt, output: nothing }, () => undefined);
const open = { ...publicAccess("status"), scopes: ["a"] };
// @ts-expect-error a public route demands nothing
api.route({ path: "GET /v1/a", access: open, output: nothing }, () => undefined);

// Input has four places, a policy the members it has.
api.route({ path: "GET /v1/a", access: anyCaller, input: { query: Empty }, output: nothing }, () => undefined);
// @ts-expect-error the place is called query
api.route({ path: "GET /v1/a", access: anyCaller, input: { qeury: Empty }, output: nothing }, () => undefined);
api.route({ path: "GET /v1/a", access: anyCaller, input: { cookies: Empty }, output: nothing }, () => undefined);
const places = { query: Empty, cookie: Empty };
// @ts-expect-error the place is called cookies
api.route({ path: "GET /v1/a", access: anyCaller, input: places, output: nothing }, () => undefined);
// @ts-expect-error the member is called limit
api.route({ path: "GET /v1/a", access: anyCaller, output: nothing, limits: "60/min" }, () => undefined);

// A list ends, also as one of several answers; nothing else has pages.
api.route({ path: "GET /v1/a", access: anyCaller, output: list(RowView, row), page: pages() }, () => ({ items: [] }));
api.route(
  {
    path: "GET /v1/a",
    access: anyCaller,
    output: byRole({ admin: list(Empty, row), otherwise: list(RowView, row) }),
    page: cursorPages(),
  },
  () => ({ items: [stored] }),
);
// @ts-expect-error a list without an end
api.route({ path: "GET /v1/a", access: anyCaller, output: list(RowView, row) }, () => ({ items: [] }));
api.route(
  // @ts-expect-error a list without an end
  { path: "GET /v1/a", access: anyCaller, output: { 200: list(RowView, row), 202: nothing } },
  () => ({ items: [] }),
);
api.route(
  // @ts-expect-error a list without an end
  { path: "GET /v1/a", access: anyCaller, output: byRole({ otherwise: list(RowView, row) }) },
  () => ({ items: [] }),
);
api.route(
  // @ts-expect-error one object has no pages
  { path: "GET /v1/a", access: anyCaller, output: view(RowView, row), page: cursorPages() },
  () => stored,
);
api.route(
  // @ts-expect-error and no answer has none
  { path: "GET /v1/a", access: anyCaller, output: nothing, page: pages() },
  () => undefined,
);

// Ids in headers and inside a body have rules too, at any depth and in lists.
const body = z.strictObject({
  name: z.string().max(9),
  deep: z.strictObject({ rowId: z.uuid().optional(), paid: z.boolean() }),
  items: z.array(z.strictObject({ row_id: z.uuid() })).max(3),
  either: z.union([z.strictObject({ firstId: z.uuid() }), z.strictObject({ other: z.boolean() })]),
});
const headers = z.strictObject({ "x-row-id": z.uuid() });
const bound = {
  one: by("body.deep.rowId", row),
  each: byEach("body.items.*.row_id", row),
  "body.either.firstId": notAnObject("of the customer's own system"),
};
api.route({ path: "POST /v1/a", access: anyCaller, input: { body }, objects: bound, output: nothing }, (given) => {
  const owner: string | undefined = given.one?.ownerId;
  const each: readonly Row[] = given.each;
  return each.length === 0 && owner === "" ? undefined : undefined;
});
// @ts-expect-error three ids of the body have no rule
api.route({ path: "POST /v1/a", access: anyCaller, input: { body }, output: nothing }, () => undefined);
api.route(
  {
    path: "POST /v1/a",
    access: anyCaller,
    input: { body },
    // @ts-expect-error body.items.*.row_id has no rule
    objects: { one: bound.one, "body.either.firstId": bound["body.either.firstId"] },
    output: nothing,
  },
  () => undefined,
);
api.route(
  {
    path: "GET /v1/a",
    access: anyCaller,
    input: { headers },
    objects: { one: by("header.x-row-id", row) },
    output: nothing,
  },
  (given) => (given.one.ownerId === "" ? undefined : undefined),
);
// @ts-expect-error the header names an object and no rule loads it
api.route({ path: "GET /v1/a", access: anyCaller, input: { headers }, output: nothing }, () => undefined);

// What only looks like an id to a careless reader is none.
const words = z.strictObject({
  paid: z.boolean(),
  grid: z.int(),
  idea: z.boolean(),
  at: z.strictObject({ valid: z.boolean() }),
});
api.route({ path: "POST /v1/a", access: anyCaller, input: { body: words }, output: nothing }, () => undefined);

// A recursive body is followed as far as is sensible, and the compiler comes to an end.
interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
}
const tree: z.ZodType<Tree> = z.strictObject({
  name: z.string().max(9),
  get children() {
    return z.array(tree).max(3);
  },
});
api.route(
  { path: "POST /v1/a", access: anyCaller, input: { body: tree }, output: nothing },
  ({ body: { children } }) => {
    const names: readonly string[] = children.map((one) => one.name);
    return names.length === 0 ? undefined : undefined;
  },
);

// An answer has one of the statuses that are declared.
const byStatus = { 200: view(RowView, row), 202: nothing };
api.route({ path: "GET /v1/a", access: anyCaller, output: byStatus }, () => answer(stored, { status: 200 }));
api.route({ path: "GET /v1/a", access: anyCaller, output: byStatus }, () => answer(undefined, { status: 202 }));
api.route({ path: "GET /v1/a", access: anyCaller, output: byStatus }, () =>
  answer(stored, { headers: { etag: '"1"' } }),
);
api.route(
  { path: "GET /v1/a", access: anyCaller, output: byStatus },
  // @ts-expect-error nobody declared 201
  () => answer(stored, { status: 201 }),
);
api.route(
  { path: "GET /v1/a", access: anyCaller, output: view(RowView, row) },
  // @ts-expect-error one output is answered with 200
  () => answer(stored, { status: 201 }),
);
// @ts-expect-error a status is a number
answer(stored, { status: "200" });

// What is nobody's is returned as its schema says.
const Job = z.strictObject({ jobId: z.uuid() });
const unownedJob = unowned(Job, "made by this request");
api.route({ path: "POST /v1/a", access: anyCaller, output: unownedJob }, () => ({ jobId: "1" }));
api.route(
  { path: "POST /v1/a", access: anyCaller, output: unownedJob },
  // @ts-expect-error the id is missing
  () => ({ id: "1" }),
);
// @ts-expect-error without a reason
unowned(Job);
// @ts-expect-error a view is of a resource
view(RowView);
// @ts-expect-error an owner is read from the object
api.resource("other", { load: (id): Row => ({ id, ownerId: "a" }), owner: "ownerId" });
// @ts-expect-error a reason is a text
api.resource("another", { load: (id): Row => ({ id, ownerId: "a" }), shared: true });
