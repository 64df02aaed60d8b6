import { identityOf, scan, type ScanOptions } from "@portcullis/scan";
import { type Subject, subjects, twins } from "./mutants.ts";
import { accountOf, webhookPath } from "./product/people.ts";
import { start } from "./start.ts";
import type { Running } from "./variants/running.ts";

/** What a scan of one API came to. */
export interface Attempt {
  /** Protections reported as broken, each with the first reason. */
  readonly broken: Readonly<Record<string, string>>;
  /** Protections left inconclusive, each with the first reason. */
  readonly inconclusive: Readonly<Record<string, string>>;
  readonly requests: number;
  readonly durationMs: number;
  /** Why there is no result; undefined where there is one. */
  readonly failed?: string;
}

/** Starts the API, scans it as a team would, and says what came of it. */
export async function attempt({ variant, name }: Pick<Subject, "variant" | "name">): Promise<Attempt> {
  const api = await start(variant, name);
  try {
    const result = await scan(optionsFor(api));
    const why = (kind: "broken" | "inconclusive") =>
      Object.fromEntries(
        result.protections.filter((one) => one.verdict === kind).map((one) => [one.protection, one.why]),
      );
    const { requests, durationMs } = result;
    return { broken: why("broken"), inconclusive: why("inconclusive"), requests, durationMs };
  } finally {
    await api.close();
  }
}

/** What a team would pass to the scan of its own API. */
export function optionsFor({ url, ca, manifest, openapi, tokens, key, jwtKey, webhookSecret }: Running): ScanOptions {
  return {
    url,
    ca,
    ...(manifest === undefined ? {} : { manifest }),
    ...(openapi === undefined ? {} : { openapi }),
    identities: [
      identityOf("alice", `Bearer ${tokens.alice}`),
      identityOf("bob", `Bearer ${tokens.bob}`),
      identityOf("admin", `Bearer ${tokens.admin}`, ["admin"]),
      identityOf("ci", `X-Api-Key: ${key}`),
    ],
    accounts: [accountOf("alice"), accountOf("bob")],
    jwtKey,
    webhooks: [{ endpoint: `POST ${webhookPath}`, secret: webhookSecret }],
    seed: 20_260_101,
  };
}

// As a process of its own: the name of the API on the command line, one line of JSON on standard output.
if (process.argv[1] === import.meta.filename) {
  const subject = [...twins, ...subjects].find(({ id }) => id === process.argv[2]);
  if (subject === undefined) throw new Error(`no API is called "${process.argv[2]}"`);
  const nothing = { broken: {}, inconclusive: {}, requests: 0, durationMs: 0 };
  const result = await attempt(subject).catch((error: unknown) => ({ ...nothing, failed: String(error) }));
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
