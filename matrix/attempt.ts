import { once } from "node:events";
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";
import { identityOf, scan, type ScanOptions } from "@portcullis/scan";
import { accountOf, appOrigin, webhookPath } from "./product/people.ts";
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

/** Starts the API of that id, scans it as a team would, and says what came of it. */
async function attempt(target: Worker, id: string): Promise<Attempt> {
  target.postMessage(id, []);
  const [facts]: Facts[] = await once(target, "message");
  if (facts === undefined) throw new Error("the API said nothing of itself");
  try {
    const result = await scan(optionsFor(facts));
    const why = (kind: "broken" | "inconclusive") =>
      Object.fromEntries(
        result.protections.filter((one) => one.verdict === kind).map((one) => [one.protection, one.why]),
      );
    const { requests, durationMs } = result;
    return { broken: why("broken"), inconclusive: why("inconclusive"), requests, durationMs };
  } finally {
    target.postMessage("close", []);
  }
}

type Facts = Omit<Running, "close">;

/** What a team would pass to the scan of its own API. */
export function optionsFor({ url, ca, manifest, openapi, tokens, key, jwtKey, webhookSecret }: Facts): ScanOptions {
  return {
    url,
    ca,
    ...(manifest === undefined ? {} : { manifest }),
    ...(openapi === undefined ? {} : { openapi, origins: [appOrigin] }),
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

// As a process of its own: everything is loaded, then the name of the API comes on standard input, or on the command line;
// one line of JSON on standard output.
if (process.argv[1] === import.meta.filename) {
  const nothing = { broken: {}, inconclusive: {}, requests: 0, durationMs: 0 };
  const target = new Worker(new URL("./target.ts", import.meta.url));
  const id = process.argv[2] ?? (await text(process.stdin)).trim();
  // Whoever ends before it needs this one says no name.
  if (id === "") process.exit(0);
  const result = await attempt(target, id).catch((error: unknown) => ({ ...nothing, failed: String(error) }));
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
