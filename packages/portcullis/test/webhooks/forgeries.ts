import { createHmac } from "node:crypto";
import type { Sent } from "./receiver.ts";

/** What an attacker has: recorded deliveries, and everything but the secret. */
export interface Forgery {
  readonly what: string;
  readonly sent: Sent;
}

/** One sender, as the attacker sees it. */
export interface Victim {
  readonly name: string;
  /** Signs as the sender would: the text, a time, with the current secret unless another one is given. */
  sign(body: string, change?: { readonly seconds?: number; readonly secret?: string; readonly id?: string }): Sent;
  /** Header of the signature. */
  readonly signature: string;
  /** Header of the time, where it has one of its own. */
  readonly time?: string;
  /** Header of the id, where it has one of its own and signs it. */
  readonly id?: string;
  readonly signsTime: boolean;
  /** A secret of the same form that nobody uses. */
  readonly otherSecret: string;
  /** Older or weaker signatures over the right text, which nobody may look at. */
  downgrades(body: string, seconds: number): readonly Forgery[];
}

/** Everything that is tried on one sender; `now` in seconds. */
export function forgeries(victim: Victim, now: number): readonly Forgery[] {
  const body = '{"id":"evt_forged","type":"paid","data":{"n":1}}';
  const honest = victim.sign(body);
  return [
    ...unsigned(victim, honest),
    ...bodies(victim, honest, body),
    ...signatures(victim, honest),
    ...secrets(victim, body),
    ...(victim.signsTime ? times(victim, body, now) : []),
    ...headers(victim, honest),
    ...victim.downgrades(body, now),
  ];
}

function unsigned({ signature, time, id }: Victim, honest: Sent): readonly Forgery[] {
  return [signature, time, id].flatMap((name) =>
    name === undefined
      ? []
      : [
          { what: `without ${name}`, sent: { ...honest, headers: without(honest, name) } },
          { what: `${name} is empty`, sent: withHeader(honest, name, "") },
          { what: `${name} is one blank`, sent: withHeader(honest, name, " ") },
        ],
  );
}

function bodies(victim: Victim, honest: Sent, body: string): readonly Forgery[] {
  const other = victim.sign('{"id":"evt_other","type":"refunded"}');
  const flip = (at: number): string =>
    body.slice(0, at) + String.fromCharCode(body.charCodeAt(at) ^ 1) + body.slice(at + 1);
  return [
    ...[
      ["another amount", body.replace('"n":1', '"n":9')],
      ["re-serialised with blanks", JSON.stringify(JSON.parse(body), undefined, 1)],
      ["keys in another order", '{"type":"paid","id":"evt_forged","data":{"n":1}}'],
      ["an escape instead of a letter", body.replace("paid", "p\\u0061id")],
      ["a number spelled otherwise", body.replace('"n":1', '"n":1.0')],
      ["a field more", body.replace("{", '{"more":1,')],
      ["a blank before", ` ${body}`],
      ["a blank behind", `${body} `],
      ["a line end behind", `${body}\n`],
      ["a byte order mark before", `\uFEFF${body}`],
      ["cut by one", body.slice(0, -1)],
      ["cut in half", body.slice(0, body.length / 2)],
      ["empty", ""],
      ["twice", body + body],
      ["another body altogether", "{}"],
      ["the body of another delivery", other.body],
      ...[0, 9, 20, body.length - 1].map((at) => [`bit flipped at ${at}`, flip(at)] as const),
    ].map(([what = "", changed = ""]) => ({ what: `body: ${what}`, sent: { ...honest, body: changed } })),
    { what: "the signature of another delivery", sent: { ...other, body } },
  ];
}

function signatures({ signature }: Victim, honest: Sent): readonly Forgery[] {
  const value = one(honest, signature);
  // The part that is the signature itself: the longest run of its letters.
  const digits = value.match(/[A-Za-z0-9+/]{40,}={0,2}/)?.[0] ?? "";
  const replaced = (what: string, text: string): Forgery => ({
    what: `signature: ${what}`,
    sent: withHeader(honest, signature, value.replace(digits, text)),
  });
  const changed = (at: number): string => {
    const letter = digits.charAt(at) === "0" ? "1" : "0";
    return digits.slice(0, at) + letter + digits.slice(at + 1);
  };
  return [
    ...[0, 1, 17, 31, 39].map((at) => replaced(`letter ${at} changed`, changed(at))),
    replaced("cut by one", digits.slice(0, -1)),
    replaced("cut to half", digits.slice(0, 32)),
    replaced("cut to nothing", ""),
    replaced("longer by one", `${digits}0`),
    replaced("twice in a row", digits + digits),
    replaced("all zeros", digits.replaceAll(/[A-Za-z0-9+/]/g, "0")),
    replaced("all A", digits.replaceAll(/[A-Za-z0-9+/]/g, "A")),
    replaced("not in its alphabet", digits.replaceAll(/[A-Za-z0-9+/]/g, "!")),
    replaced("in the other letter case", swapCase(digits)),
    replaced("a word", "undefined"),
    replaced("with a NUL's escape", `${digits}%00`),
    { what: "signature: alone, without its version", sent: withHeader(honest, signature, digits) },
    { what: "signature: the name of a version alone", sent: withHeader(honest, signature, "v1") },
    { what: "signature: JSON", sent: withHeader(honest, signature, '{"v1":true}') },
    { what: "signature: true", sent: withHeader(honest, signature, "true") },
  ];
}

