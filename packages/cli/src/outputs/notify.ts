import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { ScanError } from "@portcullis/scan";

/** Tells somebody's endpoint that something changed. */
export interface Notifier {
  /** Resolves with what went wrong, or with nothing once the endpoint has answered 2xx. Never rejects. */
  send(event: Readonly<Record<string, unknown>>): Promise<string | undefined>;
}

/** How often, and how long, a notification is tried; milliseconds. */
const attempts = 3;
const timeoutMs = 10_000;

/**
 * Makes a notifier that signs what it sends (Standard Webhooks, the receiver is `standardWebhooks()`); three attempts with
 * the same id, ten seconds each, no redirects.
 *
 * @param url     https, or http to this machine
 * @param secret  `whsec_…`
 * @param pauseMs before the second attempt, and four times that before the third; default 1,000
 * @throws ScanError when the address or the secret is none
 */
export async function createNotifier(url: string, secret: string | undefined, pauseMs = 1000): Promise<Notifier> {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  const isLocal = target !== undefined && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(target.hostname);
  if (target === undefined || !(target.protocol === "https:" || (target.protocol === "http:" && isLocal)))
    throw new ScanError(`--notify ${url}: it takes an https address, or an http address of this machine`);
  if (secret === undefined)
    throw new ScanError(
      "--notify signs what it sends: set PORTCULLIS_NOTIFY_SECRET to whsec_<base64 of 32 random bytes>",
    );
  // Few scans notify; the others need not load the library.
  const { signWebhook } = await import("portcullis");
  const sign = (id: string, body: string) => signWebhook({ style: "standard", secrets: [secret], id, body });
  try {
    await sign("start", "");
  } catch (cause) {
    // The message of the library says what is wrong with the secret and never shows it.
    throw new ScanError(`PORTCULLIS_NOTIFY_SECRET: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return {
    async send(event) {
      const id = randomUUID();
      const body = JSON.stringify(event);
      let failure = "";
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        if (attempt > 0) await wait(pauseMs * 4 ** (attempt - 1));
        try {
          const answer = await fetch(target, {
            method: "POST",
            body,
            headers: { "content-type": "application/json", ...(await sign(id, body)) },
            redirect: "error",
            signal: AbortSignal.timeout(timeoutMs),
          });
          await answer.body?.cancel();
          if (answer.ok) return undefined;
          failure = `it answered ${answer.status}`;
        } catch (error) {
          failure = error instanceof Error ? error.message : String(error);
        }
      }
      return `the notification was not taken: ${failure}`;
    },
  };
}
