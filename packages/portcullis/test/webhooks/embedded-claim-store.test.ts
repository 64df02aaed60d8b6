import { fork } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { embeddedClaimStore, type EmbeddedClaimStore } from "../../src/adapters/embedded-claim-store.ts";
import { claimStoreContract } from "./claim-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "portcullis-claims-"));
const opened: EmbeddedClaimStore[] = [];
let folders = 0;

afterAll(() => {
  for (const store of opened) store.close();
  rmSync(root, { recursive: true, force: true });
});

claimStoreContract("embedded", () => {
  let now = 1_900_000_000_000;
  const store = openStore(newFolder(), () => now);
  return {
    store,
    pass(ms) {
      now += ms;
    },
    close: () => store.close(),
  };
});

describe("webhook-receive: the embedded store of claims", () => {
  const lease = 60_000;
  const times = { atLeastMs: 600_000, keepMs: 600_000 };

  it("opens nothing before its first call, and nothing after it was closed", () => {
    const folder = newFolder();
    const store = embeddedClaimStore({ folder });
    store.close();
    expect(existsSync(folder)).toBe(false);
    expect(() => store.claim("a", lease)).toThrow(/closed/);
  });

  it("makes its folder and files for this user only, and refuses one that others can look into", async () => {
    const folder = newFolder();
    await openStore(folder).claim("a", lease);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const file of ["webhook-claims.sqlite", "webhook-claims.sqlite-wal"]) {
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    }
    const open = newFolder();
    mkdirSync(open);
    chmodSync(open, 0o755);
    expect(() => openStore(open).claim("a", lease)).toThrow(/others can look into/);
    expect(() => embeddedClaimStore({ folder: "" }).claim("a", lease)).toThrow(/no folder/);
  });

  it("remembers what was done and what is held when it is closed and opened again", async () => {
    const folder = newFolder();
    const store = openStore(folder);
    const claim = await store.claim("done", lease);
    if (claim.state === "claimed") await store.done("done", claim.token, times);
    await store.claim("held", lease);
    store.close();
    const again = openStore(folder);
    expect(await again.claim("done", lease)).toEqual({ state: "done" });
    expect(await again.claim("held", lease)).toMatchObject({ state: "held" });
  });

  it("gives each delivery to one of two processes, and a kill loses nothing that was done", async () => {
    const folder = newFolder();
    const worker = join(import.meta.dirname, "claim-store-worker.ts");
    const got: number[] = [];
    const done: number[] = [];
    const children = [0, 1].map(() => fork(worker, [folder], { execArgv: ["--conditions=source", "--no-warnings"] }));
    // However it ends, nobody is left running.
    onTestFinished(() => {
      for (const child of children) child.kill("SIGKILL");
    });
    await Promise.all(
      children.map(
        (child) =>
          new Promise<void>((resolve, reject) => {
            child.on("message", (message: unknown) => {
              if (message === "all") resolve();
              if (typeof message !== "object" || message === null || !("n" in message) || !("isDone" in message))
                return;
              got.push(Number(message.n));
              if (message.isDone === true) done.push(Number(message.n));
            });
            child.once("error", reject);
            child.once("exit", (code) => reject(new Error(`the worker ended with ${String(code)}`)));
          }),
      ),
    );
    for (const child of children) {
      child.removeAllListeners("exit");
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    expect(got.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(done).toHaveLength(20);
    const now = openStore(folder);
    const later = openStore(folder, () => Date.now() + lease + 1_000);
    for (const n of got) {
      const state = done.includes(n) ? "done" : "held";
      expect((await now.claim(`delivery-${n}`, lease)).state, `delivery-${n}`).toBe(state);
    }
    // What the killed processes held is free once their leases have ended.
    for (const n of got) {
      const state = done.includes(n) ? "done" : "claimed";
      expect((await later.claim(`delivery-${n}`, lease)).state, `delivery-${n}`).toBe(state);
    }
  });

  it("throws where another process does not let go of the file, so that nothing runs undecided", async () => {
    const folder = newFolder();
    const store = openStore(folder);
    await store.claim("a", lease);
    const other = new DatabaseSync(join(folder, "webhook-claims.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    expect(() => store.claim("b", lease)).toThrow(/locked/);
    other.exec("ROLLBACK");
    other.close();
    expect((await store.claim("b", lease)).state).toBe("claimed");
  });

  it("deletes what nobody has to remember", async () => {
    let now = 1_900_000_000_000;
    const folder = newFolder();
    const store = openStore(folder, () => now);
    for (let n = 0; n < 30; n++) await store.claim(`old-${n}`, 1_000);
    now += 2_000;
    await store.claim("new-1", lease);
    await store.claim("new-2", lease);
    const reader = new DatabaseSync(join(folder, "webhook-claims.sqlite"));
    expect(reader.prepare("SELECT count(*) AS kept FROM delivery").get()).toEqual({ kept: 2 });
    reader.close();
  });
});

function openStore(folder: string, now?: () => number): EmbeddedClaimStore {
  const store = embeddedClaimStore({ folder, ...(now !== undefined && { now }) });
  opened.push(store);
  return store;
}

function newFolder(): string {
  folders++;
  return join(root, `store-${folders}`);
}
