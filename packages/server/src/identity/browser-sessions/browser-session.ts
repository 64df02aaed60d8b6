/** One session, as its owner and the application may see it. Times are Unix milliseconds. */
export interface BrowserSession {
  /** Names it; opens nothing. */
  readonly name: string;
  readonly subject: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly idleExpiresAt: number;
  readonly expiresAt: number;
  readonly userAgent: string | undefined;
}
