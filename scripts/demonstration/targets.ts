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
    /** What `./start scan` has to be told to be the same callers. */
    readonly scanArguments: readonly string[];
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
  const records = join(folder, "audit.ndjson");
  for (const path of [data, records]) rmSync(path, { recursive: true, force: true });
  mkdirSync(data, { mode: 0o700 });
  const good = await startProtected({
    port,
    tls: { cert: certificate.cert, key: certificate.key },
    audit: { sinks: [fileSink(records)] },
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
        scanArguments: argumentsOf(good),
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
  return {
    name,
    url,
    identities: callersOf(api).map((one) => identityOf(one.name, one.credential, one.roles)),
    accounts: [{ user: api.accounts.alice.email, password: api.accounts.alice.password }],
    jwtKey: api.jwtSecret,
  };
}

function argumentsOf(api: Started): readonly string[] {
  const { email, password } = api.accounts.alice;
  return [
    ...callersOf(api).flatMap(({ name, credential, roles }) => [
      "--as",
      `${name}=${credential}`,
      ...(roles.length === 0 ? [] : ["--roles", `${name}=${roles.join(",")}`]),
    ]),
    "--account",
    `${email}:${password}`,
    "--jwt-key",
    api.jwtSecret,
  ];
}

interface DemonstrationCaller {
  readonly name: string;
  readonly credential: string;
  readonly roles: readonly string[];
}

function callersOf({ tokens, keys }: Started): readonly DemonstrationCaller[] {
  return [
    { name: "alice", credential: `Bearer ${tokens.alice}`, roles: [] },
    { name: "bob", credential: `Bearer ${tokens.bob}`, roles: [] },
    { name: "carol", credential: `Bearer ${tokens.carol}`, roles: [] },
    { name: "admin", credential: `Bearer ${tokens.admin}`, roles: ["admin"] },
    { name: "alice-key", credential: `Bearer ${keys.alice}`, roles: [] },
  ];
}
