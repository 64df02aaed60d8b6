import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startThings } from "../../scan/test/things.ts";
import { command, folderWithDescription, people, portcullis as runIn, type Ran, toAnybody } from "./command.ts";

let folder = "";
let openapi = "";
beforeAll(async () => {
  ({ folder, openapi } = await folderWithDescription());
});

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** From another folder than the command's own. */
const portcullis = (...args: readonly string[]): Promise<Ran> => runIn(args, { cwd: folder });

describe("portcullis scan", () => {
  it("exits 0 and prints the table when everything it attacked held", async () => {
    const { url, close } = await startThings();
    closing.push(close);
    const ran = await portcullis(
      "scan",
      url,
      "--openapi",
      openapi,
      ...people,
      "--only",
      "authentication,object-access",
    );
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain("2 held · 0 broken · 0 inconclusive");
    expect(ran.err).toContain("100 %");
  });

  it("exits 1 when something is broken, and writes one JSON document to standard output", async () => {
    const { url, close } = await startThings({ stranger: toAnybody });
    closing.push(close);
    const ran = await portcullis(
      "scan",
      url,
      "--openapi",
      openapi,
      ...people,
      "--only",
      "authentication",
      "--json",
      "--quiet",
    );
    expect(ran).toMatchObject({ code: 1, err: "" });
    expect(JSON.parse(ran.out)).toMatchObject({ format: 1, exitCode: 1 });
  });

  it("exits 2 when something is inconclusive", async () => {
    const { url, close } = await startThings();
    closing.push(close);
    const ran = await portcullis(
      "scan",
      url,
      "--openapi",
      openapi,
      "--as",
      "alice=Bearer token-of-alice",
      "--only",
      "object-access",
      "--quiet",
    );
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.out).toContain("It takes two callers");
  });

  it("writes the JSON to a file and the table beside it", async () => {
    const { url, close } = await startThings();
    closing.push(close);
    const file = join(folder, "result.json");
    const ran = await portcullis(
      "scan",
      url,
      "--openapi",
      openapi,
      ...people,
      "--only",
      "authentication",
      "--json",
      file,
      "--quiet",
    );
    expect(ran.out).toContain("authentication");
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ exitCode: 0 });
  });

  // Side by side: each starts a process, and some wait for what does not come.
  it.concurrent.each([
    [["scan"], /missing required argument 'url'/],
    [["scan", "http://localhost:1", "--bogus"], /unknown option '--bogus'/],
    [["scan", "http://localhost:1", "--manfest", "x"], /unknown option '--manfest'\n\(Did you mean --manifest\?\)/],
    [["scna"], /unknown command 'scna'\n\(Did you mean scan\?\)/],
    [["scan", "http://localhost:1"], /nothing listens on http:..localhost:1/],
    [["scan", "https://example.com", "--openapi", "x"], /not this machine/],
    [["scan", "http://localhost:1", "--openapi", "no.json"], /cannot read no\.json/],
    [["scan", "http://localhost:1", "--as", "alice"], /"alice": an identity is written name=credential/],
    [["scan", "http://localhost:1", "--as", "alice="], /"alice": its credential is empty/],
    [["scan", "http://localhost:1", "--jwt-key", "no.pem"], /--jwt-key names no file .* secret:<text>/],
    [["scan", "http://localhost:1", "--jwt-key", "secret:"], /--jwt-key is empty/],
    [["scan", "http://localhost:1", "--as", "alice=token"], /Bearer <token>/],
    [["scan", "http://localhost:1", "--roles", "admin=admin"], /no --as does/],
    [["scan", "http://localhost:1", "--account", "me"], /email:password/],
    [["scan", "http://localhost:1", "--seed", "x"], /whole number/],
    [["scan", "http://localhost:1", "--patience", "long"], /patience is minutes/],
    [["scan", "http://localhost:1", "--timeout", "10"], /--timeout 10: write it as 90s, 30m, 24h or 7d, from 1s to 7d/],
    [["scan", "http://localhost:1", "--webhook", "/hooks/a=telegram:s"], /no scheme is called "telegram"/],
    [["scan", "http://localhost:1", "--webhook", "hooks"], /a webhook is written/],
    [["scan", "http://localhost:1", "--supabase", "http://localhost:2"], /--supabase and --anon-key go together/],
    [["scan", "http://localhost:1", "--supabase", "here", "--anon-key", "k"], /write it as https/],
    [["scan", "http://localhost:1", "--ca", "no.pem"], /cannot read no\.pem/],
    [["scan", "http://localhost:1", "--requests", "no.har"], /cannot read no\.har/],
    [
      ["scan", "http://localhost:1", "--openapi", "http://example.com/a.json"],
      /on another host, which the scan does not/,
    ],
    [["scan", "http://localhost:1", "--profile", "fast"], /there are quick and full/],
    [["scan", "http://localhost:1", "--rate", "0"], /--rate 0: it is a whole number from 1 on/],
    [["scan", "http://localhost:1", "--budget", "many"], /--budget many/],
    [["scan", "http://localhost:1", "--consent", "a b"], /name a host/],
    [["scan", "https://staging.example.com"], /not this machine.*--consent staging\.example\.com/],
    [["attack"], /unknown command 'attack'/],
  ])("exits 3 with a reason for %j", async (args, message) => {
    const ran = await portcullis(...args);
    expect(ran).toMatchObject({ code: 3 });
    expect(ran.err).toMatch(message);
    expect(ran.err).not.toContain("    at ");
  });
});

