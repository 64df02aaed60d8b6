/**
 * The scan itself could not be done: wrong options, an unreadable description, a target that is not there. Its message
 * says what to change. It is never a statement about the API's protections.
 */
export class ScanError extends Error {
  override readonly name = "ScanError";
}

/** The target was there and is not any more; the message names the request after which it stopped listening. */
export class TargetGone extends ScanError {}

/**
 * A request was not sent because sending it would exhaust a limit of the target for longer than the scan waits. A probe
 * that meets it could not decide.
 */
export class BudgetSpent extends Error {
  override readonly name = "BudgetSpent";
}

/** An operation could not be reached, for a reason a person can act on. A probe that meets it could not decide. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}