function secrets(victim: Victim, body: string): readonly Forgery[] {
  return [
    { what: "signed with another secret", sent: victim.sign(body, { secret: victim.otherSecret }) },
    { what: "signed with the empty secret", sent: victim.sign(body, { secret: "" }) },
    { what: "signed with the word undefined", sent: victim.sign(body, { secret: "undefined" }) },
  ];
}

function times(victim: Victim, body: string, now: number): readonly Forgery[] {
  const far = [301, 400, 3_600, 86_400, 31_536_000];
  const stale = far.map((ago) => ({ what: `${ago} s old`, sent: victim.sign(body, { seconds: now - ago }) }));
  // Well ahead: time goes on while hundreds are tried. The exact second is another test's, whose clock stands still.
  const ahead = far.map((off) => off + 120);
  const future = ahead.map((off) => ({ what: `${off} s ahead`, sent: victim.sign(body, { seconds: now + off }) }));
  const odd = ["0", "-1", "NaN", "Infinity", "1e9", `${now}.0`, `+${now}`, `0${now}`, `${now}000`, "", " ", "now"];
  const old = victim.sign(body, { seconds: now - 3_600 });
  const swapped = swapTime(victim, old, String(now));
  return [
    ...stale,
    ...future,
    { what: "an old delivery under a new time that is not the signed one", sent: swapped },
    ...odd.map((time) => ({
      what: `the time is ${JSON.stringify(time)}`,
      sent: swapTime(victim, victim.sign(body), time),
    })),
  ];
}

function headers({ signature, time }: Victim, honest: Sent): readonly Forgery[] {
  const value = one(honest, signature);
  const name = time ?? signature;
  return [
    { what: "the signature twice", sent: withHeader(honest, signature, [value, value]) },
    { what: "a wrong signature first, the right one second", sent: withHeader(honest, signature, ["v1=00", value]) },
    { what: "the right signature first, a wrong one second", sent: withHeader(honest, signature, [value, "v1=00"]) },
    { what: "the time twice", sent: withHeader(honest, name, [one(honest, name), one(honest, name)]) },
    { what: "the signature under a look-alike name", sent: renamed(honest, signature, signature.replaceAll("-", "_")) },
    { what: "the signature under a name of its own", sent: renamed(honest, signature, `x-original-${signature}`) },
    { what: "the signature in Authorization", sent: renamed(honest, signature, "authorization") },
    { what: "a thousand signatures", sent: withHeader(honest, signature, thousand(value)) },
  ];
}

/** Right ones behind many wrong ones, in lists of either kind; still inside the size of a header block. */
function thousand(value: string): string {
  const wrong = "v1=00,v1,00 ".repeat(1_000);
  return `${wrong}${value}`;
}

function swapTime(victim: Victim, sent: Sent, time: string): Sent {
  if (victim.time !== undefined) return withHeader(sent, victim.time, time);
  return withHeader(sent, victim.signature, one(sent, victim.signature).replace(/t=\d+/, `t=${time}`));
}

/** One header's value, where it is one. */
export function one({ headers: sent }: Sent, name: string): string {
  const value = sent[name];
  return typeof value === "string" ? value : "";
}

/** The same with another header. */
export function withHeader(sent: Sent, name: string, value: string | readonly string[]): Sent {
  return { ...sent, headers: { ...sent.headers, [name]: value } };
}

function renamed(sent: Sent, from: string, to: string): Sent {
  return { ...sent, headers: { ...without(sent, from), [to]: one(sent, from) } };
}

function without({ headers: sent }: Sent, name: string): Sent["headers"] {
  return Object.fromEntries(Object.entries(sent).filter(([known]) => known !== name));
}

function swapCase(text: string): string {
  return text.replaceAll(/[A-Za-z]/g, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

/** HMAC as the tests' senders make it. */
export function mac(hash: string, key: string | Uint8Array, text: string, encoding: "hex" | "base64" = "hex"): string {
  return createHmac(hash, key).update(text).digest(encoding);
}
