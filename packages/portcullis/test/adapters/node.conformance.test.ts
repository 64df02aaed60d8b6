import { askSocket, conformance } from "./conformance.ts";

conformance("node", async ({ api }) => {
  const { port, close } = await api.listen({ port: 0, handleSignals: false });
  return { ask: (sent) => askSocket(port, sent), close };
});
