import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { developmentCertificate } from "portcullis/node";
import { afterAll, describe, expect, it } from "vitest";
import { openDoor, sharedDoor, testApi } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const hsts = "max-age=31536000; includeSubDomains";
const viaProxy = { trusted: ["127.0.0.0/8"], header: "x-forwarded-for" } as const;

describe("transport behind a proxy", () => {
  const door = sharedDoor(() => testApi({ hosts: ["api.example.com", "localhost"], proxies: viaProxy }));
  const get = (headers: Readonly<Record<string, string | readonly string[]>>) =>
    door.ask("GET /v1/open", { headers: { Host: "api.example.com", "X-Forwarded-For": "203.0.113.7", ...headers } });

  const cases: readonly (readonly [string, string | readonly string[] | undefined, number])[] = [
    ["admits what the proxy says came by https", "https", 200],
    ["admits it in capitals", "HTTPS", 200],
    ["refuses what the proxy says came by http", "http", 421],
    ["refuses what the proxy says nothing of", undefined, 421],
    ["refuses a scheme that is a list", "https, http", 421],
    ["refuses a list that ends in https", "http, https", 421],
    ["refuses a scheme nobody knows", "wss", 421],
    ["refuses an empty scheme", "", 421],
    ["refuses a scheme said twice", ["https", "https"], 400],
  ];
  it.each(cases)("%s", async (_name, scheme, status) => {
    const reply = await get(scheme === undefined ? {} : { "X-Forwarded-Proto": scheme });
    expect(reply.status).toBe(status);
    if (status === 421) expect(reply.json).toMatchObject({ code: "plain-http", title: "Misdirected request" });
  });

  it.each(["X-Forwarded-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Forwarded-Ssl", "X-Scheme", "Forwarded"])(
    "does not take %s for the proxy's word",
    async (name) => {
      const value = name === "Forwarded" ? "for=203.0.113.7;proto=https" : name.endsWith("e") ? "https" : "on";
      expect((await get({ [name]: value })).status).toBe(421);
    },
  );

  it("refuses and never redirects, because the credential has travelled in the clear already", async () => {
    const reply = await get({ "X-Forwarded-Proto": "http" });
    expect(reply.headers.has("location")).toBe(false);
    expect(reply.headers.has("strict-transport-security")).toBe(false);
  });

  it("refuses a stranger's plain request although he names a loopback host", async () => {
    expect((await get({ Host: "localhost", "X-Forwarded-Proto": "http" })).status).toBe(421);
    expect((await get({ Host: "localhost" })).status).toBe(421);
  });

  it("refuses what the proxy says came by http although everything else looks like this machine", async () => {
    const local = { Host: "localhost", "X-Forwarded-Proto": "http" };
    for (const headers of [
      local,
      { ...local, "X-Forwarded-For": "127.0.0.1" },
      { ...local, "X-Forwarded-For": "::1" },
    ]) {
      expect((await door.ask("GET /v1/open", { headers })).code).toBe("plain-http");
    }
  });

  it("sends HSTS over https, on refusals too", async () => {
    expect((await get({ "X-Forwarded-Proto": "https" })).headers.get("strict-transport-security")).toBe(hsts);
    const headers = { Host: "api.example.com", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https" };
    const missing = await door.ask("GET /v1/none", { headers });
    expect([missing.status, missing.headers.get("strict-transport-security")]).toEqual([404, hsts]);
  });

  it("says nothing more of its refusals to the client, and why in the record", async () => {
    const reply = await get({ "X-Forwarded-Proto": "http" });
    expect(await door.recorded(reply)).toContainEqual(
      expect.objectContaining({ type: "refused", protection: "transport", code: "plain-http" }),
    );
    expect(reply.said).not.toContain("plain http from");
  });
});

describe("transport on loopback", () => {
  const door = sharedDoor(() => testApi());

  it("lets plain http pass between this machine and itself, without HSTS", async () => {
    for (const host of ["localhost", "127.0.0.1", "localhost:3000"]) {
      const reply = await door.ask("GET /v1/open", { headers: { Host: host } });
      expect([reply.status, reply.headers.has("strict-transport-security")], host).toEqual([200, false]);
    }
  });

  it("is not talked into https by a header nobody may write", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { "X-Forwarded-Proto": "https" } });
    expect([reply.status, reply.code, reply.headers.has("strict-transport-security")]).toEqual([
      421,
      "plain-http",
      false,
    ]);
  });
});

describe("transport over our own TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-transport-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const certificate = developmentCertificate({ folder });
  const door = sharedDoor(() => testApi({ hosts: ["localhost", "api.example.com"] }), {
    tls: { cert: certificate.cert, key: certificate.key },
    host: "127.0.0.1",
  });

  const get = (headers: Readonly<Record<string, string>>) =>
    new Promise<{ status: number | undefined; hsts: string | undefined }>((resolve, reject) => {
      const sent = request(
        { host: "127.0.0.1", port: door.port, path: "/v1/open", headers, ca: certificate.ca, servername: "localhost" },
        (answer) => {
          answer.resume();
          resolve({ status: answer.statusCode, hsts: answer.headers["strict-transport-security"] });
        },
      );
      sent.on("error", reject);
      sent.end();
    });

  it("sends HSTS for a name that is no loopback name, and never for one that is", async () => {
    expect(await get({ host: "api.example.com" })).toEqual({ status: 200, hsts });
    expect(await get({ host: `localhost:${door.port}` })).toEqual({ status: 200, hsts: undefined });
  });

  it("speaks TLS 1.3 and refuses 1.2", async () => {
    const dial = (maxVersion: "TLSv1.2" | "TLSv1.3") =>
      new Promise<string>((resolve) => {
        const socket = connectTls({
          port: door.port,
          host: "127.0.0.1",
          ca: certificate.ca,
          servername: "localhost",
          maxVersion,
        });
        socket.once("secureConnect", () => {
          resolve(socket.getProtocol() ?? "none");
          socket.destroy();
        });
        socket.once("error", () => resolve("refused"));
      });
    expect(await dial("TLSv1.3")).toBe("TLSv1.3");
    expect(await dial("TLSv1.2")).toBe("refused");
  });

  it("gives plain http on the same port no answer at all", async () => {
    expect((await raw(door.port, "GET /v1/open HTTP/1.1\r\nHost: localhost\r\n\r\n")).status).toBe(0);
  });
});

describe("transport at the start", () => {
  it("refuses plain http where others than this machine can connect", async () => {
    await expect(openDoor(testApi({ hosts: ["api.example.com"] }))).rejects.toThrow(/neither TLS nor a proxy/);
    await expect(openDoor(testApi(), { host: "0.0.0.0" })).rejects.toThrow(/neither TLS nor a proxy/);
  });

  it("speaks TLS 1.2 only where createApi says so too", async () => {
    const tls = { cert: "", key: "" };
    await expect(openDoor(testApi(), { tls, minTls: "1.2" })).rejects.toThrow(/TLS 1\.2 is spoken/);
  });

  it("refuses an environment that switches off outgoing certificate checks", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await expect(openDoor(testApi())).rejects.toThrow(/NODE_TLS_REJECT_UNAUTHORIZED/);
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });
});
