import { createServer, type RequestListener } from "node:http";
import { afterAll } from "vitest";
import { type Reactions, startThings } from "./things.ts";

const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0)) await close();
});

/** To be done when the tests of the file are over. */
export function afterwards(close: () => Promise<unknown>): void {
  closing.push(close);
}

/** Starts things that react otherwise, until the tests of the file are over. @returns where they listen */
export async function things(changed: Partial<Reactions> = {}): Promise<string> {
  const { url, close } = await startThings(changed);
  afterwards(close);
  return url;
}

/** Starts a server, until the tests of the file are over. @returns where it listens */
export async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterwards(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}
