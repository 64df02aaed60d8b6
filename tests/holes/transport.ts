import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

/** `if (req.headers["x-forwarded-proto"] === "http") …`: the snippet of every hosting platform's manual. */
export const hole: Hole = {
  id: "transport",
  wrong: "a request is plain only if X-Forwarded-Proto says http; whoever says nothing is served",
  create: withGates({
    transport: () =>
      function refuseDeclaredHttp(x) {
        if (x.headers["x-forwarded-proto"] !== "http") return undefined;
        return new Refusal("plain-http", "the proxy says http");
      },
  }),
  setting: {
    // Plain http for a loopback name is nobody's hole: it takes a public name, and a proxy so that it starts at all.
    configure: (config) => ({
      ...config,
      hosts: [...config.hosts, "api.projects.example"],
      proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" },
    }),
  },
};
