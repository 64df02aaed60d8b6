/**
 * A mistake in the options a developer wrote. Thrown at set-up, before the process listens; never while a request is
 * served, and never shown to a caller.
 */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  /** What to write instead, one sentence. */
  readonly fix: string;

  /**
   * @param message  what is wrong, one sentence that names the option
   * @param fix      what to write instead, one sentence
   */
  constructor(message: string, fix: string) {
    super(`${message} ${fix}`);
    this.fix = fix;
  }
}
