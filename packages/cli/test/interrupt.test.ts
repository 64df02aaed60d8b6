import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Reactions, startThings } from "../../scan/test/things.ts";
import { command, folderWithDescription, people } from "./command.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** Starts a scan whose writes are counted, and waits until it has created something to delete. */
async function underWay(
  before: Reactions["before"] = () => undefined,
  { host = "127.0.0.1", more = [] }: { readonly host?: string; readonly more?: readonly string[] } = {},
) {
  const { folder } = await folderWithDescription();
  const counts = { created: 0, deleted: 0 };
  const { url, close } = await startThings({
    async before(asked) {
      // Slow enough that the signal comes in the middle.
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (asked.method === "POST" && asked.path === "/things" && asked.who !== undefined) counts.created += 1;
      if (asked.method === "DELETE" && asked.who !== undefined) counts.deleted += 1;
      return await before(asked);
    },
  });
  closing.push(close);
  const files = ["--openapi", "openapi.json", "--json", "report.json"];
  const at = url.replace("127.0.0.1", host);
  const child = spawn(
    process.execPath,
    ["--conditions=source", command, "scan", at, ...files, ...people, "--quiet", ...more],
    {
      cwd: folder,
    },
  );
  let said = "";
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  child.stdout.resume();
  await expect.poll(() => counts.created, { timeout: 20_000 }).toBeGreaterThan(2);
  return { child, counts, said: () => said, report: () => readFile(join(folder, "report.json"), "utf8") };
}

// Side by side, each with a target of its own: what is shown here is how long somebody waits.
describe.concurrent("a scan that is interrupted", { timeout: 60_000 }, () => {
  it.for(["SIGINT", "SIGTERM"] as const)(
    "by %s deletes what it created, reports what it knows and exits 3",
    async (signal, { expect }) => {
      const { child, said, report } = await underWay();
      child.kill(signal);
      const [code] = await once(child, "exit");
      expect(code).toBe(3);
      expect(said()).toContain("stopping; what was created is deleted first");
      const text = await report();
      expect(JSON.parse(text)).toMatchObject({ interrupted: true, leftovers: [], counts: { broken: 0 } });
      expect(text).toContain("The scan was interrupted before this was decided.");
    },
  );

  it("names what it could not delete, and waits no longer for it than it says", async ({ expect }) => {
    const { child, report } = await underWay(({ method }) => (method === "DELETE" ? new Promise(() => {}) : undefined));
    const from = performance.now();
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(3);
    expect(performance.now() - from).toBeLessThan(25_000);
    expect(await report()).toMatch(/"thing [\w-]+ of (?:alice|bob): /);
  });

  it("by --timeout deletes what it created, exits 2 and says so; credentials over plain http are warned of, once", async ({
    expect,
  }) => {
    let created = 0;
    const slowly = async ({ method, path }: Parameters<Reactions["before"]>[0]): Promise<undefined> => {
      if (method === "POST" && path === "/things") created += 1;
      // From here on far too slow for the rest of the scan.
      else if (method !== "DELETE" && created > 4) await new Promise((resolve) => setTimeout(resolve, 1000));
    };
    // An address of this machine by a name that is not only this machine's.
    const more = ["--consent", "0.0.0.0", "--timeout", "5s", "--only", "object-access,mass-assignment"];
    const { child, counts, said, report } = await underWay(slowly, { host: "0.0.0.0", more });
    const [code] = await once(child, "exit");
    expect(code).toBe(2);
    expect(counts.deleted).toBeGreaterThanOrEqual(counts.created);
    expect(said().match(/warning: Credentials go to 0\.0\.0\.0:\d+ over plain http/g)).toHaveLength(1);
    const text = await report();
    expect(JSON.parse(text)).toMatchObject({ timedOut: true, leftovers: [], counts: { broken: 0 } });
    expect(JSON.parse(text)).not.toHaveProperty("interrupted");
    expect(text).toContain("Time ran out before this was decided (--timeout).");
    expect(text).toContain("Time ran out (--timeout): what was not decided by then is inconclusive.");
    expect(text).toMatch(/"Credentials go to 0\.0\.0\.0:\d+ over plain http/);
  });

  it("twice ends at once", async ({ expect }) => {
    const { child, said } = await underWay(({ method }) => (method === "DELETE" ? new Promise(() => {}) : undefined));
    child.kill("SIGINT");
    await expect.poll(said).toContain("end at once");
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(3);
  });
});
