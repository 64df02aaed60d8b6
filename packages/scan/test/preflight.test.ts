import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { developmentCertificate } from "portcullis/node";
import { afterAll, describe, expect, it } from "vitest";
import { scan } from "../src/scan.ts";
import { description } from "./things.ts";

const folder = mkdtempSync(join(tmpdir(), "preflight-"));
const certificate = developmentCertificate({ folder });
const { cert, key } = certificate;
const closing: net.Server[] = [];
afterAll(() => {
  for (const server of closing) server.close();
  rmSync(folder, { recursive: true });
});

async function portOf(server: net.Server): Promise<number> {
  closing.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const nobody = (server: net.Server): net.Server => server.on("connection", (socket) => socket.on("error", () => {}));

const servers = {
  "an http server": () => http.createServer((_request, response) => response.writeHead(404).end()),
  "an https server": () => https.createServer({ cert, key }, (_request, response) => response.writeHead(404).end()),
  "an https server that explains itself to http": () => {
    const secure = https.createServer({ cert, key });
    const plain = http.createServer((_request, response) => response.writeHead(400).end("plain HTTP on an HTTPS port"));
    return net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (first) => {
        socket.pause();
        socket.unshift(first);
        (first[0] === 22 ? secure : plain).emit("connection", socket);
        process.nextTick(() => socket.resume());
      });
    });
  },
  "an ssh server": () => nobody(net.createServer((socket) => void socket.write("SSH-2.0-OpenSSH_9.9\r\n"))),
  "a server that hangs up": () => net.createServer((socket) => void socket.destroy()),
} satisfies Record<string, () => net.Server>;

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("a scan of an address that is not what its URL says", () => {
  it.each([
    ["an http server", "https", /speaks plain HTTP, not https: scan http:\/\/localhost:\d+/],
    ["an https server", "http", /speaks https, not plain HTTP: scan https:\/\/localhost:\d+/],
    ["an https server that explains itself to http", "http", /speaks https, not plain HTTP/],
    ["an ssh server", "http", /speaks something other than HTTP: is it the API's port/],
    ["an ssh server", "https", /does not speak TLS/],
    ["a server that hangs up", "http", /gives no HTTP answer \(the connection was closed\)/],
    ["a server that hangs up", "https", /does not speak TLS/],
  ] as const)("says so of %s by %s, and judges nothing", { timeout: 20_000 }, async (name, scheme, message) => {
    const url = `${scheme}://localhost:${await portOf(servers[name]())}`;
    const scanned = scan({ url, openapi: description, identities: [], ca: certificate.ca });
    await expect(scanned).rejects.toThrow(message);
  });

  it("names the certificate where it is not trusted", async () => {
    const url = `https://localhost:${await portOf(servers["an https server"]())}`;
    const scanned = scan({ url, openapi: description, identities: [] });
    await expect(scanned).rejects.toThrow(/certificate is not trusted .* --ca <file>/);
  });

  it("says that a name leads nowhere", async () => {
    const scanned = scan({ url: "http://nobody-at-all.localhost:9", openapi: description, identities: [] });
    await expect(scanned).rejects.toThrow(/cannot be reached|nothing listens/);
  });
});
