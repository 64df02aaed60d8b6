import { anyCaller, by, byEach, createApi, list, pages, view } from "portcullis";
import { z } from "zod";

// What a handler is given and what it may return, beyond the plain cases in route.test-d.ts.

interface Row {
  readonly id: string;
  readonly ownerId: string;
  readonly tags: readonly string[];
  readonly size: number;
}

const api = createApi({ name: "types", hosts: ["localhost"], credentials: [] });
const row = api.resource("row", {
  load: (id): Row => ({ id, ownerId: "a", tags: [], size: 1 }),
  owner: (one) => one.ownerId,
});
const stored: Row = { id: "1", ownerId: "a", tags: ["x"], size: 1 };
const RowView = z.object({ id: z.string(), tags: z.array(z.string()).max(10) });

// An optional id may not have been sent, so its object may not be there; a required one and one with a default are.
api.route(
  {
    path: "POST /v1/a",
    access: anyCaller,
    input: {
      body: z.strictObject({
        neededId: z.uuid(),
        maybeId: z.uuid().optional(),
        someIds: z.array(z.uuid()).max(10),
        moreIds: z.array(z.uuid()).max(10).default([]),
        otherIds: z.array(z.uuid()).max(10).optional(),
        deep: z.strictObject({ rowId: z.uuid() }),
      }),
      query: z.strictObject({ asideId: z.uuid().optional() }),
    },
    objects: {
      needed: by("body.neededId", row),
      maybe: by("body.maybeId", row),
      some: byEach("body.someIds", row),
      more: byEach("body.moreIds", row),
      other: byEach("body.otherIds", row),
      deep: by("body.deep.rowId", row),
      aside: by("query.asideId", row),
    },
    output: view(RowView, row),
  },
  ({ needed, maybe, some, more, other, deep, aside }) => {
    const sizes: readonly number[] = [needed.size, deep.size, ...some.map(sizeOf), ...more.map(sizeOf)];
    // @ts-expect-error it may not have been sent
    const unsent: number = maybe.size;
    // @ts-expect-error it may not have been sent
    const aslant: number = aside.size;
    // @ts-expect-error they may not have been sent
    const none: number = other.length;
    return sizes.includes(unsent + aslant + none) ? needed : (maybe ?? needed);
  },
);

// A readonly list may be returned: nothing is written to it on its way out.
api.route({ path: "GET /v1/b", access: anyCaller, output: view(RowView, row) }, () => stored);
api.route({ path: "GET /v1/c", access: anyCaller, output: z.object({ tags: z.array(z.string()).max(9) }) }, () => ({
  tags: stored.tags,
}));

// A field that the schema adds to the row has to be returned with it.
const Counted = RowView.extend({ count: z.int() });
api.route({ path: "GET /v1/d", access: anyCaller, output: view(Counted, row) }, () => ({ ...stored, count: 1 }));
api.route(
  { path: "GET /v1/e", access: anyCaller, output: view(Counted, row) },
  // @ts-expect-error the count is missing
  () => stored,
);

// A column of another type than the schema says would be a 500; it does not compile.
const TextSize = z.object({ id: z.string(), size: z.string() });
api.route(
  { path: "GET /v1/f", access: anyCaller, output: view(TextSize, row) },
  // @ts-expect-error the size is a number
  () => stored,
);
api.route(
  { path: "GET /v1/g", access: anyCaller, output: list(TextSize, row), page: pages() },
  // @ts-expect-error the size is a number
  () => ({ items: [stored], total: 1 }),
);

function sizeOf(one: Row): number {
  return one.size;
}
