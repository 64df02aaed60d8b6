import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import type { FetchFacts } from "portcullis";
import type { TestApi } from "../front-door.ts";
import { type Answered, askSocket, bodyOf, conformance, type Opened } from "./conformance.ts";
import type { Sent } from "./vector.ts";

const direct = { peer: "127.0.0.1", scheme: "http" } as const;
const lost = "a Request's address has been normalised";
const joined = "Headers joins what was sent twice into one value";
const wire = "a Request is what a parser has taken already";

conformance("fetch, in the same process", openDirect, {
  "two slashes": { because: "Request takes the first segment for a host", instead: "unsendable" },
  "a dot segment": { because: lost, instead: 200 },
  "a way up": { because: lost, instead: 200 },
  "an escaped way up": { because: lost, instead: 200 },
  "a backslash": { because: lost, instead: 200 },
  "a fragment": { because: "a fragment is never part of what is sent", instead: 200 },
  "the whole address": { because: lost, instead: "unsendable" },
  "an asterisk": { because: "there is no Request for it", instead: "unsendable" },
  TRACE: { because: "Request refuses the method", instead: "unsendable" },
  "a body on a GET": { because: "Request refuses it", instead: "unsendable" },
  "no Host": { because: "a Request always has an address", instead: "unsendable" },
  "two Hosts": { because: joined, instead: 421 },
  "Authorization twice": { because: joined, instead: 401 },
  "Content-Type twice": { because: joined, instead: 415 },
  "what is no request": { because: wire, instead: "unsendable" },
  "a length beside chunks": { because: wire, instead: "unsendable" },
  "a header block without end": { because: wire, instead: "unsendable" },
  "an expectation nobody knows": { because: wire, instead: "unsendable" },
  "100-continue for a body nobody wants": { because: wire, instead: "unsendable" },
  "an upgrade": { because: wire, instead: "unsendable" },
  "a tunnel": { because: wire, instead: "unsendable" },
});

const unaddressed = "the server cannot make an address of it and answers by itself";

/** What a server for `fetch` handlers shows of a request beside it: the socket and the target, and never a header's word. */
interface Bindings {
  readonly incoming: { readonly url?: string; readonly socket: { readonly remoteAddress?: string } };
}

conformance("fetch, behind @hono/node-server, with the target handed over", openHono, {
  "a backslash": { because: unaddressed, instead: 400 },
  "a Host with a path": { because: unaddressed, instead: 400 },
  "an asterisk": { because: "the server makes no Request of it", instead: 400 },
  "a body on a GET": { because: "Request has none, and the server drops it", instead: 200 },
  "no Host": { because: "Node refuses it by itself, without our headers", instead: 400 },
  "two Hosts": { because: joined, instead: 421 },
  "Authorization twice": { because: joined, instead: 401 },
  "Content-Type twice": { because: joined, instead: 415 },
  "headers over 16 KiB": { because: "Node's own bound is lower than ours and answers first", instead: 431 },
  "what is no request": { because: "Node answers it by itself, without our headers", instead: 400 },
  "a length beside chunks": { because: "Node answers it by itself, without our headers", instead: 400 },
  "a header block without end": { because: "Node answers it by itself, without our headers", instead: 431 },
  "an expectation nobody knows": { because: "Node answers it by itself, without our headers", instead: 417 },
  "100-continue for a body nobody wants": {
    because: "Node has invited the body before anybody is asked",
    instead: 100,
  },
  "an upgrade": { because: "without a listener Node takes it for an ordinary request", instead: 200 },
  "a tunnel": { because: "without a listener Node closes the connection", instead: 0 },
});

function openDirect({ api }: TestApi): Promise<Opened> {
  return Promise.resolve({
    async ask(sent) {
      const request = requestOf(sent);
      if (request === undefined) return "unsendable";
      const response = await api.fetch(request, direct);
      return await answeredOf(response);
    },
    close: () => api.stop(),
  });
}

async function openHono({ api }: TestApi): Promise<Opened> {
  const app = new Hono<{ Bindings: Bindings }>();
  app.all("*", (context) => {
    const { incoming } = context.env;
    const facts: FetchFacts = {
      scheme: "http",
      ...(incoming.socket.remoteAddress === undefined ? {} : { peer: incoming.socket.remoteAddress }),
      ...(incoming.url === undefined ? {} : { target: incoming.url }),
    };
    return api.fetch(context.req.raw, facts);
  });
  const listener = getRequestListener((request, env) => app.fetch(request, env));
  const server = createServer((req, res) => void listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return {
    ask: (sent) => askSocket(address.port, sent),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await api.stop();
    },
  };
}

/** The nearest `Request` to a vector; undefined where there is none. */
function requestOf({ line, headers = [], json, body = bodyOf(json), chunked, raw }: Sent): Request | undefined {
  if (raw !== undefined) return undefined;
  const [method = "", target = ""] = line.split(" ");
  if (!target.startsWith("/") || target.startsWith("//")) return undefined;
  const fields = new Headers({ host: "localhost" });
  for (const [name] of headers) {
    if (name === "Host") fields.delete("host");
  }
  for (const [name, value] of headers) fields.append(name, value);
  if (json !== undefined && !fields.has("content-type")) fields.set("content-type", "application/json");
  const bytes = body === undefined ? undefined : Uint8Array.from(body, (character) => character.charCodeAt(0));
  if (bytes !== undefined && chunked !== true) fields.set("content-length", String(bytes.byteLength));
  const stream = bytes === undefined || chunked !== true ? bytes : new Blob([bytes]).stream();
  try {
    return new Request(`http://localhost${target}`, {
      method,
      headers: fields,
      ...(stream === undefined ? {} : { body: stream, duplex: "half" }),
    });
  } catch {
    return undefined;
  }
}

async function answeredOf(response: Response): Promise<Answered> {
  return { status: response.status, headers: new Map(response.headers), body: await response.text() };
}
