import {
  everyNode,
  functionsAround,
  bare,
  calledName,
  type CallExpression,
  isClosedObject,
  type Node,
  propertyOf,
  receiverOf,
  stringIn,
} from "../ast.ts";
import { handlerAround } from "../handlers.ts";
import { originOf, readFrom } from "../origin.ts";
import { piecesIn } from "../request.ts";
import { callsIn } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

const jsonwebtoken = new Set(["jsonwebtoken"]);
const jose = new Set(["jose"]);
const fastJwt = new Set(["fast-jwt"]);
const jwtDecode = new Set(["jwt-decode"]);

/** Tokens that are read and not verified, or verified by whatever algorithm they name. */
export const jwt = defineRule(
  "jwt",
  {
    decoded: {
      problem: "This token is read, not verified: anybody can write one.",
      fix: "Verify it before anything is believed: jwt.verify(token, key, { algorithms, issuer, audience }).",
    },
    algorithms: {
      problem: "No algorithms are named, so the token has a say in how it is checked.",
      fix: 'Name them, with issuer and audience: { algorithms: ["RS256"], issuer, audience }; "HS256" for a secret.',
    },
    claims: {
      problem: "Neither issuer nor audience is demanded: a token that was made for another API passes.",
      fix: "Demand both, and the algorithm: jwtVerify(token, key, { issuer, audience, algorithms }).",
    },
    none: {
      problem: 'The algorithm "none" is accepted: a token without a signature passes.',
      fix: "Name the algorithm of your key and no other.",
    },
    secret: {
      problem: "The key that signs tokens stands in the source: whoever reads it signs for anybody.",
      fix: "Read a random key of at least 32 bytes from the environment or a secret store.",
    },
    scheme: {
      problem: "A token without its scheme passes, and so does one with another scheme in front.",
      fix: "Demand it: /^Bearer ([^ ]+)$/i.exec(header)?.[1], and 401 where it does not match.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (isBareReading(file, call)) report(call, "decoded");
      if (dropsScheme(file, call)) report(call, "scheme");
      const signs = readFrom(file, call.callee, jsonwebtoken)?.[0];
      const key = call.arguments[1];
      if ((signs === "sign" || signs === "verify") && key !== undefined && isWritten(file, key)) report(key, "secret");
      const options = optionsOfVerify(file, call);
      if (options === undefined) return;
      const algorithms = options === "none" ? undefined : propertyOf(options, "algorithms");
      if (algorithms === undefined) {
        const isJose = readFrom(file, call.callee, jose) !== undefined;
        if (options === "none" || isClosedObject(options)) report(call, isJose ? "claims" : "algorithms");
      } else if (namesNone(algorithms)) report(algorithms, "none");
    },
  }),
);

/** A token read in a handler while nothing in the file verifies any. */
function isBareReading(file: File, call: CallExpression): boolean {
  if (!readsToken(file, call) || handlerAround(file, call) === undefined) return false;
  return !callsIn(file.sourceCode.ast).some((one) => verifiesToken(file, one));
}

function readsToken(file: File, call: CallExpression): boolean {
  if (readFrom(file, call.callee, jsonwebtoken)?.join(".") === "decode") return true;
  if (readFrom(file, call.callee, jose)?.join(".") === "decodeJwt") return true;
  const decode = readFrom(file, call.callee, jwtDecode)?.join(".");
  if (decode === "" || decode === "jwtDecode") return true;
  const made = originOf(file, call.callee);
  return made.kind === "call" && readFrom(file, made.node.callee, fastJwt)?.join(".") === "createDecoder";
}

function verifiesToken(file: File, call: CallExpression): boolean {
  const name = calledName(call) ?? "";
  return (
    /verif/i.test(name) && (receiverOf(call) === undefined || readFrom(file, call.callee, jsonwebtoken) !== undefined)
  );
}

/** The options of a call that verifies; "none" where it has none, undefined where it verifies nothing or cannot be seen. */
function optionsOfVerify(file: File, call: CallExpression): Node | "none" | undefined {
  const isJose = readFrom(file, call.callee, jose)?.join(".") === "jwtVerify";
  const verifies = isJose || readFrom(file, call.callee, jsonwebtoken)?.join(".") === "verify";
  if (!verifies || call.arguments.length < 2 || call.arguments.some(({ type }) => type === "SpreadElement")) {
    return undefined;
  }
  const third = call.arguments[2];
  if (third === undefined) return "none";
  // jose takes the algorithm from the key where nothing is said.
  if (isJose) return undefined;
  const origin = originOf(file, third);
  // jsonwebtoken takes its callback in the place of the options.
  if (origin.kind === "function") return "none";
  return origin.kind === "other" && origin.path.length === 0 ? bare(origin.node) : undefined;
}

function namesNone(algorithms: Node): boolean {
  const list = bare(algorithms);
  return list.type === "ArrayExpression" && list.elements.some((one) => stringIn(one) === "none");
}

function isWritten(file: File, key: Node): boolean {
  const origin = originOf(file, key);
  return origin.kind === "other" && origin.path.length === 0 && (stringIn(origin.node) ?? "") !== "";
}

/** `header.replace("Bearer ", "")` takes anything that is not spelt so as it is. */
function dropsScheme(file: File, call: CallExpression): boolean {
  if (calledName(call) !== "replace" || !/^bearer ?$/i.test(stringIn(call.arguments[0]) ?? "")) return false;
  const receiver = receiverOf(call);
  const isHeader =
    receiver !== undefined &&
    piecesIn(file, receiver).some(({ part, path }) => part === "headers" && path[0] === "authorization");
  return isHeader && !functionsAround(call).some((fn) => everyNode(fn).some(asksForScheme));
}

/** `header.startsWith("Bearer ")` and its like, `/^Bearer /.test(header)`. */
function asksForScheme(node: Node): boolean {
  if (node.type !== "CallExpression") return false;
  const name = calledName(node) ?? "";
  if (!/^(startsWith|includes|indexOf|match|test|exec)$/.test(name)) return false;
  const receiver = receiverOf(node);
  return [receiver, node.arguments[0]].some((one) => one?.type === "Literal" && /bearer/i.test(one.raw ?? ""));
}
