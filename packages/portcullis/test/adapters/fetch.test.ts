import type { Api, ApiConfig, FetchFacts } from "portcullis";
import { createApi, OptionsError, StartRefused } from "portcullis";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bearer, noteIds, testApi } from "../front-door.ts";

const direct = { peer: "203.0.113.7", scheme: "https" } as const;
const counted = { limits: { instances: 1, global: "100000/s", address: "100000/s", failures: "100000/s" } } as const;
const url = "https://localhost";

function made(change: Partial<ApiConfig> = {}): Api {
  return testApi({ ...counted, ...change }).api;
}

function ask(api: Api, path: string, init: RequestInit & { duplex?: "half" } = {}, facts: FetchFacts = direct) {
  return api.fetch(new Request(`${url}${path}`, init), facts);
}

async function codeOf(response: Response): Promise<unknown> {
  const problem: unknown = await response.json();
  return typeof problem === "object" && problem !== null && "code" in problem ? problem.code : undefined;
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

describe("api.fetch", () => {
  it("answers a request through every gate", async () => {
    const api = made();
    const open = await ask(api, "/v1/open");
    expect([open.status, await open.json()]).toEqual([200, { ok: true }]);
    expect(open.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await ask(api, `/v1/notes/${noteIds[0]}`)).status).toBe(401);
    const mine = await ask(api, `/v1/notes/${noteIds[0]}`, { headers: await bearer("alice") });
    expect(await mine.json()).toEqual({ id: noteIds[0], text: "note 0" });
    const foreign = await ask(api, `/v1/notes/${noteIds[1]}`, { headers: await bearer("alice") });
    expect([foreign.status, await codeOf(foreign)]).toEqual([404, "object-not-found"]);
  });

  it("takes a body, and refuses one that is too large before it has all of it", async () => {
    const api = made({ body: { maxBytes: 1_000 } });
    const headers = { ...(await bearer("alice")), "content-type": "application/json" };
    const taken = await ask(api, "/v1/notes", { method: "POST", headers, body: '{"text":"hello"}' });
    expect([taken.status, await taken.json()]).toEqual([201, { id: noteIds[0], text: "hello" }]);

    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(400).fill(0x20));
      },
    });
    const refused = await ask(api, "/v1/notes", { method: "POST", headers, body: endless, duplex: "half" });
    expect([refused.status, await codeOf(refused)]).toEqual([413, "body-too-large"]);
    expect(pulled).toBeLessThan(10);
  });

  it("gives a body its time and no more", async () => {
    const api = made({ body: { timeoutMs: 30 } });
    const headers = { ...(await bearer("alice")), "content-type": "application/json" };
    let cancelled = false;
    const stalled = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"te')),
      cancel: () => {
        cancelled = true;
      },
    });
    const answer = await ask(api, "/v1/notes", { method: "POST", headers, body: stalled, duplex: "half" });
    expect([answer.status, await codeOf(answer)]).toEqual([408, "body-timeout"]);
    expect(cancelled).toBe(true);
  });

  it("does not read the body of a request it refuses", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(1_000));
        },
        cancel: () => {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { "content-type": "application/json" };
    const answer = await ask(made(), "/v1/notes", { method: "POST", headers, body, duplex: "half" });
    expect([answer.status, pulled, cancelled]).toEqual([401, 0, true]);
  });

  it("says so in the log, and nothing to the client, where somebody has read the body before", async () => {
    const test = testApi(counted);
    const headers = { ...(await bearer("alice")), "content-type": "application/json" };
    const request = new Request(`${url}/v1/notes`, { method: "POST", headers, body: '{"text":"hello"}' });
    await request.text();
    const answer = await test.api.fetch(request, direct);
    expect([answer.status, await codeOf(answer)]).toEqual([500, "internal"]);
    expect(String(test.errors[0])).toContain("before anything reads it");
  });

  it("takes no body of a host that does not hand over bytes, because nobody could count it", async () => {
    let pulled = 0;
    const texts = new ReadableStream<unknown>({
      pull(controller) {
        pulled++;
        if (pulled > 100) controller.close();
        else controller.enqueue("x".repeat(1_000));
      },
    });
    const headers = { ...(await bearer("alice")), "content-type": "application/json" };
    const request = new Request(`${url}/v1/notes`, { method: "POST", headers, body: "{}" });
    Object.defineProperty(request, "body", { value: texts });
    const answer = await made({ body: { maxBytes: 1_000 } }).fetch(request, direct);
    expect([answer.status, await codeOf(answer)]).toEqual([400, "body-aborted"]);
    expect(pulled).toBeLessThan(10);
  });

  it("answers, and keeps its records, although waitUntil was taken from its object", async () => {
    class Context {
      readonly #works: Promise<unknown>[] = [];
      waitUntil(work: Promise<unknown>): void {
        this.#works.push(work);
      }
    }
    const test = testApi(counted);
    const waitUntil: unknown = Reflect.get(new Context(), "waitUntil");
    if (typeof waitUntil !== "function") throw new Error("a method was expected");
    const facts = { ...direct, waitUntil: (work: Promise<unknown>) => void Reflect.apply(waitUntil, facts, [work]) };
    const answer = await test.api.fetch(new Request(`${url}/v1/open`), facts);
    expect([answer.status, test.errors.length]).toEqual([200, 1]);
    expect(test.entries.filter(({ kind }) => kind === "call")).toHaveLength(1);
  });

  it("drops the body of an answer to HEAD", async () => {
    const answer = await ask(made(), "/v1/open", { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  });

  it("takes a stream without content for no body", async () => {
    const empty = new ReadableStream({ start: (controller) => controller.close() });
    const headers = await bearer("alice");
    const answer = await ask(made(), `/v1/notes/${noteIds[0]}`, {
      method: "DELETE",
      headers,
      body: empty,
      duplex: "half",
    });
    expect(answer.status).toBe(204);
  });

  it("serves the Host that was sent, not the one a framework writes into the URL", async () => {
    const api = made({ hosts: ["api.example.com"] });
    const at = async (host: string) => (await ask(api, "/v1/open", { headers: { host } })).status;
    expect([await at("api.example.com"), await at("evil.example")]).toEqual([200, 421]);
  });

  it("refuses two values of a header that has one", async () => {
    const headers = new Headers(await bearer("alice"));
    headers.append("authorization", "Bearer other");
    expect((await ask(made(), "/v1/open", { headers })).status).toBe(401);
  });

  it("believes nothing a client wrote about address and scheme", async () => {
    const headers = {
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "x-real-ip": "127.0.0.1",
      forwarded: "for=127.0.0.1;proto=https",
    };
    const api = made();
    const plain = await ask(api, "/v1/open", { headers }, { peer: "203.0.113.7", scheme: "http" });
    expect([plain.status, await codeOf(plain)]).toEqual([421, "plain-http"]);
    const nowhere = await ask(api, "/v1/open", { headers }, {});
    expect([nowhere.status, await codeOf(nowhere)]).toEqual([421, "unknown-scheme"]);
    const hidden = await ask(api, "/v1/open", { headers }, { scheme: "https" });
    expect([hidden.status, await codeOf(hidden)]).toEqual([400, "unknown-address"]);
  });

  it("takes the facts a program hands over and nothing else, so that no environment is taken for them", async () => {
    const environment = { API_KEY: "…", peer: "127.0.0.1" };
    const mistaken = made().fetch(new Request(`${url}/v1/open`), environment);
    await expect(mistaken).rejects.toThrow(OptionsError);
  });

  it("keeps the process alive until the records are written, where the host can", async () => {
    const test = testApi(counted);
    const kept: Promise<unknown>[] = [];
    await test.api.fetch(new Request(`${url}/v1/open`), { ...direct, waitUntil: (work) => kept.push(work) });
    expect(kept).toHaveLength(1);
    await kept[0];
    expect(test.entries.filter(({ kind }) => kind === "call")).toHaveLength(1);
  });

  it("lists in the manifest what nobody can know", async () => {
    const api = made({
      proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for", dangerouslyAssumeProxy: "vpc" },
    });
    await ask(api, "/v1/open", {}, {});
    const { unknown, dangerously } = Object(api.manifest()["x-portcullis"]);
    expect(unknown).toEqual(["peer", "tls", "duplicate headers", "whether the answer arrived"]);
    expect(dangerously).toEqual([{ where: "proxies", option: "dangerouslyAssumeProxy", reason: "vpc" }]);
  });
});

