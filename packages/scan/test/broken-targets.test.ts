import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type JsonRecord, recordAt } from "../src/json.ts";
import { ScanError, type ScanResult } from "../src/scan.ts";
import { listening, things } from "./serving.ts";
import { description, scanThings } from "./things.ts";

/** A scan ends in verdicts, none of them `broken`, or with one sentence that says why it cannot be done. */
async function endsWell(scanning: Promise<ScanResult>): Promise<ScanResult | ScanError> {
  const result = await scanning.catch((error: unknown) => error);
  if (result instanceof ScanError) {
    expect(result.message).toMatch(/\S+ \S+/);
    return result;
  }
  if (result instanceof Error) throw result;
  const found = await scanning;
  expect(found.counts.broken).toBe(0);
  for (const { verdict, why } of found.verdicts)
    if (verdict === "inconclusive") expect(why).not.toMatch(/check itself failed/);
  return found;
}

const reads = ["authentication", "output"];

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("a target that never comes to an end", { timeout: 90_000 }, () => {
  it("by a byte every half second is given up, with the reason", async () => {
    const url = await things({
      before: ({ path, method, request }) => {
        if (method !== "GET" || !path.startsWith("/things/")) return undefined;
        const { socket } = request;
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n");
        const drip = setInterval(() => socket.write(" "), 500);
        socket.once("close", () => clearInterval(drip));
        return new Promise(() => {});
      },
    });
    const result = await endsWell(scanThings(url, ["authentication"]));
    expect(result).toMatchObject({ durationMs: expect.any(Number) });
    if (!(result instanceof ScanError)) {
      expect(result.durationMs).toBeLessThan(80_000);
      expect(result.verdicts.some(({ verdict }) => verdict === "inconclusive")).toBe(true);
    }
  });

  it("by a body without end is read in part and no longer", async ({ expect }) => {
    let open = 0;
    const chunk = Buffer.alloc(64 * 1024, "x");
    const url = await listening((request, response) => {
      const known = /^Bearer token-of-(?:alice|bob)$/.test(request.headers.authorization ?? "");
      response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
      if (!known) {
        response.end("{}");
        return;
      }
      open += 1;
      response.once("close", () => {
        open -= 1;
      });
      const pour = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", pour);
      pour();
    });
    await endsWell(scanThings(url, reads, { budget: 200 }));
    await expect.poll(() => open, { timeout: 5000 }).toBe(0);
  });
});

describe.concurrent("a description that is wrong", { timeout: 60_000 }, () => {
  const paths = recordAt(description, "paths") ?? {};
  const circle: JsonRecord = {
    type: "object",
    required: ["self"],
    properties: { self: { $ref: "#/components/schemas/Circle" } },
  };
  const post = (schema: unknown) => ({
    post: { requestBody: { content: { "application/json": { schema } } }, responses: { 201: { description: "It" } } },
  });
  const wrong: Readonly<Record<string, JsonRecord>> = {
    "by bounds nothing can keep": {
      ...description,
      paths: {
        ...paths,
        "/impossible": post({
          type: "object",
          required: ["low", "word", "list", "choice"],
          properties: {
            low: { type: "integer", minimum: 10, maximum: 1 },
            word: { type: "string", minLength: 50, maxLength: 3, pattern: "^(" },
            list: { type: "array", minItems: 5, maxItems: 1, items: {} },
            choice: { type: "string", enum: [] },
          },
        }),
      },
    },
    "by members of the wrong type": {
      ...description,
      paths: {
        ...paths,
        "/odd": { get: { parameters: "none", responses: [] }, post: "yes", trace: null },
        "/odder": post({ type: "object", required: "all", properties: { a: true, b: [] } }),
        "no-slash": { get: { responses: {} } },
      },
    },
    "by parameters nobody declares": { ...description, paths: { ...paths, "/a/{b}/{c}": { get: { responses: {} } } } },
    "by schemas that need themselves": {
      ...description,
      components: { ...recordAt(description, "components"), schemas: { Circle: circle } },
      paths: { ...paths, "/circles": post({ $ref: "#/components/schemas/Circle" }) },
    },
    "by references to nothing": {
      ...description,
      paths: { ...paths, "/lost": post({ $ref: "#/components/schemas/Lost" }) },
    },
    "by references in a circle": {
      ...description,
      components: {
        ...recordAt(description, "components"),
        schemas: { A: { $ref: "#/components/schemas/B" }, B: { $ref: "#/components/schemas/A" } },
      },
      paths: { ...paths, "/rounds": post({ $ref: "#/components/schemas/A" }) },
    },
    "by no paths at all": { openapi: "3.1.0", info: { title: "none", version: "1" }, paths: {} },
    "by a version nobody knows": { ...description, openapi: "9.9.9" },
  };

  it.each(Object.keys(wrong))("%s ends in verdicts or in a sentence", async (name) => {
    const url = await things();
    await endsWell(scanThings(url, reads, { openapi: wrong[name] ?? {} }));
  });

  it("by five megabytes of operations that are not there is read, and the scan ends", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_none, index) => [
        `/missing-${index}`,
        { get: { description: "x".repeat(17_000), responses: { 200: { description: "It" } } } },
      ]),
    );
    const openapi = { ...description, paths: { ...paths, ...many } };
    expect(JSON.stringify(openapi).length).toBeGreaterThan(5_000_000);
    const url = await things();
    const result = await endsWell(scanThings(url, ["authentication"], { openapi, budget: 1500 }));
    if (!(result instanceof ScanError)) expect(result.durationMs).toBeLessThan(50_000);
  });

  it("by aliases that multiply is refused, not unfolded", async () => {
    const folder = await mkdtemp(join(tmpdir(), "portcullis-"));
    const lines = ["openapi: 3.1.0", "info: { title: laughs, version: '1' }", "a0: &a0 [x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 12; level += 1) {
      const alias = `*a${level - 1}`;
      lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => alias).join(", ")}]`);
    }
    lines.push("paths: { /things: { get: { x-laughs: *a11, responses: { 200: { description: It } } } } }");
    const file = join(folder, "openapi.yaml");
    await writeFile(file, lines.join("\n"));
    const url = await things();
    const from = performance.now();
    await endsWell(scanThings(url, ["authentication"], { openapi: file }));
    expect(performance.now() - from).toBeLessThan(30_000);
  });
});
