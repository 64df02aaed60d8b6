import { execFile, fork } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { embeddedKeyStore, type EmbeddedKeyStore } from "../../src/adapters/embedded-key-store.ts";
import { memoryKeyStore } from "../../src/lib/memory-key-store.ts";
import { apiKeyStoreContract, record } from "./api-key-store.contract.ts";

const root = mkdtempSync(join(tmpdir(), "portcullis-keys-"));
const opened: EmbeddedKeyStore[] = [];
let folders = 0;

afterAll(() => {
  for (const store of opened) store.close();
  rmSync(root, { recursive: true, force: true });
});

apiKeyStoreContract("the memory store", memoryKeyStore);
apiKeyStoreContract("the embedded store", () => openStore());

describe("api-keys: the embedded store", () => {
  it("opens nothing before its first call", () => {
    const folder = newFolder();
    embeddedKeyStore({ folder }).close();
    expect(existsSync(folder)).toBe(false);
  });

  it("makes its folder and files for this user only", async () => {
    const folder = newFolder();
    await openStore(folder).insert(record());
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const file of ["api-keys.sqlite", "api-keys.sqlite-wal", "api-keys.sqlite-shm"]) {
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    }
  });

  it("refuses a folder that others can look into", () => {
    const folder = newFolder();
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    expect(() => openStore(folder).find("x")).toThrow(/others can look into/);
    expect(() => embeddedKeyStore({ folder: "" }).find("x")).toThrow(/no folder/);
  });

  it("keeps everything when it is closed and opened again, the last use too", async () => {
    const folder = newFolder();
    const store = openStore(folder);
    await store.insert(record({ id: "k" }));
    await store.revoke("k", 7);
    const noted = store.touch("k", 9);
    store.close();
    await noted;
    expect(() => store.find("k")).toThrow(/closed/);
    expect(await openStore(folder).find("k")).toMatchObject({ revokedAt: 7, lastUsedAt: 9 });
  });

  it("shows a revocation by another process within 50 ms, through its generation", async () => {
    const folder = newFolder();
    const [ours, theirs] = [openStore(folder), openStore(folder)];
    await theirs.insert(record({ id: "k" }));
    ours.generation();
    await passMs(60);
    const before = ours.generation();
    await passMs(60);
    expect(ours.generation()).toBe(before);
    await theirs.revoke("k", 7);
    await passMs(60);
    expect(ours.generation()).not.toBe(before);
    expect(await ours.find("k")).toMatchObject({ revokedAt: 7 });
  });

  it("reports a use that could not be noted, and does not wait for another process's transaction", async () => {
    const folder = newFolder();
    const store = openStore(folder);
    await store.insert(record({ id: "k" }));
    const { DatabaseSync } = await import("node:sqlite");
    const other = new DatabaseSync(join(folder, "api-keys.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    await expect(store.touch("k", 5)).rejects.toThrow(/locked/);
    other.exec("ROLLBACK");
    other.close();
    await store.touch("k", 6);
    expect(await store.find("k")).toMatchObject({ lastUsedAt: 6 });
  });

  it("loses no revocation and tears no rotation apart when the process is killed in the middle", async () => {
    const folder = newFolder();
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, "key-store-writer.ts"), [folder, String(round)], {
        execArgv: ["--conditions=source", "--no-warnings"],
      });
      const gone = new Promise((resolve) => child.once("exit", resolve));
      await new Promise<void>((resolve) => {
        child.on("message", (id) => {
          if (typeof id === "string") acknowledged.push(id);
          if (acknowledged.length >= 40 * (round + 1)) resolve();
        });
        child.once("exit", () => resolve());
      });
      child.kill("SIGKILL");
      await gone;
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(120);
    const store = openStore(folder);
    for (const id of acknowledged) expect(await store.find(id)).toMatchObject({ revokedAt: 5 });
    const all = await store.listBySubject("alice", 1_000);
    for (const { replacedBy } of all) {
      if (replacedBy !== undefined) expect(await store.find(replacedBy)).toBeDefined();
    }
    const heirs = all.filter(({ id }) => id.endsWith("-heir"));
    for (const { id } of heirs) expect(await store.find(id.slice(0, -5))).toMatchObject({ replacedBy: id });
    expect(heirs.length).toBeGreaterThanOrEqual(120);
  });

  it("lets two processes rotate the same key at the same time, and exactly one succeeds", async () => {
    const folder = newFolder();
    const store = openStore(folder);
    for (let n = 0; n < 20; n++) await store.insert(record({ id: `k-${n}` }));
    const run = promisify(execFile);
    const script = join(import.meta.dirname, "key-store-rotator.ts");
    const outputs = await Promise.all(
      ["a", "b"].map((name) => run(process.execPath, ["--conditions=source", "--no-warnings", script, folder, name])),
    );
    const won = outputs.map(({ stdout }) => Number(stdout.trim()));
    expect(won.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(await store.listBySubject("alice", 1_000)).toHaveLength(40);
  });
});

function openStore(folder = newFolder()): EmbeddedKeyStore {
  const store = embeddedKeyStore({ folder });
  opened.push(store);
  return store;
}

function newFolder(): string {
  folders++;
  return join(root, `store-${folders}`);
}

function passMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
