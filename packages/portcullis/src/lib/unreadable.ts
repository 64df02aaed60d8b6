/**
 * What a strict reader returns instead of a value when the text it was given has no single meaning.
 *
 * Readers return `T | Unreadable` and never throw on hostile input: an exception costs a stack trace per request and
 * can be caught in the wrong place. Ask with `instanceof Unreadable`.
 *
 * @typeParam Reason  the stable kebab-case reasons one reader can give; they go to the log, never to the client
 */
export class Unreadable<Reason extends string = string> {
  readonly reason: Reason;

  /**
   * Where it happened, for the log: the name of a header, a parameter or a cookie, never its value. At most 64
   * characters, printable ASCII only, because it may have come from an attacker; "" when there is nothing to name.
   */
  readonly where: string;

  constructor(reason: Reason, where = "") {
    this.reason = reason;
    this.where = where === "" ? where : where.slice(0, 64).replace(/[^\x20-\x7e]/g, "?");
  }
}
