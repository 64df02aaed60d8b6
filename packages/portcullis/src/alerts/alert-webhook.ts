import { isLoopbackHost } from "../lib/host-name.ts";
import { OptionsError } from "../lib/options-error.ts";
import { signingKeys, signWebhook } from "../webhooks/sign-webhook.ts";
import type { DeliveredAlert } from "./watch.ts";
import { runtime } from "#runtime";

/** Where alerts are sent, and under which secret. */
export interface AlertWebhookOptions {
  /** An https address; plain http for loopback names only. Its redirects are not followed. */
  readonly url: string;
  /** `whsec_` and the base64 of 24 .. 64 random bytes; several while one rotates, the newest first. */
  readonly secret: string | readonly string[];
  /** Milliseconds an answer may take, 1 .. 60_000; default 5000. */
  readonly timeoutMs?: number;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

/** Waited before each further try. */
const retriesAfterMs = [1_000, 10_000];

/**
 * Sends each alert as a signed webhook, `{ type: "portcullis.alert", timestamp, data }`, with the same id at every try, so
 * that a receiver which has it can drop the repetition. What is answered with anything but 2xx is tried three times in
 * all; then the promise rejects, and the API's `audit.onError` hears of it.
 *
 * @returns a function for `alerts.deliver`
 * @throws OptionsError where the address is not https, the time is out of range, or a secret is none: told now, and not by
 *   the first attack
 * @see Standard Webhooks
 */
export function alertWebhook(options: AlertWebhookOptions): (alert: DeliveredAlert) => Promise<void> {
  const { secret, timeoutMs = 5_000 } = options;
  const url = readUrl(options.url);
  const secrets = typeof secret === "string" ? [secret] : secret;
  signingKeys({ style: "standard", secrets });
  const send = options.fetch ?? fetch;
  if (!(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 60_000)) {
    throw new OptionsError(`timeoutMs is ${timeoutMs}.`, "Write whole milliseconds from 1 to 60000.");
  }

  return async function deliverAlert(alert) {
    const body = JSON.stringify({
      type: "portcullis.alert",
      timestamp: new Date(alert.time).toISOString(),
      data: alert,
    });
    const id = `alert_${runtime.newId()}`;
    for (let tries = 0; ; tries++) {
      const failure = await tryOnce(id, body);
      if (failure === undefined) return;
      const waitMs = retriesAfterMs[tries];
      if (waitMs === undefined) throw new Error(`an alert could not be delivered: ${failure}`);
      await new Promise<void>((resolve) => runtime.schedule(waitMs, resolve));
    }
  };

  /** Why it did not arrive; undefined where it did. Says nothing of what was answered. */
  async function tryOnce(id: string, body: string): Promise<string | undefined> {
    const headers = await signWebhook({ style: "standard", secrets, id, body });
    try {
      const answer = await send(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      await answer.body?.cancel();
      return answer.ok ? undefined : `status ${answer.status}`;
    } catch (error) {
      return error instanceof Error ? error.name : "no answer";
    }
  }
}

function readUrl(text: string): string {
  const fix = "Write the whole https address of the receiver.";
  if (!URL.canParse(text)) throw new OptionsError("The url of alertWebhook is no address.", fix);
  const { protocol, hostname, username, password } = new URL(text);
  const isPrivate = protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname));
  if (!isPrivate) throw new OptionsError("The url of alertWebhook is not https.", fix);
  if (username !== "" || password !== "")
    throw new OptionsError("The url of alertWebhook holds a credential.", "Leave it out; alerts are signed.");
  return text;
}
