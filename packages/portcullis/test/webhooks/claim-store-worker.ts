/** A process that claims 40 deliveries, does every second of them, and prints which it got; then stays until it is killed. */
import { embeddedClaimStore } from "../../src/adapters/embedded-claim-store.ts";

const [folder = ""] = process.argv.slice(2);
const store = embeddedClaimStore({ folder });
for (let n = 0; n < 40; n++) {
  const claim = await store.claim(`delivery-${n}`, 60_000);
  if (claim.state !== "claimed") continue;
  const isDone =
    n % 2 === 0 && (await store.done(`delivery-${n}`, claim.token, { atLeastMs: 600_000, keepMs: 600_000 }));
  process.send?.({ n, isDone });
}
process.send?.("all");
setInterval(() => undefined, 1_000);