describe("what portcullis scan says", () => {
  it("shows no credential that was written where a name belongs", async () => {
    const ran = await portcullis("scan", "http://localhost:1", "--as", "Bearer token-of-alice");
    expect(ran.code).toBe(3);
    expect(ran.err).not.toContain("token-of-alice");
  });

  it("ends quietly when whoever reads has seen enough", async () => {
    const { url, close } = await startThings();
    closing.push(close);
    const line = `"$0" --conditions=source "$1" scan "$2" --openapi "$3" --as "$4" --quiet --json | head -c 10`;
    const args = ["-c", line, process.execPath, command, url, openapi, "alice=Bearer token-of-alice"];
    const ran = await new Promise<Ran>((resolve) => {
      execFile("sh", args, { cwd: folder }, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      });
    });
    expect(ran).toMatchObject({ out: '{\n  "forma', err: "" });
  });

  it("has no colours and no moving line away from a terminal", async () => {
    const { url, close } = await startThings();
    closing.push(close);
    const ran = await portcullis("scan", url, "--openapi", openapi, ...people, "--only", "authentication");
    expect(ran.out + ran.err).not.toMatch(/[\r\u001b]/);
  });

  it("explains every option in a help of at most 80 columns", async () => {
    const { out } = await portcullis("scan", "--help");
    for (const option of ["manifest", "openapi", "as", "roles", "account", "jwt-key", "ca", "only", "skip", "json"])
      expect(out).toContain(`--${option}`);
    for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});

describe("portcullis manifest", () => {
  const moduleOf = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };

  it("says in one line where it cannot write", async () => {
    const file = await moduleOf("unwritten.mts", "export default { problems: () => [], manifest: () => ({}) };");
    const ran = await portcullis("manifest", file, "--out", join(folder, "nowhere", "manifest.json"));
    expect([ran.code, ran.out]).toEqual([3, ""]);
    expect(ran.err).toMatch(/^portcullis manifest: cannot write .*no such file or directory.*\n$/);
  });

  it("prints the manifest of what a module exports as api", async () => {
    const file = await moduleOf(
      "good.mts",
      'export const api = { problems: () => [] as const, manifest: () => ({ openapi: "3.1.0" }) };',
    );
    const ran = await portcullis("manifest", file);
    expect(ran).toMatchObject({ code: 0 });
    expect(JSON.parse(ran.out)).toEqual({ openapi: "3.1.0" });
  });

  it("prints the problems and exits 1 where the API would not start", async () => {
    const problem = { where: "GET /a", field: "output", problem: "nothing says what leaves", fix: "output: nothing" };
    const file = await moduleOf(
      "bad.mts",
      `export default { problems: () => [${JSON.stringify(problem)}], manifest: () => ({}) };`,
    );
    const ran = await portcullis("manifest", file, "--out", join(folder, "never.json"));
    expect(ran).toMatchObject({ code: 1, out: "" });
    expect(ran.err).toContain(
      "GET /a, output: nothing says what leaves\n  fix: output: nothing\n1 problem: this API would not start.",
    );
  });

  it("says that a module exports no API", async () => {
    const file = await moduleOf("none.mts", "export const somethingElse = 1;");
    const ran = await portcullis("manifest", file);
    expect(ran).toMatchObject({ code: 3 });
    expect(ran.err).toContain("exports no API");
  });
});
