/** A process that tries to rotate 20 keys and prints how many of the rotations were its own. */
import { embeddedKeyStore } from "../../src/adapters/embedded-key-store.ts";

const [folder = "", name = ""] = process.argv.slice(2);
const store = embeddedKeyStore({ folder });
let won = 0;
for (let n = 0; n < 20; n++) {
  const old = await store.find(`k-${n}`);
  if (old === undefined) throw new Error("the parent did not prepare its keys");
  if (await store.rotate(old.id, { ...old, id: `${old.id}-${name}`, replacedBy: undefined }, 1_000)) won++;
}
store.close();
process.stdout.write(String(won));
