/** Opens a store in a process of its own: `open-child.ts <options as JSON> <what to do then> <die before that statement>`. */
import { randomUUID } from "node:crypto";
import { flushCompileCache } from "node:module";
import { DatabaseSync } from "node:sqlite";
import { openStorage, type StorageOptions } from "@portcullis/server/storage";
import { Client } from "pg";
import { accountsOf } from "./open-stores.ts";

const [, , given = "{}", then = "hold", dieBefore = "0"] = process.argv;
const options: StorageOptions = JSON.parse(given);
let statements = 0;
// It is killed, and what was compiled would be lost to the next one.
flushCompileCache();

/** As the kernel's out-of-memory killer would. */
function count(): void {
  statements++;
  if (statements === Number(dieBefore)) process.kill(process.pid, "SIGKILL");
}

if (dieBefore !== "0") {
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function counted(...args) {
    count();
    return Reflect.apply(prepare, this, args);
  };
  const { query } = Client.prototype;
  Reflect.set(Client.prototype, "query", function counted(this: Client, ...args: unknown[]): unknown {
    count();
    const answer: unknown = Reflect.apply(query, this, args);
    return answer;
  });
}

try {
  const storage = await openStorage(options);
  process.stdout.write("open\n");
  if (then === "write") {
    const accounts = accountsOf(storage);
    for (;;) {
      const id = randomUUID();
      await accounts.add({ id });
      process.stdout.write(`${id}\n`);
    }
  }
  if (then === "hold") setInterval(() => {}, 1000);
  else await storage.close();
} catch (error) {
  process.stdout.write(`refused: ${error instanceof Error ? error.message : ""}\n`);
}
