import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { SignJWT } from "jose";
import type { AuditOptions, Manifest } from "portcullis";
import { buildAfter } from "./after.ts";
import { openShop } from "./shop.ts";

/** The running application and what a test or a scan needs to call it. */
export interface Started {
  readonly url: string;
  readonly jwtSecret: string;
  /** Bearer tokens of two customers. */
  readonly tokens: Readonly<Record<"alice" | "bob", string>>;
  readonly manifest: Manifest;
  close(): Promise<void>;
}

/** How it is served. */
interface StartOptions {
  /** 0 .. 65535; default 0, any free port. */
  readonly port?: number;
  readonly audit?: AuditOptions;
}

/** Starts the application behind Portcullis. @throws StartRefused where a route is neither declared nor listed */
export async function startOrders({ port = 0, audit = {} }: StartOptions = {}): Promise<Started> {
  const jwtSecret = randomBytes(48).toString("base64url");
  const { app, api } = buildAfter(jwtSecret, openShop(), audit);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  const sign = (subject: string): Promise<string> =>
    new SignJWT()
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
      .setIssuer("https://id.example.com")
      .setAudience("orders")
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(jwtSecret));
  return {
    url: `http://localhost:${bound}`,
    jwtSecret,
    tokens: { alice: await sign("alice"), bob: await sign("bob") },
    manifest: api.manifest(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      // Writes the last records.
      await api.stop();
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { PORT = "3002" } = process.env;
  const { url, tokens } = await startOrders({ port: Number(PORT) });
  console.error(`The orders application: ${url}\nalice: ${tokens.alice}\nbob: ${tokens.bob}`);
}
