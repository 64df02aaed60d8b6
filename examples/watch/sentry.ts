import * as Sentry from "@sentry/node";
import type { AuditOptions } from "portcullis";

/**
 * Tells Sentry what handlers and sinks threw, under the request id that the client was given. Nothing of the request's
 * content goes with it: Sentry's own instrumentation stays off, because it would send headers and bodies along.
 *
 * @param dsn  the project's address, from Sentry's settings
 */
export function sentryErrors(dsn: string): NonNullable<AuditOptions["onError"]> {
  Sentry.init({ dsn, defaultIntegrations: false, sendClientReports: false });
  return function tellSentry(error, { requestId, route, stage }) {
    Sentry.captureException(error, { tags: { requestId, route, stage } });
  };
}

/** Sends what is waiting; call it when the API has stopped. @param timeoutMs  longest wait, in milliseconds */
export async function flushSentry(timeoutMs = 2_000): Promise<void> {
  await Sentry.close(timeoutMs);
}
