import type { ApiConfig } from "portcullis";
import { OptionsError, StartRefused } from "portcullis";
import { portcullisHeaders, toNext, usualPagePolicy } from "portcullis/next";
import { afterEach, describe, expect, it, vi } from "vitest";
import { testApi } from "../front-door.ts";

const counted = { limits: { instances: 1, global: "100000/s", address: "100000/s", failures: "100000/s" } } as const;
const local = { ...counted, dangerouslyAllowLoopback: "next dev hides the socket" };
/** What Next.js hands over, whatever the client asked for. */
const url = "http://localhost:3000/v1/open";

function made(change: Partial<ApiConfig> = {}) {
  const test = testApi({ ...counted, ...change });
  return { ...test, handlers: () => toNext(test.api) };
}

function problemsOf(make: () => unknown): readonly string[] {
  try {
    make();
    return [];
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    return error.problems.map(({ field, problem }) => `${field}: ${problem}`);
  }
}

afterEach(() => vi.unstubAllEnvs());

describe("toNext", () => {
  it("answers every method a route.ts may export through the gates", async () => {
    const handlers = made(local).handlers();
    expect(Object.keys(handlers)).toEqual(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
    const statuses: Record<string, number> = {};
    for (const [method, handler] of Object.entries(handlers)) {
      const request = new Request(url, { method, headers: { host: "localhost:3000" } });
      statuses[method] = (await handler(request)).status;
    }
    expect(statuses).toEqual({ GET: 200, HEAD: 200, POST: 405, PUT: 405, PATCH: 405, DELETE: 405, OPTIONS: 204 });
  });

  it("serves the Host that was asked for, never the one in request.url", async () => {
    const { GET } = made(local).handlers();
    const at = async (headers: Record<string, string>) => (await GET(new Request(url, { headers }))).status;
    expect(await at({ host: "localhost:3000" })).toBe(200);
    expect(await at({ host: "evil.example" })).toBe(421);
    expect(await at({})).toBe(421);
  });

  it("reads the public path, with the basePath that Next.js takes out of request.url", async () => {
    const request = () => new Request("http://localhost:3000/open", { headers: { host: "localhost:3000" } });
    expect((await made(local).handlers().GET(request())).status).toBe(404);
    const { GET } = toNext(made(local).api, { basePath: "/v1" });
    expect((await GET(request())).status).toBe(200);
    for (const basePath of ["v1", "/v1/", "/", "//v1", "/v1?a"]) {
      expect(() => toNext(made(local).api, { basePath }), basePath).toThrow(OptionsError);
    }
  });

  it("takes the forwarded headers of next dev for what they are, and a stranger's for a stranger's", async () => {
    const { GET } = made(local).handlers();
    const from = async (address: string) => {
      const headers = {
        host: "localhost:3000",
        "x-forwarded-for": address,
        "x-forwarded-host": "localhost:3000",
        "x-forwarded-port": "3000",
        "x-forwarded-proto": "http",
      };
      return (await GET(new Request(url, { headers }))).status;
    };
    expect([await from("127.0.0.1"), await from("::1"), await from("192.168.1.7")]).toEqual([200, 200, 421]);
  });

  it("refuses to be made where the API would not start, with every problem", () => {
    expect(problemsOf(made({ limits: {} }).handlers)).toEqual([
      "proxies: nobody can see the socket here, so no request has an address",
      "limits.instances: nobody says how many processes run, and each would count by itself",
    ]);
    expect(problemsOf(made(local).handlers)).toEqual([]);
  });

  it("refuses while Next.js builds too, but asks for a platform's marks where it runs alone", () => {
    const platform = made({ proxies: "vercel" });
    expect(problemsOf(platform.handlers)).toEqual([
      "proxies: this process does not run on vercel (VERCEL_REGION is not set), so anybody could write the address",
    ]);
    vi.stubEnv("NEXT_PHASE", "phase-production-build");
    expect(problemsOf(platform.handlers)).toEqual([]);
    expect(problemsOf(made({ proxies: "vercel", limits: {} }).handlers)).toHaveLength(1);
    expect(platform.entries).toEqual([]);
  });

  it("answers nothing while Next.js builds, so that no answer is everybody's", async () => {
    vi.stubEnv("NEXT_PHASE", "phase-production-build");
    const { GET } = made(local).handlers();
    await expect(GET(new Request(url, { headers: { host: "localhost" } }))).rejects.toThrow("while Next.js builds");
  });

  it("hands the records to whatever keeps the process alive, where the host of Next.js offers it", async () => {
    const test = made(local);
    const kept: unknown[] = [];
    const context = Symbol.for("@next/request-context");
    Reflect.set(globalThis, context, { get: () => ({ waitUntil: (work: unknown) => kept.push(work) }) });
    try {
      await test.handlers().GET(new Request(url, { headers: { host: "localhost" } }));
    } finally {
      Reflect.deleteProperty(globalThis, context);
    }
    expect(kept).toHaveLength(1);
    await kept[0];
    expect(test.entries.filter(({ kind }) => kind === "call")).toHaveLength(1);
  });

  it("lists in the manifest what Next.js hides", () => {
    const test = made(local);
    test.handlers();
    const { unknown } = Object(test.api.manifest()["x-portcullis"]);
    expect(unknown).toEqual(["peer", "raw target", "tls", "duplicate headers", "whether the answer arrived"]);
  });
});

describe("portcullisHeaders", () => {
  /** What Next.js sends of these rules: the last that matches wins, header by header. */
  function sent(path: string, rules = portcullisHeaders()): Readonly<Record<string, string>> {
    const fitting = rules.filter(
      ({ source, has }) => has === undefined && path.startsWith(source.replace("/:path*", "")),
    );
    return Object.fromEntries(fitting.flatMap(({ headers }) => headers.map(({ key, value }) => [key, value])));
  }

  it("says of the API what its own answers say, value for value, so that nothing is sent that contradicts them", async () => {
    const answer = await made(local)
      .handlers()
      .GET(new Request(url, { headers: { host: "localhost" } }));
    const rule = portcullisHeaders().find(({ source }) => source.startsWith("/api"));
    expect(rule?.headers.length).toBeGreaterThan(4);
    for (const { key, value } of rule?.headers ?? []) expect([key, answer.headers.get(key)]).toEqual([key, value]);
    for (const { headers, has } of portcullisHeaders()) {
      if (has !== undefined) continue;
      for (const { key } of headers) expect(["cache-control", "vary", "content-type", "set-cookie"]).not.toContain(key);
    }
  });

  it("gives pages a policy they work under, and another one where they have their own", () => {
    expect(sent("/about")["content-security-policy"]).toBe(usualPagePolicy);
    expect(sent("/api/x")["content-security-policy"]).toBe("default-src 'none'; frame-ancestors 'none'");
    const own = portcullisHeaders({ pagePolicy: "default-src 'self'" });
    expect(sent("/about", own)["content-security-policy"]).toBe("default-src 'self'");
    const elsewhere = portcullisHeaders({ pagePolicy: null });
    expect(sent("/about", elsewhere)).not.toHaveProperty("content-security-policy");
    expect(sent("/api/x", elsewhere)["content-security-policy"]).toBe("default-src 'none'; frame-ancestors 'none'");
  });

  it("lets pages call eval for a reason, and never in production", () => {
    const development = portcullisHeaders({ dangerouslyAllowEval: "next dev" });
    expect(sent("/", development)["content-security-policy"]).toContain(
      "script-src 'self' 'unsafe-eval' 'unsafe-inline'",
    );
    expect(sent("/api/x", development)["content-security-policy"]).not.toContain("unsafe");
    expect(() => portcullisHeaders({ dangerouslyAllowEval: " " })).toThrow(OptionsError);
    vi.stubEnv("NODE_ENV", "production");
    expect(() => portcullisHeaders({ dangerouslyAllowEval: "next dev" })).toThrow(OptionsError);
  });

  it("sends HSTS over https and never for loopback names", () => {
    const [rule] = portcullisHeaders().filter(({ has }) => has !== undefined);
    expect(rule?.has).toEqual([{ type: "header", key: "x-forwarded-proto", value: "https" }]);
    const loopback = new RegExp(`^${rule?.missing?.[0]?.value ?? ""}$`);
    for (const name of ["localhost", "127.0.0.1", "["]) expect(name).toMatch(loopback);
    for (const name of ["example.com", "localhost.example.com", "127.0.0.1.example.com"]) {
      expect(name).not.toMatch(loopback);
    }
  });
});
