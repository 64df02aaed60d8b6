import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { isRecord, type JsonRecord } from "../src/json.ts";
import { checksThatAre, type NotesApi, parseStrictly, readAll, readBounded, scanNotes } from "./notes-api.ts";

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("body-size", { timeout: 60_000 }, () => {
  it("finds nothing where bytes are counted as they come, and says what it found the limit to be", async () => {
    const result = await found({});
    expect(result.broken).toEqual([]);
    expect(result.held).toEqual(["chunked", "compressed", "declared", "deep", "endless", "many-keys"]);
    expect(result.whyOf("declared")).toMatch(/\(\d+ KiB is taken\)/);
  });

  it("leaves a route in peace that takes more than others and still has an end", async () => {
    const result = await found({ read: (request, response) => readBounded(request, response, 1024 * 1024) });
    expect(result.broken).toEqual([]);
    expect(result.whyOf("declared")).toMatch(/declared body of 1\.\d MiB is refused/);
  });

  it("finds a body that has no limit, and sends it no more than a few megabytes", async () => {
    let most = 0;
    const read: NotesApi["read"] = async (request) => {
      const bytes = await readAll(request);
      most = Math.max(most, bytes.length);
      return bytes;
    };
    const result = await found({ read });
    expect(result.broken).toEqual(["declared"]);
    expect(most).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  it("finds a length that is believed, because chunks announce none", async () => {
    const read: NotesApi["read"] = async (request, response) =>
      request.headers["transfer-encoding"] === undefined
        ? await readBounded(request, response)
        : await readAll(request);
    const result = await found({ read });
    expect(result.broken).toEqual(["chunked", "endless"]);
    expect(result.whyOf("chunked")).toContain("refused where its length is declared");
  });

  it("finds a refusal that waits for the last byte, and not one that closes without a word", async () => {
    const drained: NotesApi["read"] = async (request, response) => {
      const bytes = await readAll(request);
      if (bytes.length <= 100 * 1024) return bytes;
      response.writeHead(413).end();
      return undefined;
    };
    expect((await found({ read: drained })).broken).toEqual(["endless"]);
    const silent: NotesApi["read"] = async (request, response) => {
      const got = await readBounded(request, response);
      if (got === undefined) response.destroy();
      return got;
    };
    expect((await found({ read: silent })).broken).toEqual([]);
  });

  it("finds compressed bytes that are counted before they grow", async () => {
    const inflated: NotesApi["parse"] = (bytes, request) => {
      const isGzip = request.headers["content-encoding"] === "gzip";
      delete request.headers["content-encoding"];
      return parseStrictly(isGzip ? gunzipSync(bytes) : bytes, request);
    };
    expect((await found({ parse: inflated })).broken).toEqual(["compressed"]);
    const bounded: NotesApi["parse"] = (bytes, request) => {
      try {
        const isGzip = request.headers["content-encoding"] === "gzip";
        const whole = isGzip ? gunzipSync(bytes, { maxOutputLength: 100 * 1024 }) : bytes;
        delete request.headers["content-encoding"];
        return parseStrictly(whole, request);
      } catch {
        return 413;
      }
    };
    expect((await found({ parse: bounded })).broken).toEqual([]);
  });

  it("finds a function that calls itself for each level, and not one that refuses what is deep", async () => {
    const trim = (value: unknown): unknown => {
      if (typeof value === "string") return value.trim();
      if (Array.isArray(value)) return value.map(trim);
      return isRecord(value)
        ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, trim(one)]))
        : value;
    };
    const trimming: NotesApi["parse"] = (bytes, request) => {
      if (request.headers["content-encoding"] !== undefined) return 415;
      try {
        trim(JSON.parse(bytes.toString()));
      } catch {
        return 500;
      }
      return parseStrictly(bytes, request);
    };
    expect((await found({ parse: trimming })).broken).toEqual(["deep"]);
    const careful: NotesApi["parse"] = (bytes, request) =>
      bytes.toString().includes("[[[[[") ? 400 : trimming(bytes, request);
    expect((await found({ parse: careful })).broken).toEqual([]);
  });

  it("finds depth that is taken where a member may be anything", async () => {
    const anything: NotesApi["parse"] = (bytes, request) => {
      if (request.headers["content-encoding"] !== undefined) return 415;
      const { text }: { text?: unknown } = JSON.parse(bytes.toString());
      return { text: typeof text === "string" ? text : "" };
    };
    const described = (document: JsonRecord): JsonRecord =>
      JSON.parse(JSON.stringify(document).replace('"additionalProperties":false', '"additionalProperties":true'));
    expect((await found({ parse: anything, described })).broken).toEqual(["deep", "many-keys"]);
  });

  it("keeps nothing so deep that the API cannot get it out again", async () => {
    let deepest = 0;
    const everything: NotesApi["parse"] = (bytes, request) => {
      if (request.headers["content-encoding"] !== undefined) return 415;
      const text = bytes.toString();
      deepest = Math.max(deepest, text.lastIndexOf("[") - text.indexOf("["));
      return { text: JSON.parse(text) };
    };
    const result = await found({ parse: everything });
    expect(result.broken).toEqual(["deep", "many-keys"]);
    expect(result.whyOf("deep")).toBe("JSON nested 2000 deep is accepted and kept.");
    expect(deepest).toBeLessThan(2000);
    expect(result.leftovers).toEqual([]);
  });

  it("claims nothing of an API that is out of order", async () => {
    const result = await scanNotes({ parse: () => 500 }, "body-size");
    expect(result.protections.find(({ protection }) => protection === "body-size")?.verdict).toBe("inconclusive");
  });
});

async function found(api: NotesApi) {
  const result = await scanNotes(api, "body-size");
  return {
    broken: checksThatAre("broken", result),
    held: checksThatAre("held", result),
    leftovers: result.leftovers,
    whyOf: (check: string) => result.verdicts.find((one) => one.check === check)?.why ?? "",
  };
}
