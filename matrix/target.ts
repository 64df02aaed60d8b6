import { parentPort, workerData } from "node:worker_threads";
import { findSubject } from "./mutants.ts";
import { start } from "./start.ts";

// A thread of its own: an API that shared one with its scan would answer when the scan has time.
const id: unknown = workerData;
const { variant, name } = findSubject(String(id));
const { close, ...facts } = await start(variant, name);
parentPort?.once("message", () => void close().then(() => parentPort?.close()));
parentPort?.postMessage(facts, []);
