import { type Hole, withGates } from "../hole.ts";

/** `new URL(req.url)` and a Map of headers: something is always read, and the next parser may read something else. */
export const hole: Hole = {
  id: "canonical-request",
  wrong: "targets are tidied up as a browser does, and of two headers or parameters one is taken",
  create: withGates({
    canonicalRequest: () =>
      function readLeniently(x) {
        const { method, target, headers } = x.arrival;
        const url = new URL(target, "http://localhost");
        x.isHead = method === "HEAD";
        x.method = x.isHead ? "GET" : method;
        x.path = url.pathname;
        x.segments = url.pathname
          .split("/")
          .filter((segment) => segment !== "")
          .map(decodeURIComponent);
        x.query = Object.fromEntries(url.searchParams);
        x.headers = firstOfEach(headers);
        return undefined;
      },
  }),
};

function firstOfEach(pairs: readonly string[]): Readonly<Record<string, string>> {
  const first: Record<string, string> = {};
  for (let i = 0; i < pairs.length; i += 2) first[pairs[i]?.toLowerCase() ?? ""] ??= pairs[i + 1] ?? "";
  return first;
}
