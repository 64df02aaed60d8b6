import { execFile } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { signCertificate } from "../../src/adapters/certificate.ts";
import { der } from "../../src/adapters/der.ts";
import { developmentCertificate } from "../../src/adapters/development-certificate.ts";
import { OptionsError } from "../../src/lib/options-error.ts";

const dayMs = 86_400_000;
const run = promisify(execFile);
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function newFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), "portcullis-tls-"));
  cleanups.push(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "tls");
}

async function serve(tls: { cert: string; key: string }): Promise<number> {
  const server: Server = createServer({ ...tls, minVersion: "TLSv1.3" }, (_req, res) => res.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return (address satisfies AddressInfo).port;
}

function reach(port: number, options: { ca?: string; host?: string; servername?: string }): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const req = request({ host: "localhost", family: 4, ...options, port, path: "/", agent: false }, (res) => {
      res.resume();
      res.on("end", () => resolve(res.socket instanceof TLSSocket ? res.socket.getProtocol() : null));
    });
    req.on("error", reject);
    req.end();
  });
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe("transport: a development certificate", () => {
  it("lets a client that trusts the authority speak TLS 1.3 by name and by address", async () => {
    const { ca, cert, key } = developmentCertificate({ folder: newFolder() });
    const port = await serve({ cert, key });
    expect(await reach(port, { ca })).toBe("TLSv1.3");
    expect(await reach(port, { ca, host: "127.0.0.1" })).toBe("TLSv1.3");
  });

  it("is refused by a client that does not trust the authority", async () => {
    const port = await serve(developmentCertificate({ folder: newFolder() }));
    await expect(reach(port, {})).rejects.toMatchObject({ code: "SELF_SIGNED_CERT_IN_CHAIN" });
    const other = developmentCertificate({ folder: newFolder() });
    await expect(reach(port, { ca: other.ca })).rejects.toMatchObject({ code: "SELF_SIGNED_CERT_IN_CHAIN" });
  });

  it("is refused for a name it does not cover", async () => {
    const { ca, cert, key } = developmentCertificate({ folder: newFolder(), hosts: ["api.localhost"], addresses: [] });
    const port = await serve({ cert, key });
    await expect(reach(port, { ca })).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await reach(port, { ca, servername: "api.localhost" })).toBe("TLSv1.3");
  });

  it("works with curl --cacert", async () => {
    const { caPath, cert, key } = developmentCertificate({ folder: newFolder() });
    const port = await serve({ cert, key });
    const url = `https://localhost:${port}/`;
    await run("curl", ["--version"]).catch((cause: unknown) => {
      throw new Error("curl is not on this machine; install it with its package manager (apt-get install curl).", {
        cause,
      });
    });
    const { stdout } = await run("curl", ["--silent", "--show-error", "--tlsv1.3", "--cacert", caPath, url]);
    expect(stdout).toBe("hello");
    // 60: the peer's certificate cannot be authenticated.
    await expect(run("curl", ["--silent", url])).rejects.toMatchObject({ code: 60 });
  });

  it("says every field a verifier reads", () => {
    const now = Date.UTC(2026, 4, 6, 7, 8, 9, 500);
    const { ca, cert, key } = developmentCertificate({ folder: newFolder(), now: () => now, validDays: 7 });
    const authority = new X509Certificate(ca);
    const server = new X509Certificate(cert);

    expect(authority.ca).toBe(true);
    expect(authority.subject).toMatch(/^CN=Portcullis development authority [0-9a-f]{8}$/);
    expect(authority.issuer).toBe(authority.subject);
    expect(authority.verify(authority.publicKey)).toBe(true);
    expect(authority.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(authority.validFromDate.toISOString()).toBe("2026-05-06T07:07:09.000Z");
    expect(authority.validToDate.getTime()).toBe(Math.floor(now / 1000) * 1000 + 730 * dayMs);

    expect(server.ca).toBe(false);
    expect(server.subject).toBe("CN=Portcullis development server");
    expect(server.issuer).toBe(authority.subject);
    expect(server.checkIssued(authority)).toBe(true);
    expect(server.verify(authority.publicKey)).toBe(true);
    expect(server.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(server.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
    expect(server.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(server.validFromDate.toISOString()).toBe("2026-05-06T07:07:09.000Z");
    expect(server.validToDate.toISOString()).toBe("2026-05-13T07:08:09.000Z");

    for (const certificate of [authority, server]) {
      expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
      expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    }
    expect(server.serialNumber).not.toBe(authority.serialNumber);
    expect(cert).toBe(server.toString() + ca);
  });

  it("marks what a verifier must understand as critical, and names its keys", () => {
    const { ca, cert } = developmentCertificate({ folder: newFolder() });
    const authority = new X509Certificate(ca);
    const server = new X509Certificate(cert);
    const keyIdentifier = (certificate: X509Certificate): Buffer =>
      createHash("sha256")
        .update(certificate.publicKey.export({ type: "spki", format: "der" }).subarray(-65))
        .digest()
        .subarray(0, 20);
    const authorityId = keyIdentifier(authority).toString("hex");
    const serverId = keyIdentifier(server).toString("hex");

    const inAuthority = [
      "0603551d130101ff040830060101ff020100", // basicConstraints, critical: CA, path length 0
      "0603551d0f0101ff040403020204", // keyUsage, critical: keyCertSign
      // nameConstraints, critical: localhost, 127.0.0.0/8, ::1/128
      "0603551d1e0101ff0441" +
        "303fa03d" +
        "300b82096c6f63616c686f7374" +
        "300a87087f000000ff000000" +
        `30228720${"00".repeat(15)}01${"ff".repeat(16)}`,
      `0603551d0e04160414${authorityId}`,
      `0603551d23041830168014${authorityId}`,
    ];
    const inServer = [
      "0603551d130101ff04023000", // basicConstraints, critical: no CA
      "0603551d0f0101ff040403020780", // keyUsage, critical: digitalSignature
      `0603551d0e04160414${serverId}`,
      `0603551d23041830168014${authorityId}`,
    ];
    for (const bytes of inAuthority) expect(authority.raw.toString("hex")).toContain(bytes);
    for (const bytes of inServer) expect(server.raw.toString("hex")).toContain(bytes);
  });
});

describe("transport: a stolen development authority", () => {
  async function withStolen(
    purpose: Parameters<typeof signCertificate>[0]["purpose"],
    connect: { servername: string },
  ): Promise<string | null> {
    const folder = newFolder();
    const { ca } = developmentCertificate({ folder });
    const authority = new X509Certificate(ca);
    const privateKey = createPrivateKey(readFileSync(join(folder, "ca-key.pem"), "utf8"));
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = signCertificate({
      subject: "anything",
      publicKey: pair.publicKey,
      issuer: authority.subject.slice("CN=".length),
      issuerKey: { publicKey: createPublicKey(privateKey), privateKey },
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + dayMs),
      purpose,
    });
    const port = await serve({
      cert: cert + ca,
      key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    });
    return reach(port, { ca, ...connect });
  }

  it("cannot speak for a name that is not this machine's", async () => {
    const names = { hosts: ["bank.example"], addresses: [] };
    await expect(withStolen({ serverOf: names }, { servername: "bank.example" })).rejects.toThrow(
      "permitted subtree violation",
    );
  });

  it("cannot speak for an address outside loopback", async () => {
    for (const address of [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(32, 1, 13, 184, ...new Uint8Array(11), 1)]) {
      const names = { hosts: ["localhost"], addresses: [address] };
      await expect(withStolen({ serverOf: names }, { servername: "localhost" })).rejects.toThrow(
        "permitted subtree violation",
      );
    }
  });

  it("can speak for loopback, so that the refusals above are about the names", async () => {
    const names = { hosts: ["deep.down.localhost"], addresses: [Uint8Array.of(127, 9, 9, 9)] };
    expect(await withStolen({ serverOf: names }, { servername: "deep.down.localhost" })).toBe("TLSv1.3");
  });
});

describe("transport: the folder of a development certificate", () => {
  it("is readable by its user only, and so are the keys in it", () => {
    const folder = newFolder();
    const { caPath, certPath, keyPath } = developmentCertificate({ folder });
    expect(modeOf(folder)).toBe("700");
    expect(modeOf(keyPath)).toBe("600");
    expect(modeOf(join(folder, "ca-key.pem"))).toBe("600");
    expect(readdirSync(folder).sort()).toEqual(["ca-key.pem", "ca.pem", "server-key.pem", "server.pem"]);
    expect(readFileSync(caPath, "utf8")).not.toContain("PRIVATE");
    expect(readFileSync(certPath, "utf8")).not.toContain("PRIVATE");
  });

  it("is refused where others can look into it", () => {
    const folder = newFolder();
    developmentCertificate({ folder });
    chmodSync(folder, 0o750);
    expect(() => developmentCertificate({ folder })).toThrow(OptionsError);
  });

  it("gives the same certificate again while it is valid for at least a day", () => {
    const folder = newFolder();
    const start = Date.UTC(2026, 0, 1);
    const first = developmentCertificate({ folder, now: () => start });
    expect(developmentCertificate({ folder, now: () => start })).toEqual(first);
    expect(developmentCertificate({ folder, now: () => start + 29 * dayMs })).toEqual(first);
    expect(developmentCertificate({ folder, hosts: ["localhost"], addresses: [], now: () => start })).toEqual(first);
    expect(readFileSync(first.caPath, "utf8")).toBe(first.ca);
    expect(readFileSync(first.certPath, "utf8")).toBe(first.cert);
    expect(readFileSync(first.keyPath, "utf8")).toBe(first.key);
  });

  it("renews the server's certificate in its last day, under the same authority", () => {
    const folder = newFolder();
    const start = Date.UTC(2026, 0, 1);
    const first = developmentCertificate({ folder, now: () => start });
    const later = start + 29 * dayMs + 1_000;
    const second = developmentCertificate({ folder, now: () => later });
    expect(second.ca).toBe(first.ca);
    expect(second.cert).not.toBe(first.cert);
    expect(second.key).not.toBe(first.key);
    expect(new X509Certificate(second.cert).validToDate.getTime()).toBe(later + 30 * dayMs);
    expect(readFileSync(second.certPath, "utf8")).toBe(second.cert);
  });

  it("renews the authority before it would end earlier than what it signs", () => {
    const folder = newFolder();
    const start = Date.UTC(2026, 0, 1);
    const first = developmentCertificate({ folder, now: () => start });
    const stillFine = developmentCertificate({ folder, now: () => start + 700 * dayMs });
    expect(stillFine.ca).toBe(first.ca);
    const second = developmentCertificate({ folder, now: () => start + 701 * dayMs });
    expect(second.ca).not.toBe(first.ca);
    expect(new X509Certificate(second.cert).checkIssued(new X509Certificate(second.ca))).toBe(true);
    expect(readFileSync(second.caPath, "utf8")).toBe(second.ca);
  });

  it("makes everything anew after the clock went back before it was made", () => {
    const folder = newFolder();
    const start = Date.UTC(2026, 0, 1);
    const first = developmentCertificate({ folder, now: () => start });
    const second = developmentCertificate({ folder, now: () => start - dayMs });
    expect(second.ca).not.toBe(first.ca);
    expect(new X509Certificate(second.cert).validFromDate.getTime()).toBeLessThan(start - dayMs);
  });

  it("gives another certificate where the names are not covered", () => {
    const folder = newFolder();
    const first = developmentCertificate({ folder });
    const second = developmentCertificate({ folder, hosts: ["localhost", "api.localhost"], addresses: ["127.0.0.2"] });
    expect(second.ca).toBe(first.ca);
    expect(new X509Certificate(second.cert).subjectAltName).toBe(
      "DNS:localhost, DNS:api.localhost, IP Address:127.0.0.2",
    );
  });

  it.each(["ca-key.pem", "server-key.pem", "server.pem"])("mends %s when it is broken or gone", (name) => {
    const folder = newFolder();
    developmentCertificate({ folder });
    for (const spoil of [
      () => writeFileSync(join(folder, name), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      () => writeFileSync(join(folder, name), ""),
      () => rmSync(join(folder, name)),
    ]) {
      spoil();
      const { ca, cert, key, caPath } = developmentCertificate({ folder });
      const server = new X509Certificate(cert);
      expect(server.verify(new X509Certificate(ca).publicKey)).toBe(true);
      expect(server.checkPrivateKey(createPrivateKey(key))).toBe(true);
      expect(readFileSync(caPath, "utf8")).toBe(ca);
    }
  });

  it("writes the authority's certificate again when its copy is gone or stale", () => {
    const folder = newFolder();
    const { ca, caPath } = developmentCertificate({ folder });
    writeFileSync(caPath, "stale");
    expect(developmentCertificate({ folder }).ca).toBe(ca);
    expect(readFileSync(caPath, "utf8")).toBe(ca);
  });

  it("does not use a key again that others could read", () => {
    const folder = newFolder();
    const first = developmentCertificate({ folder });
    chmodSync(join(folder, "server-key.pem"), 0o644);
    const second = developmentCertificate({ folder });
    expect(second.ca).toBe(first.ca);
    expect(second.key).not.toBe(first.key);
    chmodSync(join(folder, "ca-key.pem"), 0o640);
    const third = developmentCertificate({ folder });
    expect(third.ca).not.toBe(first.ca);
    expect(modeOf(join(folder, "ca-key.pem"))).toBe("600");
  });

  it("has one authority when several start at once", async () => {
    const folder = newFolder();
    const module = new URL("../../src/adapters/development-certificate.ts", import.meta.url).href;
    const count = 4;
    const ready = new Int32Array(new SharedArrayBuffer(4));
    const source = `
      const { parentPort, workerData: { folder, ready, count } } = require("node:worker_threads");
      import(${JSON.stringify(module)}).then(({ developmentCertificate }) => {
        Atomics.add(ready, 0, 1);
        while (Atomics.load(ready, 0) < count);
        parentPort.postMessage(developmentCertificate({ folder }).ca);
      });`;
    const answers = Array.from({ length: count }, () => {
      const worker = new Worker(source, { eval: true, workerData: { folder, ready, count } });
      cleanups.push(() => worker.terminate());
      return new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
    });
    const authorities = new Set(await Promise.all(answers));
    expect(authorities.size).toBe(1);
    expect([...authorities]).toEqual([developmentCertificate({ folder }).ca]);
  });
});

describe("transport: the options of a development certificate", () => {
  it.each(["example.com", "localhost.example.com", "Localhost", "-.localhost", "localhost.", "*.localhost", ""])(
    "refuse the host %j",
    (host) => {
      expect(() => developmentCertificate({ folder: newFolder(), hosts: [host] })).toThrow(OptionsError);
    },
  );

  it.each(["10.0.0.1", "127.0.0.256", "127.1", "::2", "::ffff:127.0.0.1", "0.0.0.0", "localhost", ""])(
    "refuse the address %j",
    (address) => {
      expect(() => developmentCertificate({ folder: newFolder(), addresses: [address] })).toThrow(OptionsError);
    },
  );

  it.each([1, 366, 30.5, Number.NaN])("refuse %d valid days", (validDays) => {
    expect(() => developmentCertificate({ folder: newFolder(), validDays })).toThrow(OptionsError);
  });

  it("refuse no names at all, and no folder", () => {
    expect(() => developmentCertificate({ folder: newFolder(), hosts: [], addresses: [] })).toThrow(OptionsError);
    expect(() => developmentCertificate({ folder: "" })).toThrow(OptionsError);
  });
});

describe("transport: DER", () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

  it("writes lengths in their shortest form", () => {
    expect(hex(der.octetString(new Uint8Array(127)).subarray(0, 3))).toBe("047f00");
    expect(hex(der.octetString(new Uint8Array(128)).subarray(0, 4))).toBe("04818000");
    expect(hex(der.octetString(new Uint8Array(256)).subarray(0, 5))).toBe("0482010000");
  });

  it("writes numbers as short as they can be, and never negative", () => {
    expect(hex(der.unsigned(Uint8Array.of()))).toBe("020100");
    expect(hex(der.unsigned(Uint8Array.of(0, 0, 127)))).toBe("02017f");
    expect(hex(der.unsigned(Uint8Array.of(0, 128)))).toBe("02020080");
  });

  it("writes object identifiers in base 128", () => {
    expect(hex(der.oid("1.2.840.10045.4.3.2"))).toBe("06082a8648ce3d040302");
    expect(hex(der.oid("2.5.29.19"))).toBe("0603551d13");
  });

  it("writes years up to 2049 with two digits and later ones with four", () => {
    const text = (bytes: Uint8Array): string =>
      `${bytes[0]?.toString(16)} ${Buffer.from(bytes.subarray(2)).toString()}`;
    expect(text(der.time(new Date("2049-12-31T23:59:59.999Z")))).toBe("17 491231235959Z");
    expect(text(der.time(new Date("2050-01-01T00:00:00Z")))).toBe("18 20500101000000Z");
    expect(text(der.time(new Date("1949-06-01T00:00:00Z")))).toBe("18 19490601000000Z");
  });
});