describe("a start without knowing whose requests come", () => {
  async function problemsOf(change: Partial<ApiConfig>, facts: FetchFacts = {}): Promise<readonly string[]> {
    const api = testApi({ limits: { instances: 1 }, ...change }).api;
    try {
      await ask(api, "/v1/open", {}, facts);
      return [];
    } catch (error) {
      if (!(error instanceof StartRefused)) throw error;
      return error.problems.map(({ field, problem }) => `${field}: ${problem}`);
    }
  }

  it("is refused where neither a platform nor the program says the address", async () => {
    expect(await problemsOf({})).toEqual(["proxies: nobody can see the socket here, so no request has an address"]);
    expect(await problemsOf({}, direct)).toEqual([]);
  });

  it("is refused behind proxies that nobody can see, unless somebody answers for them", async () => {
    const proxies = { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" } as const;
    expect(await problemsOf({ proxies })).toEqual([
      "proxies: nobody can see here whether a request came through one of these proxies",
    ]);
    expect(
      await problemsOf({ proxies: { ...proxies, dangerouslyAssumeProxy: "only reachable in the cluster" } }),
    ).toEqual([]);
    expect(await problemsOf({ proxies: { ...proxies, dangerouslyAssumeProxy: " " } })).toEqual([
      "proxies.dangerouslyAssumeProxy: has no reason",
    ]);
  });

  it("is refused where nobody says how many processes count", async () => {
    expect(await problemsOf({ limits: {}, dangerouslyAllowLoopback: "tests" })).toEqual([
      "limits.instances: nobody says how many processes run, and each would count by itself",
    ]);
  });

  it("is refused again at every request, and succeeds once it is mended", async () => {
    const api = made({ hosts: ["api.example.com"] });
    for (let n = 0; n < 2; n++) await expect(ask(api, "/v1/open", {}, {})).rejects.toThrow(StartRefused);
    expect((await ask(api, "/v1/open", { headers: { host: "api.example.com" } })).status).toBe(200);
  });
});

describe("dangerouslyAllowLoopback", () => {
  const local = { dangerouslyAllowLoopback: "next dev hides the socket" };

  it("lets plain http to a loopback name in where nobody can see the socket", async () => {
    const api = made(local);
    expect((await ask(api, "/v1/open", { headers: { host: "localhost:3000" } }, {})).status).toBe(200);
  });

  it("lets no other name in", async () => {
    const api = made({ ...local, hosts: ["localhost", "api.example.com"] });
    const answer = await ask(api, "/v1/open", { headers: { host: "api.example.com" } }, {});
    expect(answer.status).toBe(421);
  });

  it("does not make a known peer local", async () => {
    const api = made(local);
    const answer = await ask(api, "/v1/open", {}, { peer: "203.0.113.7", scheme: "http" });
    expect(answer.status).toBe(421);
  });

  it("stops the start beside a proxy on this machine, or whoever writes a loopback Host would write its headers", () => {
    const header = "x-forwarded-for";
    for (const trusted of ["127.0.0.0/8", "::1"]) {
      expect(made({ ...local, proxies: { trusted: [trusted], header } }).problems()).toMatchObject([
        { field: "dangerouslyAllowLoopback" },
      ]);
    }
    expect(made({ ...local, proxies: { trusted: ["10.0.0.0/8"], header } }).problems()).toEqual([]);
  });

  it("stops the start in production, beside a platform and without a reason", () => {
    const fieldsOf = (change: Partial<ApiConfig>) => made({ ...local, ...change }).problems();
    expect(fieldsOf({})).toEqual([]);
    expect(fieldsOf({ proxies: "vercel" })).toHaveLength(1);
    expect(fieldsOf({ dangerouslyAllowLoopback: "" })).toHaveLength(1);
    vi.stubEnv("NODE_ENV", "production");
    expect(fieldsOf({})).toMatchObject([{ field: "dangerouslyAllowLoopback" }]);
  });
});

describe("named platforms", () => {
  const vectors = [
    ["vercel", "VERCEL_REGION", { "x-real-ip": "198.51.100.9", "x-forwarded-for": "198.51.100.9" }],
    ["cloudflare", undefined, { "cf-connecting-ip": "198.51.100.9", "x-forwarded-for": "6.6.6.6, 198.51.100.9" }],
    [
      "fly",
      "FLY_APP_NAME",
      { "fly-client-ip": "198.51.100.9", "x-forwarded-for": "6.6.6.6, 198.51.100.9, 66.241.124.1" },
    ],
    [
      "render",
      "RENDER",
      { "cf-connecting-ip": "198.51.100.9", "x-forwarded-for": "6.6.6.6, 198.51.100.9, 104.22.17.40" },
    ],
    ["railway", "RAILWAY_PROJECT_ID", { "x-real-ip": "198.51.100.9", "x-forwarded-for": "6.6.6.6" }],
    ["aws-lambda", "AWS_LAMBDA_FUNCTION_NAME", { "x-forwarded-for": "6.6.6.6, 198.51.100.9" }],
  ] as const;

  /** Makes this process look like one of the platform's. */
  function runThere(mark: string | undefined): void {
    if (mark === undefined) vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    else vi.stubEnv(mark, "1");
  }

  describe.each(vectors)("%s", (proxies, mark, headers) => {
    async function through(sent: Readonly<Record<string, string>>): Promise<{ status: number; address: unknown }> {
      const test = testApi({ ...counted, proxies });
      const kept: Promise<unknown>[] = [];
      const facts = { waitUntil: (work: Promise<unknown>) => kept.push(work) };
      const answer = await test.api.fetch(new Request(`${url}/v1/open`, { headers: sent }), facts);
      await Promise.all(kept);
      const record = test.entries.find((entry) => entry.kind === "call");
      return { status: answer.status, address: record?.kind === "call" ? record.address : undefined };
    }

    it("says address and scheme in its own header", async () => {
      runThere(mark);
      const https = { ...headers, "x-forwarded-proto": "https" };
      expect(await through(https)).toEqual({ status: 200, address: "198.51.100.9" });
      expect((await through({ ...headers, "x-forwarded-proto": "http" })).status).toBe(421);
      expect((await through(headers)).status).toBe(421);
      expect((await through({ "x-forwarded-proto": "https" })).status).toBe(400);
    });

    it("does not take an address from another header", async () => {
      runThere(mark);
      const others = [
        "x-forwarded-for",
        "x-real-ip",
        "cf-connecting-ip",
        "fly-client-ip",
        "true-client-ip",
        "forwarded",
      ];
      const [own] = Object.keys(headers);
      const forged = Object.fromEntries(others.filter((name) => name !== own).map((name) => [name, "127.0.0.1"]));
      const sent = { ...forged, [own ?? ""]: Object.values(headers)[0] ?? "", "x-forwarded-proto": "https" };
      expect((await through(sent)).address).toBe("198.51.100.9");
    });

    it("stops the start where the process does not run there", async () => {
      // A shell that passes on what is not set leaves it empty.
      if (mark !== undefined) vi.stubEnv(mark, "");
      const api = made({ proxies });
      expect(api.problems()).toEqual([]);
      const refused = `this process does not run on ${proxies}`;
      await expect(ask(api, "/v1/open", {}, {})).rejects.toThrow(refused);
      await expect(api.listen({ port: 0, host: "0.0.0.0", handleSignals: false })).rejects.toThrow(refused);
    });
  });

  it("are known by name alone", () => {
    const misspelt: Partial<ApiConfig> = JSON.parse('{"proxies":"versel"}');
    expect(made(misspelt).problems()).toMatchObject([{ field: "proxies", problem: "is no platform we know" }]);
  });

  const onVercel = { headers: { "x-real-ip": "198.51.100.9", "x-forwarded-proto": "https" } };

  it("answer although a sink never has written", async () => {
    vi.stubEnv("VERCEL_REGION", "1");
    const sinks = [{ name: "dead", write: () => new Promise<void>(() => undefined) }];
    const test = testApi({ ...counted, proxies: "vercel", audit: { sinks } });
    expect((await test.api.fetch(new Request(`${url}/v1/open`, onVercel))).status).toBe(200);
  });

  it("have told of an attack before the answer that proves it, because there may be no later", async () => {
    vi.stubEnv("VERCEL_REGION", "1");
    let delivered = 0;
    const deliver = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      delivered++;
    };
    const test = testApi({ ...counted, proxies: "vercel", alerts: { deliver } });
    for (let n = 0; n < 30; n++) await test.api.fetch(new Request(`${url}/v1/none/${n}`, onVercel));
    const alerts = test.events().filter(({ type }) => type === "alert");
    expect([alerts.length, delivered]).toEqual([1, 1]);
  });

  it("write the records before the answer where the process may freeze behind it", async () => {
    vi.stubEnv("VERCEL_REGION", "1");
    const test = testApi({ ...counted, proxies: "vercel" });
    const headers = { "x-real-ip": "198.51.100.9", "x-forwarded-proto": "https" };
    await test.api.fetch(new Request(`${url}/v1/open`, { headers }));
    expect(test.entries.filter(({ kind }) => kind === "call")).toHaveLength(1);
  });
});

it("has no side effects before the first request", () => {
  expect(createApi({ name: "idle", hosts: ["localhost"], credentials: [] }).problems()).toHaveLength(1);
});
