import { issueApiKey, memoryKeyStore } from "portcullis";
import type { MutantName } from "../mutants.ts";
import { certificate } from "../parts/certificate.ts";
import { createWorld, type World } from "../parts/world.ts";
import { keyPrefix, type Person, userIds } from "../product/people.ts";
import { buildApi } from "./portcullis-api.ts";
import { startRelay } from "./relay.ts";
import type { Running } from "./running.ts";

/**
 * The product over the library, with the manifest of its clean twin: the policy that was reviewed, and beside it what
 * was deployed. What no policy can get wrong is done by a relay in front, as a proxy's configuration does it.
 */
export async function startPortcullis(on: MutantName | undefined): Promise<Running> {
  const world = createWorld("HS256", on);
  const store = memoryKeyStore();
  const { cert, key, ca } = certificate();
  const listening = await buildApi(world, store).listen({
    port: 0,
    host: "127.0.0.1",
    tls: { cert, key },
    ...tlsOf(world),
  });
  const relay = await startRelay(listening.port, world.mutant);
  const tokenOf = (name: Person) =>
    world.tokens.sign(userIds[name], world.data.users.get(userIds[name])?.tenantId ?? "");
  const issued = await issueApiKey({
    store,
    prefix: keyPrefix,
    subject: userIds.carol,
    tenant: "globex",
    name: "ci",
    scopes: ["projects:read"],
    expiresAt: Date.now() + 86_400_000,
  });
  return {
    url: `https://localhost:${relay?.port ?? listening.port}`,
    ca,
    manifest: await reviewedManifest(),
    tokens: { alice: tokenOf("alice"), bob: tokenOf("bob"), carol: tokenOf("carol"), admin: tokenOf("admin") },
    key: issued.key,
    jwtKey: world.tokens.testKey,
    publicPem: "",
    webhookSecret: world.webhookSecret,
    async close() {
      await relay?.close();
      await listening.close();
      world.data.close();
    },
  };
}

function tlsOf({ mutant }: World) {
  return mutant("old-tls") ? { minTls: "1.2" as const } : {};
}

type Manifest = Readonly<Record<string, unknown>>;

let reviewed: Promise<Manifest> | undefined;

/** What `portcullis manifest` wrote of the twin, as it listens with a certificate. */
function reviewedManifest(): Promise<Manifest> {
  return (reviewed ??= writeManifest());
}

async function writeManifest(): Promise<Manifest> {
  const world = createWorld("HS256", undefined);
  const api = buildApi(world, memoryKeyStore());
  const { cert, key } = certificate();
  const listening = await api.listen({ port: 0, host: "127.0.0.1", tls: { cert, key } });
  const manifest = structuredClone(api.manifest());
  await listening.close();
  world.data.close();
  return Object.fromEntries(Object.entries(manifest));
}
