import { connect, createServer, type TLSSocket } from "node:tls";
import { once } from "node:events";
import type { MutantName, Switch } from "../mutants.ts";
import { certificate } from "../parts/certificate.ts";

/** A relay in front of an API; undefined where the mistake is not one of a relay. */
export interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Passes bytes between a client and an API and edits the heads on their way, as a proxy does that was configured in a
 * hurry. A head that comes in more than one piece is passed as it is.
 *
 * @param port  of the API, which speaks TLS on the loopback address
 */
export async function startRelay(port: number, mutant: Switch): Promise<Relay | undefined> {
  const edit = Object.keys(edits)
    .filter(isEdited)
    .find((name) => mutant(name));
  if (edit === undefined) return undefined;
  const { request, response }: Edit = edits[edit];
  const { cert, key, ca } = certificate();
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert, key, minVersion: "TLSv1.3", ALPNProtocols: ["http/1.1"] }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["http/1.1"] });
    let origin: string | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    }
    client.on("data", (chunk: Buffer) => {
      const head = headOf(chunk);
      if (head !== undefined) origin = /\r\norigin: ([^\r]*)/i.exec(head)?.[1];
      upstream.write(edited(chunk, head, request));
    });
    upstream.on("data", (chunk: Buffer) => {
      const head = headOf(chunk);
      client.write(edited(chunk, head, (text) => response?.(text, origin) ?? text));
    });
    client.on("end", () => upstream.end());
    upstream.on("end", () => client.end());
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    port: address.port,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

interface Edit {
  readonly request?: (head: string) => string;
  readonly response?: (head: string, origin: string | undefined) => string;
}

const edits = {
  "any-host": { request: (head) => head.replace(/\r\nhost: [^\r]*/i, "\r\nHost: localhost") },
  "cors-reflects": {
    response: (head, origin) => (origin === undefined ? head : withOrigin(head, origin)),
  },
  "cors-null": {
    response: (head, origin) => (origin === "null" ? withOrigin(head, origin) : head),
  },
  "no-nosniff": { response: (head) => head.replace(/\r\nx-content-type-options: [^\r]*/i, "") },
  cacheable: { response: (head) => head.replace(/(\r\ncache-control: )[^\r]*/i, "$1public, max-age=600") },
  banner: { response: (head) => `${head}\r\nServer: nginx/1.18.0 (Ubuntu)` },
} as const satisfies Partial<Record<MutantName, Edit>>;

function isEdited(name: string): name is keyof typeof edits {
  return name in edits;
}

function withOrigin(head: string, origin: string): string {
  const bare = head.replace(/\r\naccess-control-allow-(?:origin|credentials): [^\r]*/gi, "");
  return `${bare}\r\nAccess-Control-Allow-Origin: ${origin}\r\nAccess-Control-Allow-Credentials: true`;
}

/** The head a piece begins with, without its last line break; undefined where it begins with something else. */
function headOf(chunk: Buffer): string | undefined {
  const text = chunk.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  return end > 0 && /^(?:HTTP\/1\.1 |[A-Z]+ \S)/.test(text) ? text.slice(0, end) : undefined;
}

function edited(chunk: Buffer, head: string | undefined, edit: ((head: string) => string) | undefined): Buffer {
  if (head === undefined || edit === undefined) return chunk;
  return Buffer.concat([Buffer.from(edit(head), "latin1"), chunk.subarray(head.length)]);
}
