/**
 * What a proxy such as Caddy or nginx does in front of both: speaks https, hands the paths of the API on to it and all
 * others to Next.js, says who asks, and lets nobody else say it. `npm run front`.
 */
import { request } from "node:http";
import { createServer } from "node:https";
import { developmentCertificate } from "portcullis/node";

const next = Number(process.env["PORT"] ?? 3000);
const api = Number(process.env["API_PORT"] ?? 8787);
const port = Number(process.env["FRONT_PORT"] ?? 3443);
const { cert, key, caPath } = developmentCertificate({ folder: process.env["TLS"] ?? ".portcullis/tls" });

const ofApi = /^\/(?:api|auth|oauth|account|\.well-known)(?:[/?]|$)/;

const server = createServer({ cert, key, minVersion: "TLSv1.3" }, (from, to) => {
  const headers = fieldsOf(from.rawHeaders).filter(([name]) => !isOurs(name));
  headers.push(["x-forwarded-for", from.socket.remoteAddress ?? "unknown"], ["x-forwarded-proto", "https"]);
  const { method, url: path = "/" } = from;
  const upstream = ofApi.test(path) ? api : next;
  const onward = request({ host: "127.0.0.1", port: upstream, method, path, headers: headers.flat() }, (answer) => {
    to.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(to);
  });
  onward.on("error", () => (to.headersSent ? to.destroy() : to.writeHead(502).end()));
  to.on("close", () => onward.destroy());
  from.pipe(onward);
});

server.listen(port, "127.0.0.1", () => {
  console.log(`https://localhost:${port} (trust ${caPath}, or click through the warning)`);
});

function fieldsOf(raw: readonly string[]): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) fields.push([raw[i] ?? "", raw[i + 1] ?? ""]);
  return fields;
}

/** What only the front may say. */
function isOurs(name: string): boolean {
  return /^(forwarded|x-forwarded-.*|x-real-ip)$/i.test(name);
}
