import type { Caller } from "portcullis";
import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withCredential } from "../hole.ts";

/** Looking a key up costs a query, so somebody caches it, by the part of the key that is no secret. */
export const hole: Hole = {
  id: "api-keys",
  wrong: "proved keys are cached by their public id, so that the next key with that id needs no secret",
  create: withCredential("api-keys", (credential) => (environment) => {
    const verifier = credential.build(environment);
    const proved = new Map<string, Caller>();
    return {
      recognises: (key) => verifier.recognises(key),
      cached: (key) => proved.get(publicId(key)),
      async verify(key) {
        const caller = await verifier.verify(key);
        if (!(caller instanceof Refusal)) proved.set(publicId(key), caller);
        return caller;
      },
    };
  }),
};

/** `prj_live_<id>_<secret>`: all but the secret. */
function publicId(key: string): string {
  return key.slice(0, key.lastIndexOf("_"));
}
