import {
  calledName,
  everyNode,
  isClosedObject,
  isLiteral,
  memberName,
  type Node,
  propertyOf,
  receiverOf,
  settled,
  stringIn,
} from "../ast.ts";
import { handlerOf } from "../handlers.ts";
import { functionOf, originOf, readFrom } from "../origin.ts";
import { isSecretName } from "../names.ts";
import { defineRule, type File } from "../rule.ts";

const cryptoModules = new Set(["crypto"]);

/** Sessions that a script on the page, or a stolen table, hands to somebody else. */
export const sessions = defineRule(
  "sessions",
  {
    webStorage: {
      problem: "Every script on the page can read this token, and one that was slipped in sends it away.",
      fix: "Keep it in a cookie that scripts cannot read: __Host- prefix, HttpOnly, Secure, SameSite=Strict.",
    },
    cookie: {
      problem: "This cookie signs somebody in, and scripts on the page can read it.",
      fix: 'res.cookie("__Host-session", id, { httpOnly: true, secure: true, sameSite: "strict", path: "/" }).',
    },
    password: {
      problem: "A password is kept as a fast hash: a stolen table is guessed back within hours.",
      fix: "Use argon2id, from a password library or node:crypto (Node 24).",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const [name, value] = call.arguments;
      const method = calledName(call);
      const receiver = receiverOf(call);
      if (method === "setItem" && receiver !== undefined && isWebStorage(file, receiver)) {
        if (isSecretName(stringIn(name) ?? "")) report(call, "webStorage");
      }
      if (
        method === "cookie" &&
        receiver !== undefined &&
        value !== undefined &&
        setsOpenCookie(file, receiver, call.arguments)
      ) {
        report(call, "cookie");
      }
      if (name !== undefined && isPassword(name) && isFastHash(file, call.callee, receiver, method))
        report(call, "password");
    },
    AssignmentExpression({ left }) {
      if (left.type !== "MemberExpression" || !isWebStorage(file, left.object)) return;
      if (isSecretName(memberName(left) ?? "")) report(left, "webStorage");
    },
  }),
);

function isWebStorage(file: File, node: Node): boolean {
  const origin = originOf(file, node);
  if (origin.kind !== "global") return false;
  const path = [origin.name, ...origin.path].join(".");
  return /^((window|globalThis|self)\.)?(local|session)Storage$/.test(path);
}

function setsOpenCookie(file: File, response: Node, [name, , options]: readonly Node[]): boolean {
  const called = stringIn(name) ?? "";
  // A page has to read its CSRF token: that is how it works.
  if (/csrf|xsrf/i.test(called)) return false;
  if (!/(^|[-_.])(sess|session|sessionid|sid|token|jwt|auth)$/i.test(called) && !isSecretName(called)) return false;
  const origin = originOf(file, response);
  const isResponse =
    origin.kind === "parameter" && origin.path.length === 0 && handlerOf(file, origin.fn)?.response === origin.index;
  if (!isResponse) return false;
  if (options === undefined) return true;
  if (options.type !== "ObjectExpression" || !isClosedObject(options)) return false;
  const httpOnly = propertyOf(options, "httpOnly");
  return httpOnly === undefined || isLiteral(httpOnly, false);
}

function isPassword(node: Node): boolean {
  const inner = settled(node);
  const name =
    inner.type === "Identifier" ? inner.name : inner.type === "MemberExpression" ? memberName(inner) : undefined;
  return /^(pass(word|wd|phrase)?|plain_?(text_?)?password|new_?password)$/i.test(name ?? "");
}

/** `createHash("md5").update(password)`, or a function of this file that does it. */
function isFastHash(file: File, callee: Node, receiver: Node | undefined, method: string | undefined): boolean {
  const isHash = (node: Node): boolean =>
    node.type === "CallExpression" && readFrom(file, node.callee, cryptoModules)?.join(".") === "createHash";
  // A breach list is asked by SHA-1, and a slow hash may be given a fast one's result.
  if (/pwned|bcrypt|argon2|scrypt|pbkdf2/i.test(file.sourceCode.text)) return false;
  if (method === "update" && receiver !== undefined) return isHash(receiver);
  const fn = functionOf(file, callee);
  return fn !== undefined && fn.params.length === 1 && everyNode(fn).some(isHash);
}
