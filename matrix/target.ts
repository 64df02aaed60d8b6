import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import { findSubject } from "./mutants.ts";
import { start } from "./start.ts";

// A thread of its own: an API that shared one with its scan would answer when the scan has time. It starts when it is told
// which one it is.
if (parentPort !== null) {
  const port = parentPort;
  const [id]: unknown[] = await once(port, "message");
  const { variant, name } = findSubject(String(id));
  const { close, ...facts } = await start(variant, name);
  port.once("message", () => void close().then(() => port.close()));
  port.postMessage(facts, []);
}
