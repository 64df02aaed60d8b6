/**
 * Has instances tell each other that something was taken back. A message says no more than that somebody should look; what
 * was taken back they read in the table. So a message that is lost costs nothing but the time until they look anyway, and
 * one that anybody sends costs a read.
 */
export interface Push {
  /** Tells the others, as far as that can be done now; keeps nobody waiting and never throws. */
  tell(): void;
  /**
   * Calls `heard` when somebody tells, as long as the connection lasts, and again when there is a new one.
   *
   * @returns ends it
   */
  listen(heard: () => void): () => void;
}
