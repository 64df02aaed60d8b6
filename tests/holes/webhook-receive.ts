import { createHmac } from "node:crypto";
import { nothing, stripe, webhook, webhookEvent } from "portcullis";
import { z } from "zod";
import type { RouteGate } from "../../packages/portcullis/src/gate.ts";
import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

const endpoint = "POST /v1/webhooks/shop";
const secret = "whsec_4f1c8a7d2e9b6053c1d7e8f2a4b69053";

/** `JSON.stringify(req.body)` behind a JSON parser: the signature is right for what the parser made of the bytes. */
const overParsedJson: RouteGate = (_api, route) => {
  const { webhook: plan } = route;
  if (plan === undefined) return undefined;
  return function verifyWhatWasParsed(x) {
    const read = plan.scheme.read(x.headers);
    if (typeof read === "string") return new Refusal("bad-webhook-signature", read);
    const written = JSON.stringify(JSON.parse(new TextDecoder().decode(x.body)));
    const signed = new TextEncoder().encode(read.signedBeforeBody + written);
    const right = createHmac("sha256", secret).update(signed).digest();
    if (!read.signatures.some((one) => right.equals(one)))
      return new Refusal("bad-webhook-signature", "no signature fits");
    x.verified = { ...read, signed };
    x.caller = {
      subject: "webhook:stripe",
      tenant: undefined,
      scopes: [],
      roles: [],
      proof: { kind: "webhook-receive", issuer: undefined, credentialId: undefined, ambient: false, claims: {} },
    };
    return undefined;
  };
};

/** "Our signature check failed at random until we serialised the body first", and nobody looks at the time. */
export const hole: Hole = {
  id: "webhook-receive",
  wrong: "the signature is checked over the JSON that was parsed and written again, and its time is never looked at",
  create: withGates({ proveSender: overParsedJson }),
  setting: {
    webhooks: [{ endpoint, secret }],
    adapt(api) {
      api.route(
        {
          path: endpoint,
          access: webhook(stripe({ secrets: [secret] })),
          input: {
            body: webhookEvent(z.object({ id: z.string().max(100), type: z.string().max(100) })),
          },
          output: nothing,
        },
        () => undefined,
      );
      return api;
    },
  },
};
