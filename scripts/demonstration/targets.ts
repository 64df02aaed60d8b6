import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "@portcullis/scan";
import type { Account, Identity } from "@portcullis/scan";
import { developmentCertificate, fileSink } from "portcullis/node";
import { startProtected } from "../../examples/projects/server.ts";
import { startUnprotected } from "../../examples/projects-unprotected/server.ts";

/** A running API and what a scan needs to be its callers. */
export interface DemonstrationTarget {
  readonly name: "protected" | "unprotected";
  readonly url: string;
  readonly identities: readonly Identity[];
  readonly accounts: readonly Account[];
  readonly jwtKey: string;
  close(): Promise<void>;
}

/** The same API twice, and the protected one's manifest, which is the oracle for both. */
export interface Demonstration {
  readonly protectedTarget: DemonstrationTarget & {
    readonly caPath: string;
    readonly ca: string;
    readonly key: string;
    readonly bearers: readonly [string, string];
  };
  readonly unprotectedTarget: DemonstrationTarget;
  readonly manifest: Readonly<Record<string, unknown>>;
}

type Started = Pick<Awaited<ReturnType<typeof startProtected>>, "accounts" | "keys" | "tokens" | "jwtSecret">;

/**
 * Boots both examples on embedded storage, the protected one over TLS with a development certificate.
 *
 * @param folder  for the certificate and the audit records
 * @param port    of the protected API; 0 for any free one
 */
export async function startTargets(folder: string, port: number): Promise<Demonstration> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const certificate = developmentCertificate({ folder: join(folder, "certificate") });
  // On embedded storage, and anew each time: a demonstration begins where the last one began.
  const data = join(folder, "data");
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { mode: 0o700 });
  const good = await startProtected({
    port,
    tls: { cert: certificate.cert, key: certificate.key },
    audit: { sinks: [fileSink(join(folder, "audit.ndjson"))] },
    folder: data,
  });
  try {
    const bad = await startUnprotected({ announce: () => undefined });
    return {
      protectedTarget: {
        ...asTarget("protected", good.url, good),
        caPath: certificate.caPath,
        ca: certificate.ca,
        key: good.keys.alice,
        bearers: [`Bearer ${good.tokens.alice}`, `Bearer ${good.tokens.bob}`],
        close: good.close,
      },
      unprotectedTarget: { ...asTarget("unprotected", bad.url, bad), close: bad.close },
      manifest: good.manifest,
    };
  } catch (error) {
    await good.close();
    throw error;
  }
}

function asTarget(name: "protected" | "unprotected", url: string, api: Started): Omit<DemonstrationTarget, "close"> {
  const { tokens, keys, accounts } = api;
  return {
    name,
    url,
    identities: [
      identityOf("alice", `Bearer ${tokens.alice}`),
      identityOf("bob", `Bearer ${tokens.bob}`),
      identityOf("carol", `Bearer ${tokens.carol}`),
      identityOf("admin", `Bearer ${tokens.admin}`, ["admin"]),
      identityOf("alice-key", `Bearer ${keys.alice}`),
    ],
    accounts: [{ user: accounts.alice.email, password: accounts.alice.password }],
    jwtKey: api.jwtSecret,
  };
}
