import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below what systems hand out by themselves (Linux from 32768, others from 49152): no listen(0) and no outgoing connection
// takes one of these between now and the moment the server listens. Each test worker has a stripe of its own.
const stripe = 5000;
const first = 10_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 4) * stripe;
let next = randomInt(stripe);

/** A port nobody listens on, for a server whose address is part of its settings; never the same twice from one process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < stripe; tries += 1) {
    const port = first + (next++ % stripe);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${first} to ${first + stripe - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    // On every address of the machine, so that a listener on any of them is met.
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
