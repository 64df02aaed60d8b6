import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type Answered, startThings } from "../../scan/test/things.ts";
import { command, folderWithDescription, people, portcullis, type Ran, toAnybody } from "./command.ts";

let folder = "";
let openapi = "";
const closing: (() => Promise<void>)[] = [];
const children: ChildProcess[] = [];

/** Changed by the tests: what strangers are answered. */
let isOpen = true;
let url = "";
beforeAll(async () => {
  ({ folder, openapi } = await folderWithDescription());
  const things = await startThings({
    stranger: (asked): Answered => (isOpen ? toAnybody(asked) : [401, { title: "No", status: 401 }]),
  });
  closing.push(things.close);
  url = things.url;
});
afterAll(async () => {
  for (const child of children) child.kill();
  for (const close of closing) await close();
});

const scanArguments = (at: string) =>
  ["scan", at, "--openapi", openapi, ...people, "--only", "authentication", "--quiet"] as const;

const scan = (...args: readonly string[]): Promise<Ran> =>
  portcullis([...scanArguments(url), ...args], { cwd: folder });

/** What a scan that is not waited for is started with. */
const started = (at: string, ...args: readonly string[]) => [
  "--conditions=source",
  command,
  ...scanArguments(at),
  ...args,
];

const read = (name: string) => readFile(join(folder, name), "utf8");

describe("portcullis scan --report", () => {
  it("writes every format, by its name or by the ending of the file", async () => {
    isOpen = true;
    const files = ["html=a", "b.sarif", "junit=c", "d.md", "badge=e", "f.json", "text=g"];
    const ran = await scan(...files.flatMap((file) => ["--report", file]));
    expect(ran).toMatchObject({ code: 1, err: "" });
    expect(await read("a")).toMatch(/^<!doctype html>/);
    expect(JSON.parse(await read("b.sarif"))).toMatchObject({ version: "2.1.0" });
    expect(await read("b.sarif")).toContain('"uri": "openapi.json"');
    expect(await read("c")).toMatch(/^<\?xml/);
    expect(await read("d.md")).toMatch(/^# Portcullis: /);
    expect(await read("e")).toMatch(/^<svg/);
    expect(JSON.parse(await read("f.json"))).toMatchObject({
      format: 1,
      findings: [{ protection: "authentication" }, {}],
    });
    expect(await read("g")).toContain("What is broken");
  });

  it.each([
    [["--report", "pdf=a.pdf"], /--report pdf=a\.pdf: write it as format=file/],
    [["--report", "html="], /write it as format=file/],
    [["--fail-on", "always"], /--fail-on always: it is critical, high, medium, low, never/],
    [["--baseline", "no.json"], /cannot read the baseline no\.json; --update-baseline writes one/],
    [["--update-baseline"], /--update-baseline needs --baseline/],
    [["--baseline", "x.json", "--update-baseline", "--reason", "later"], /a reason is false-positive/],
    [["--baseline", "x.json", "--update-baseline", "--expires", "soon"], /YYYY-MM-DD/],
    [["--diff", "openapi.json"], /is no JSON report of an earlier scan/],
    [["--diff", "no.json"], /cannot read the earlier scan/],
    [["--jsonl", "/no/such/folder/a.jsonl"], /cannot write/],
    [["--every", "often"], /write it as 90s, 30m, 24h or 7d, from 1s to 30d/],
    [["--notify", "https://example.com"], /--notify goes with --every/],
    [["--every", "1h", "--notify", "http://example.com"], /it takes an https address/],
    [["--every", "1h", "--notify", "https://example.com"], /set PORTCULLIS_NOTIFY_SECRET/],
  ])("exits 3 before anything is sent for %j", async (args, message) => {
    const ran = await scan(...args);
    expect(ran.code).toBe(3);
    expect(ran.err).toMatch(message);
  });
});

describe("portcullis scan --baseline", () => {
  it("lets findings stand once somebody signs them, and not before", async () => {
    isOpen = true;
    const first = await scan("--baseline", "baseline.json", "--update-baseline");
    expect(first.code).toBe(1);
    expect(first.out).toContain("it counts: its baseline entry has no owner");
    const written = z.object({ format: z.literal(1), entries: z.array(z.record(z.string(), z.string())) });
    const { entries } = written.parse(JSON.parse(await read("baseline.json")));
    const signed = entries.map((entry) => ({ ...entry, owner: "ana", reason: "accepted", expires: "2999-12-31" }));
    await writeFile(join(folder, "baseline.json"), JSON.stringify({ format: 1, entries: signed }));
    const second = await scan("--baseline", "baseline.json", "--report", "accepted.sarif");
    expect(second.code).toBe(0);
    expect(second.out).toContain("(accepted, ana until 2999-12-31): authentication");
    const suppressed = { suppressions: [{ kind: "external", status: "accepted" }] };
    expect(JSON.parse(await read("accepted.sarif"))).toMatchObject({ runs: [{ results: [suppressed, suppressed] }] });
  });
});

describe("portcullis scan --diff and --fail-on", () => {
  it("says what is fixed, and what is new, since an earlier scan", async () => {
    isOpen = true;
    await scan("--report", "open.json");
    isOpen = false;
    const later = await scan("--diff", "open.json", "--report", "closed.json");
    expect(later).toMatchObject({ code: 0, out: expect.stringContaining("0 new, 2 fixed, 0 unchanged") });
    isOpen = true;
    const worse = await scan("--diff", "closed.json");
    expect(worse).toMatchObject({ code: 1, out: expect.stringContaining("2 new, 0 fixed, 0 unchanged") });
  });

  it("ends with 0 where nothing is as bad as was asked", async () => {
    isOpen = true;
    expect((await scan("--fail-on", "never")).code).toBe(0);
    expect((await scan("--fail-on", "critical")).code).toBe(1);
  });
});

describe("portcullis scan --jsonl", () => {
  it("has every verdict as a line, and at the end what they add up to", async () => {
    isOpen = true;
    await scan("--jsonl", "lines.jsonl");
    const lines = (await read("lines.jsonl"))
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines[0]).toMatchObject({ type: "start", format: 1, url });
    expect(lines.at(-1)).toMatchObject({ type: "end", exitCode: 1, counts: { broken: 1 }, revised: [] });
    expect(lines.slice(1, -1).length).toBeGreaterThan(5);
    for (const line of lines.slice(1, -1))
      expect(line).toMatchObject({ type: "verdict", protection: "authentication" });
  });

  it("loses nothing of a scan that is killed, and the next can be compared with it", async () => {
    isOpen = true;
    const written = () => read("killed.jsonl").catch(() => "");
    const isFound = async () => (await written()).includes('"verdict":"broken"');
    // The API stops answering once something is found, so that the scan hangs until it is killed.
    const slow = await startThings({
      stranger: toAnybody,
      before: async () => {
        if (await isFound()) await wait(60_000, undefined, { ref: false });
        return undefined;
      },
    });
    closing.push(slow.close);
    const child = spawn(process.execPath, started(slow.url, "--jsonl", "killed.jsonl"), { cwd: folder });
    children.push(child);
    await expect.poll(isFound, { timeout: 20_000 }).toBe(true);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const text = await read("killed.jsonl");
    expect(text).not.toContain('"type":"end"');
    isOpen = false;
    const ran = await scan("--diff", "killed.jsonl");
    expect(ran.out).toMatch(/0 new, [12] fixed, 0 unchanged/);
  });
});

