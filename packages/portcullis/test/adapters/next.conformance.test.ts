import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { toNext } from "portcullis/next";
import { afterAll, beforeAll } from "vitest";
import type { TestApi } from "../front-door.ts";
import { type Answered, askSocket, conformance, type Opened } from "./conformance.ts";
import type { Sent } from "./vector.ts";

const root = join(import.meta.dirname, "../../../..");
// Inside the checkout, so that packages are found.
const folder = join(root, `.portcullis/next-conformance-${process.pid}`);
/** What is needed of the server, by shape: its own types would say something of every process here. */
interface NextServer {
  prepare(): Promise<void>;
  getRequestHandler(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  close(): Promise<void>;
}
// The example's, which is the one that is tested.
const next: (options: object) => NextServer = createRequire(join(root, "examples/next-projects/package.json"))("next");
const handed = Symbol.for("portcullis.conformance");

beforeAll(() => {
  write("package.json", '{ "type": "module" }');
  // The handlers are this process' own, so that the suite sees what they record.
  const call = (method: string) =>
    `export const ${method} = (request) => globalThis[Symbol.for("portcullis.conformance")].${method}(request);\n`;
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
  write("app/[[...path]]/route.js", methods.map(call).join(""));
  write("next.config.js", "export default { poweredByHeader: false };\n");
  const env = { ...process.env, NODE_ENV: "production" as const, NEXT_TELEMETRY_DISABLED: "1" };
  const build = spawnSync(process.execPath, [join(root, "node_modules/next/dist/bin/next"), "build"], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const resolved = "Next.js resolves the target before anybody is asked";
const redirected = "Next.js redirects to its own spelling of the path";
const unreadable = "Next.js cannot read it, and answers with an error of its own";
const first = "Node keeps the first of two headers";
const node = "Node answers it by itself, without our headers";

const unseen = {
  "two slashes": { because: redirected, instead: 308 },
  "two slashes inside": { because: redirected, instead: 308 },
  "a slash at the end": { because: redirected, instead: 308 },
  "a backslash": { because: redirected, instead: 308 },
  "the whole address": { because: redirected, instead: 308 },
  "a dot segment": { because: resolved, instead: 200 },
  "a way up": { because: resolved, instead: 200 },
  "an escaped way up": { because: resolved, instead: 200 },
  "a fragment": { because: resolved, instead: 200 },
  "half an escape in the query": { because: "Next.js escapes what is no escape", instead: 200 },
  "half an escape": { because: unreadable, instead: 500 },
  "what is not UTF-8": { because: unreadable, instead: 500 },
  "an asterisk": { because: unreadable, instead: 500 },
  TRACE: { because: unreadable, instead: 500 },
  "a method nobody serves": { because: "Next.js knows no such method, and asks nobody", instead: 400 },
  "a body on a GET": { because: "Request has none, and Next.js drops it", instead: 200 },
  "no Host": { because: node, instead: 400 },
  "two Hosts": { because: first, instead: 200 },
  "Authorization twice": { because: first, instead: 401 },
  "Content-Type twice": { because: first, instead: 400 },
  "a forwarded scheme of a stranger": { because: "Next.js adds the socket's own address to it", instead: 200 },
  "headers over 16 KiB": { because: node, instead: 431 },
  "what is no request": { because: node, instead: 400 },
  "a length beside chunks": { because: node, instead: 400 },
  "a header block without end": { because: node, instead: 431 },
  "an expectation nobody knows": { because: node, instead: 417 },
  "100-continue for a body nobody wants": {
    because: "Node has invited the body before anybody is asked",
    instead: 100,
  },
  "an upgrade": { because: "Next.js closes the connection", instead: 0 },
  "a tunnel": { because: "without a listener Node closes the connection", instead: 0 },
} as const;

conformance("next", openNext, unseen, { dangerouslyAllowLoopback: "Next.js hides the socket" });

async function openNext({ api }: TestApi): Promise<Opened> {
  Reflect.set(globalThis, handed, toNext(api));
  const app = next({ dev: false, dir: folder, quiet: true, hostname: "localhost", port: 3000 });
  await app.prepare();
  const handle = app.getRequestHandler();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return {
    ask: async (sent) => whole(await askSocket(address.port, closing(sent))),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await app.close();
      await api.stop();
      Reflect.deleteProperty(globalThis, handed);
    },
  };
}

/** Says that nothing follows, so that nobody waits for it. */
function closing(sent: Sent): Sent {
  const { headers = [] } = sent;
  if (headers.some(([name]) => name.toLowerCase() === "connection")) return sent;
  return { ...sent, headers: [...headers, ["Connection", "close"]] };
}

/** Next.js takes the length out of every answer and sends it in chunks. */
function whole(answered: Answered): Answered {
  if (answered.headers.get("transfer-encoding") !== "chunked") return answered;
  let body = "";
  for (let rest = answered.body; rest !== ""; ) {
    const end = rest.indexOf("\r\n");
    const length = Number.parseInt(rest.slice(0, end), 16);
    if (!(length > 0)) break;
    body += rest.slice(end + 2, end + 2 + length);
    rest = rest.slice(end + 2 + length + 2);
  }
  return { ...answered, body };
}

function write(file: string, text: string): void {
  mkdirSync(join(folder, dirname(file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}
