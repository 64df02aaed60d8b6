import type { WebhookSecret } from "@portcullis/scan";
import type { Api, ApiConfig, Credential, ProtectionId } from "portcullis";
import { createApiWith } from "../packages/portcullis/src/api.ts";
import { type Gates, standardGates } from "../packages/portcullis/src/pipeline.ts";

/**
 * The usual wrong version of one protection, built into an otherwise right API. Its probe has to find it; taking the gate
 * out altogether would prove less, because later gates still refuse.
 */
export interface Hole {
  readonly id: ProtectionId;
  /** The wrong version in one sentence, as it is found in real projects. */
  readonly wrong: string;
  /** Makes the API with the hole in it, in place of `createApi`. */
  readonly create: (config: ApiConfig) => Api;
  /** What the API needs for the attack to have an occasion, with the hole and without it. */
  readonly setting?: Setting;
}

/** How the API of a row is set up, wrong version and right one alike. */
export interface Setting {
  /** Served over TLS with a development certificate. Default false: plain http. */
  readonly tls?: boolean;
  /** The configuration it needs besides the example's. */
  readonly configure?: (config: ApiConfig) => ApiConfig;
  /** The API it needs: the example's, with routes declared differently. */
  readonly adapt?: (api: Api) => Api;
  /** Secrets of the webhooks it adds, for the prover. */
  readonly webhooks?: readonly WebhookSecret[];
}

/** An API in which these gates are wrong and all others are ours. */
export function withGates(wrong: Partial<Gates>): Hole["create"] {
  return (config) => createApiWith(config, { ...standardGates, ...wrong });
}

/** An API that proves one kind of credential wrongly. */
export function withCredential(
  protection: Credential["protection"],
  wrong: (credential: Credential) => Credential["build"],
): Hole["create"] {
  return (config) => {
    const credentials = config.credentials.map((credential) =>
      credential.protection === protection ? { ...credential, build: wrong(credential) } : credential,
    );
    return createApiWith({ ...config, credentials }, standardGates);
  };
}
