import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crowds, kills } from "../../soak/rotation.ts";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";

/** A slice of `npm run soak`. */
describe.each([
  ["SQLite", embeddedStores, 1],
  ["PostgreSQL", postgresStores, 4],
] as const)("oauth: refresh tokens change hands, on %s", (_store, open, processes) => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.stop());

  it("once, to one successor, when a token is shown 100 times at once, and nobody is logged out", async () => {
    const { refused, successors, loggedOut } = await crowds(await stores.place(), {
      processes,
      crowds: 1,
      refreshesEach: 100,
      slowFrom: Date.now(),
    });
    expect({ refused, successors, loggedOut }).toEqual({ refused: 0, successors: 1, loggedOut: 0 });
  }, 120_000);

  it("whole or not at all when the process is killed in the middle: none is lost, none usable twice", async () => {
    // Before what a rotation writes; `npm run soak` kills before everything it asks.
    const writes = ['update "refresh_token"', 'insert into "refresh_token"', "commit"];
    const { unanswered, ...found } = await kills(await stores.place(), writes.length, processes > 1, writes);
    expect(found).toEqual({ kills: writes.length, lost: 0, usableTwice: 0, revocationsLost: 0 });
    expect(unanswered).toBe(writes.length);
  }, 120_000);
});
