import { calledName, isLiteral, type Node, propertyOf, receiverOf, stringIn } from "../ast.ts";
import { isExpressApp } from "../handlers.ts";
import { isCallOf, originOf } from "../origin.ts";
import { pieceOf } from "../request.ts";
import { defineRule, type File } from "../rule.ts";

const fastifyModules = new Set(["fastify"]);

/** Servers that believe whatever Host and forwarded headers a client writes. */
export const host = defineRule(
  "host",
  {
    trustsEverybody: {
      problem: "Every client is believed when it says which address, scheme and host it came by.",
      fix: 'Name the proxies in front: app.set("trust proxy", ["10.0.0.0/8"]).',
    },
    link: {
      problem: "This link leads wherever the client's Host header says.",
      fix: "Make links from a configured address of your own.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const name = calledName(call);
      const receiver = receiverOf(call);
      const [setting, value] = call.arguments;
      const isTrustProxy =
        stringIn(setting) === "trust proxy" && receiver !== undefined && isExpressApp(file, receiver);
      if (isTrustProxy && ((name === "set" && isLiteral(value, true)) || name === "enable"))
        report(call, "trustsEverybody");
      if (
        isCallOf(file, call, fastifyModules, new Set(["", "fastify"])) &&
        isLiteral(propertyOf(setting, "trustProxy"), true)
      ) {
        report(call, "trustsEverybody");
      }
    },
    TemplateLiteral(template) {
      // `new URL(req.url, …)` is how Node reads a path; where it leads matters to nobody.
      if (template.parent?.type === "NewExpression") return;
      const place = template.expressions.findIndex(
        (value, index) => (template.quasis[index]?.value.raw ?? "").endsWith("://") && isHost(file, value),
      );
      if (place !== -1) report(template, "link");
    },
  }),
);

function isHost(file: File, value: Node): boolean {
  const piece = pieceOf(file, value);
  if (piece?.part === "headers") return piece.path[0] === "host" || piece.path[0] === "x-forwarded-host";
  // request.url is made of the Host header too, but new URL(request.url) is how a path is read.
  return piece?.part === "host" && originOf(file, value).kind === "parameter";
}
