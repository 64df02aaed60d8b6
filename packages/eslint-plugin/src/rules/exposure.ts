import { bare, type CallExpression, everyNode, keyOf, type Node, stringIn } from "../ast.ts";
import { isSecretSetting } from "../names.ts";
import { isCallOf, originOf } from "../origin.ts";
import { pieceOf, piecesIn } from "../request.ts";
import { partsOf, sentBy } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

const express = new Set(["express"]);
const clients = new Set(["axios", "got", "ky", "undici", "node-fetch", "superagent", "request"]);

/** Secrets in URLs, and what was never meant to be served. */
export const exposure = defineRule(
  "exposure",
  {
    credentialFromUrl: {
      problem: "The credential may stand in the URL, where every log, proxy and history keeps it.",
      fix: "Take it from the Authorization header and from nowhere else.",
    },
    secretInUrl: {
      problem: "A secret goes out in a URL, where every log and proxy on its way keeps it.",
      fix: "Send it in a header: Authorization: Bearer ….",
    },
    environment: {
      problem: "The process's settings are sent to the client, secrets among them.",
      fix: "Answer what the client needs by name.",
    },
    folder: {
      problem: "The whole project folder is served: source, .env and .git with it.",
      fix: 'Serve a folder of its own: express.static(join(import.meta.dirname, "public")).',
    },
  },
  (file, report) => ({
    LogicalExpression(node) {
      if (node.parent?.type === "LogicalExpression") return;
      const hasHeader = piecesIn(file, node).some(
        ({ part, path }) => part === "headers" && /^(authorization|x-api-key)$/.test(path[0] ?? ""),
      );
      // A token alone may be one that is good for one click; beside the header it is a credential.
      const isFallback = sidesOf(node).some((side) => {
        const piece = pieceOf(file, side);
        return piece?.part === "query" && isCredential(piece.path[0] ?? "");
      });
      if (hasHeader && isFallback) report(node, "credentialFromUrl");
    },
    CallExpression(call) {
      if (isRequest(file, call) && call.arguments.slice(0, 1).some(hasSecretInUrl)) report(call, "secretInUrl");
      const sent = sentBy(file, call);
      if (sent !== undefined && partsOf(file, sent.value).some((part) => isSettings(file, part)))
        report(call, "environment");
      const [folder] = call.arguments;
      if (isCallOf(file, call, express, new Set(["static"])) && folder !== undefined && isProject(file, folder)) {
        report(call, "folder");
      }
    },
  }),
);

/** Everything that `a ?? b ?? c` chooses from. */
function sidesOf(node: Node): readonly Node[] {
  const inner = bare(node);
  return inner.type === "LogicalExpression" ? [...sidesOf(inner.left), ...sidesOf(inner.right)] : [inner];
}

function isCredential(name: string): boolean {
  return /^(token|access_?token|auth_?token|api_?key|key|jwt|bearer)$/i.test(name);
}

function isRequest(file: File, call: CallExpression): boolean {
  const origin = originOf(file, call.callee);
  if (origin.kind === "global") return origin.name === "fetch" && origin.path.length === 0;
  return origin.kind === "import" && clients.has(origin.module);
}

/** `?api_key=${key}`: the name says what it is, and the value is put in at run time. */
function hasSecretInUrl(url: Node): boolean {
  return everyNode(bare(url)).some(
    (node) =>
      node.type === "TemplateLiteral" &&
      node.quasis.some(
        ({ value, tail }) =>
          !tail && /[?&](access_token|auth_token|api_?key|client_secret|secret|password)=$/i.test(value.raw),
      ),
  );
}

/** The environment, or an object of this file that has secrets by their usual names. */
function isSettings(file: File, part: Node): boolean {
  const origin = originOf(file, part);
  if (origin.kind === "global") return origin.name === "process" && origin.path.join(".") === "env";
  if (origin.kind !== "other" || origin.path.length > 0 || origin.node.type !== "ObjectExpression") return false;
  return origin.node.properties.some((one) => {
    const name = keyOf(one) ?? "";
    return /^[A-Z\d_]+$/.test(name) && isSecretSetting(name);
  });
}

function isProject(file: File, folder: Node): boolean {
  if (/^\.?\/?$/.test(stringIn(folder) ?? "?")) return true;
  const node = bare(folder);
  const origin = originOf(file, node.type === "CallExpression" && node.arguments.length === 0 ? node.callee : node);
  return origin.kind === "global" && origin.name === "process" && origin.path.join(".") === "cwd";
}
