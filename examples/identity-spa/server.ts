import { openNotes } from "./api.ts";
import { createPageServer } from "./page-server.ts";

const port = Number(process.env["PORT"] ?? 8787);
const pagePort = Number(process.env["PAGE_PORT"] ?? 5173);
const origin = `http://localhost:${port}`;
const app = `http://localhost:${pagePort}`;
const folder = process.env["DATA"] ?? ".data";

const { api, close } = await openNotes(origin, app, folder);
const listening = await api.listen({ port, handleSignals: false });
const page = createPageServer(origin);
await new Promise<void>((resolve) => page.listen(pagePort, "127.0.0.1", resolve));
console.log(`${app} (the API is ${origin}; mail goes to ${folder}/mail.ndjson)`);

process.once("SIGTERM", stop).once("SIGINT", stop);

function stop(): void {
  page.close();
  void listening.close().then(close);
}
