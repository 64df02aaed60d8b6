import { describe, expect, it } from "vitest";
import type { CallRecord } from "portcullis";
import { openDoor, sharedDoor, testApi } from "../front-door.ts";
import type { Asked, FrontDoor } from "../front-door.ts";

/** The address a request was counted and recorded under. */
async function addressOf(door: FrontDoor, headers: NonNullable<Asked["headers"]>): Promise<string | undefined> {
  const entries = await door.recorded(await door.ask("GET /v1/open", { headers }));
  return entries.find((entry): entry is CallRecord => entry.kind === "call")?.address;
}

describe("host", () => {
  const door = sharedDoor(() => testApi({ hosts: ["localhost", "127.0.0.1", "[::1]:8080"] }));
  const ask = async (host: string): Promise<number> =>
    (await door.ask("GET /v1/open", { headers: { Host: host } })).status;

  it("takes a loopback name with any port, and with nothing else behind it", async () => {
    expect(await ask("localhost:3000")).toBe(200);
    expect(await ask("localhost:3000, evil.example")).toBe(421);
    expect(await ask("localhost:3000/@evil.example")).toBe(421);
    expect(await ask("localhost:evil.example")).toBe(421);
    expect(await ask("localhost:3000:80")).toBe(421);
    expect(await ask("localhost:300000")).toBe(421);
  });

  it.each([
    "evil.example",
    "localhost.evil.example",
    "evil.example:80",
    "127.0.0.2",
    "0.0.0.0",
    "2130706433",
    "[::2]:8080",
  ])("refuses a name nobody configured: %s", async (host) => {
    const reply = await door.ask("GET /v1/open", { headers: { Host: host } });
    expect([reply.status, reply.code]).toEqual([421, "unknown-host"]);
  });

  it.each(["localhost@evil.example", "user@localhost", "localhost#", "local host", "localhost%00", "localhost\\evil"])(
    "refuses what is no host name: %s",
    async (host) => {
      expect([400, 421]).toContain(await ask(host));
    },
  );

  it("is not told another host by any header", async () => {
    for (const name of ["X-Forwarded-Host", "X-Host", "X-Original-Host", "X-HTTP-Host-Override", "Forwarded"]) {
      const value = name === "Forwarded" ? "host=localhost" : "localhost";
      const reply = await door.ask("GET /v1/open", { headers: { Host: "evil.example", [name]: value } });
      expect(reply.status, name).toBe(421);
    }
  });

  it("names the hosts it serves in the record, and to nobody else", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Host: "127.0.0.2" } });
    expect(reply.said).not.toContain("127.0.0.1");
    const reasons = (await door.recorded(reply)).map((entry) => (entry.kind === "event" ? entry.reason : undefined));
    expect(reasons).toContain("Host is none of hosts: localhost, 127.0.0.1, [::1]:8080");
  });

  it("refuses before the route is looked up, so that a rebound name learns nothing", async () => {
    expect((await door.ask("GET /v1/none", { headers: { Host: "evil.example" } })).code).toBe("unknown-host");
  });
});

describe("host behind a proxy", () => {
  const door = sharedDoor(() =>
    testApi({
      hosts: ["api.example.com", "admin.example.com:8443"],
      proxies: { trusted: ["127.0.0.0/8", "10.0.0.0/8"], header: "x-forwarded-for" },
    }),
  );
  const proxied = { Host: "api.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7" };

  it("matches hosts exactly: port, suffix and letter case", async () => {
    const ask = async (host: string): Promise<number> =>
      (await door.ask("GET /v1/open", { headers: { ...proxied, Host: host } })).status;
    expect(await ask("API.example.com")).toBe(200);
    expect(await ask("api.example.com:443")).toBe(200);
    expect(await ask("admin.example.com:8443")).toBe(200);
    expect(await ask("admin.example.com")).toBe(421);
    expect(await ask("api.example.com:8080")).toBe(421);
    expect(await ask("api.example.com.evil.example")).toBe(421);
    expect(await ask("api.example.com.")).toBe(421);
    expect(await ask("xapi.example.com")).toBe(421);
    expect(await ask("evil.example")).toBe(421);
    expect(await ask("localhost")).toBe(421);
  });

  it("keeps to the Host although the proxy passes on a forwarded one", async () => {
    const named = { ...proxied, "X-Forwarded-Host": "api.example.com" };
    expect((await door.ask("GET /v1/open", { headers: { ...named, Host: "evil.example" } })).status).toBe(421);
    expect((await door.ask("GET /v1/open", { headers: { ...named, "X-Forwarded-Host": "evil.example" } })).status).toBe(
      200,
    );
  });

  it("refuses an address nobody can read", async () => {
    for (const value of ["what", "", "203.0.113.7.evil.example", "999.1.1.1", "203.0.113.7:what"]) {
      const reply = await door.ask("GET /v1/open", { headers: { ...proxied, "X-Forwarded-For": value } });
      expect([reply.status, reply.code], value).toEqual([400, "unknown-address"]);
    }
  });

  it("reads right to left and stops at the first stranger, so that nobody writes his own address", async () => {
    const of = (chain: string) => addressOf(door, { ...proxied, "X-Forwarded-For": chain });
    expect(await of("203.0.113.7")).toBe("203.0.113.7");
    expect(await of("1.2.3.4, 203.0.113.7")).toBe("203.0.113.7");
    expect(await of("1.2.3.4, 203.0.113.7, 10.1.2.3")).toBe("203.0.113.7");
    expect(await of("evil, 203.0.113.7")).toBe("203.0.113.7");
  });

  it("never looks at the other families of forwarded headers", async () => {
    for (const [name, value] of [
      ["X-Real-IP", "9.9.9.9"],
      ["CF-Connecting-IP", "9.9.9.9"],
      ["True-Client-IP", "9.9.9.9"],
      ["Fly-Client-IP", "9.9.9.9"],
      ["Forwarded", "for=9.9.9.9"],
    ] as const) {
      expect(await addressOf(door, { ...proxied, [name]: value }), name).toBe("203.0.113.7");
    }
  });
});

describe("host behind a proxy that names it", () => {
  const door = sharedDoor(() =>
    testApi({
      hosts: ["api.example.com"],
      proxies: { trusted: ["127.0.0.0/8"], header: "x-forwarded-for", forwardedHost: true },
    }),
  );
  const proxied = { Host: "inside.local", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7" };

  it("takes the forwarded name and holds it against the same list", async () => {
    const ask = (name: string | readonly string[]) =>
      door.ask("GET /v1/open", { headers: { ...proxied, "X-Forwarded-Host": name } });
    expect((await ask("api.example.com")).status).toBe(200);
    expect((await ask("evil.example")).status).toBe(421);
    expect((await ask("api.example.com, evil.example")).status).not.toBe(200);
    expect((await ask(["api.example.com", "evil.example"])).status).not.toBe(200);
  });
});

describe("host without a proxy", () => {
  it("believes no forwarded header, and says so once", async () => {
    const door = await openDoor(testApi());
    for (let i = 0; i < 3; i++) await door.ask("GET /v1/open", { headers: { "X-Forwarded-For": "203.0.113.7" } });
    await door.close();
    expect(door.events().filter((event) => event.type === "forwarded-header-ignored")).toHaveLength(1);
    expect(door.entries.filter((entry) => entry.kind === "call").every((call) => call.address === "127.0.0.1")).toBe(
      true,
    );
  });
});
