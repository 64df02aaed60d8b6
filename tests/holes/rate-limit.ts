import { reading } from "../../examples/projects/limits.ts";
import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

/** The sample every tutorial has: a counter in a Map, set back on the minute, for whoever the client says it is. */
export const hole: Hole = {
  id: "rate-limit",
  wrong: "a fixed window per X-Forwarded-For, which the client writes itself",
  create: withGates({
    reserve() {
      const counts = new Map<string, number>();
      let window = 0;
      return function countInWindow(x) {
        const now = Math.floor(x.timeMs / windowMs);
        if (now !== window) counts.clear();
        window = now;
        const client = x.headers["x-forwarded-for"] ?? x.arrival.peer;
        const count = (counts.get(client) ?? 0) + 1;
        counts.set(client, count);
        if (count <= requestsPerWindow) return undefined;
        return new Refusal("rate-limited", `${count} requests`, { headers: ["retry-after", "1"] });
      };
    },
    settle: () => undefined,
    byInputField: () => undefined,
    settleAfterwards: () => () => undefined,
  }),
  setting: {
    // A second is short on a busy machine; in four it can use a limit up.
    configure: (config) => ({ ...config, limits: { ...config.limits, caller: "150/4s" } }),
    adapt: (api) => ({
      ...api,
      route: (policy, handler) =>
        api.route(policy.limit === reading ? { ...policy, limit: "100/4s" } : policy, handler),
    }),
  },
};

const windowMs = 1000;
/** The example's 400/s per address. */
const requestsPerWindow = 400;