describe("portcullis scan --every --notify", () => {
  it("scans again, tells what changed once, signed, and ends when told to with the last exit code", async () => {
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const received: { readonly headers: Record<string, string>; readonly body: string }[] = [];
    let refuse = 1;
    const endpoint = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        received.push({ headers: z.record(z.string(), z.string()).parse(request.headers), body });
        response.writeHead(refuse-- > 0 ? 503 : 204).end();
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => void endpoint.close(() => resolve())));
    const address = endpoint.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    isOpen = false;
    const child = spawn(
      process.execPath,
      started(url, "--every", "1s", "--notify", `http://127.0.0.1:${port}/hook`, "--report", "last.json"),
      { cwd: folder, env: { ...process.env, PORTCULLIS_NOTIFY_SECRET: secret }, stdio: ["ignore", "pipe", "inherit"] },
    );
    children.push(child);
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    const scans = () => out.split("held · ").length - 1;
    await expect.poll(scans, { timeout: 30_000 }).toBeGreaterThan(1);
    // Nothing was broken and nothing changed: nothing was told.
    expect(received).toEqual([]);
    isOpen = true;
    await expect.poll(() => received.length, { timeout: 30_000 }).toBeGreaterThan(1);
    const first = received[0];
    const again = received[1];
    // Refused once, tried again under the same id; what stays broken is not told twice.
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    const event: unknown = new Webhook(secret).verify(again?.body ?? "", again?.headers ?? {});
    expect(event).toMatchObject({
      type: "portcullis.scan.changed",
      exitCode: 1,
      first: false,
      new: { count: 2, findings: [{ protection: "authentication", severity: "critical" }, {}] },
    });
    const before = scans();
    await expect.poll(scans, { timeout: 30_000 }).toBeGreaterThan(before + 1);
    expect(received).toHaveLength(2);
    child.kill("SIGTERM");
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(code).toBe(1);
    expect(JSON.parse(await read("last.json"))).toMatchObject({ difference: { new: 0, unchanged: 2 } });
  });
});
