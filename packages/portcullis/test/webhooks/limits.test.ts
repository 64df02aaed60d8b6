import { nothing, refuse, stripe, webhook } from "portcullis";
import { describe, expect, it } from "vitest";
import { testApi } from "../front-door.ts";
import { secret, Paid, shop, event, signed, post, withDoor } from "./shop.ts";

const newSecret = "whsec_tests-only-a41d0c7b93e2865f";

describe("webhook-receive: time, rotation and limits", () => {
  it("takes a time five minutes off, each way, and not a second more", async () => {
    const start = 1_900_000_000_000;
    const test = shop({ config: { clock: { now: () => start, monotonic: () => performance.now() } } });
    await withDoor(test, async (door) => {
      const at = (seconds: number, id: string) =>
        post(door, event(id), signed(event(id), secret, start / 1000 + seconds));
      expect((await at(-300, "a")).status).toBe(200);
      expect((await at(300, "b")).status).toBe(200);
      expect((await at(-301, "c")).status).toBe(401);
      expect((await at(301, "d")).status).toBe(401);
    });
  });

  it("takes both secrets while one is rotated, and the old one no longer afterwards", async () => {
    const during = shop({ access: webhook(stripe({ secrets: [newSecret, secret] })) });
    await withDoor(during, async (door) => {
      expect((await post(door, event("a"), signed(event("a"), secret))).status).toBe(200);
      expect((await post(door, event("b"), signed(event("b"), newSecret))).status).toBe(200);
      const both = `${signed(event("c"), "whsec_yet-another-one-of-many")},${signed(event("c")).split(",")[1] ?? ""}`;
      expect((await post(door, event("c"), both)).status).toBe(200);
    });
    const after = shop({ access: webhook(stripe({ secrets: [newSecret] })) });
    await withDoor(after, async (door) => {
      expect((await post(door, event("a"), signed(event("a"), secret))).status).toBe(401);
    });
  });

  it("takes no refusal of a handler for a guess of the sender: others of its deliveries go on", async () => {
    const test = testApi({
      limits: { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "100000/s", failures: "2/h" },
    });
    test.api.route(
      {
        path: "POST /v1/hooks/shop",
        access: webhook(stripe({ secrets: [secret] })),
        input: { body: Paid },
        output: nothing,
      },
      ({ body }) => (body.id === "known" ? undefined : refuse("not-found", "the test does not know it")),
    );
    await withDoor(test, async (door) => {
      for (const id of ["a", "b", "c", "d"]) expect((await post(door, event(id))).status).toBe(404);
      expect((await post(door, event("known"))).status).toBe(204);
    });
  });

  it("counts the sender, once it is proved, and guesses by their address", async () => {
    const test = testApi({
      limits: { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "3/h", failures: "4/h" },
    });
    test.api.route(
      {
        path: "POST /v1/hooks/shop",
        access: webhook(stripe({ secrets: [secret] })),
        input: { body: Paid },
        output: nothing,
      },
      () => undefined,
    );
    await withDoor(test, async (door) => {
      const statuses: number[] = [];
      for (const id of ["a", "b", "c", "d"]) statuses.push((await post(door, event(id))).status);
      expect(statuses).toEqual([204, 204, 204, 429]);
      const guesses: number[] = [];
      for (let n = 0; n < 5; n++) guesses.push((await post(door, event("x"), "t=1,v1=00")).status);
      expect(guesses).toEqual([401, 401, 401, 401, 429]);
    });
  });
});
