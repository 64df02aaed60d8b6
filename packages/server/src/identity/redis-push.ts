import type { Push } from "./push.ts";

/** What is asked of a Redis client: the shape of an ioredis instance, so that the server depends on no client. */
export interface RedisPushClient {
  /** `ready` while commands are sent at once. */
  readonly status: string;
  publish(channel: string, message: string): Promise<unknown>;
  /** Another one like it: who listens on a connection can say nothing there. */
  duplicate(): RedisPushListener;
}

/** The connection that listens. */
export interface RedisPushListener {
  /** `wait` where nobody has told it to connect yet. */
  readonly status: string;
  on(event: "ready", listener: () => void): unknown;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  connect(): Promise<void>;
  subscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/**
 * Tells instances through Redis or Valkey, for `openIdentity({ push })`: where PostgreSQL is behind a pooler that gives
 * every transaction another connection, which has no LISTEN. Several installations may share a channel; it costs them a
 * read each.
 *
 * @param client  an ioredis instance: `new Redis(url)`; stays yours, and open
 * @param channel  default `portcullis:revocation`
 * @see https://redis.io/docs/latest/develop/pubsub/
 */
export function redisPush(client: RedisPushClient, channel = "portcullis:revocation"): Push {
  let isTelling = false;
  let isMore = false;

  function tell(): void {
    isMore = isTelling;
    // Not queued while Redis is gone: by the time it is back, everybody has looked.
    if (isTelling || client.status !== "ready") return;
    isTelling = true;
    void publish();
  }

  /** One message at a time, or a Redis that stands still would have them pile up here. */
  async function publish(): Promise<void> {
    await client.publish(channel, "").catch(() => {});
    isTelling = false;
    if (isMore) tell();
  }

  return {
    tell,
    listen(heard) {
      const listener = client.duplicate();
      // It connects again by itself.
      listener.on("error", () => {});
      listener.on("ready", () => void listener.subscribe(channel).catch(() => {}));
      listener.on("message", heard);
      if (listener.status === "wait") listener.connect().catch(() => {});
      return () => listener.disconnect();
    },
  };
}
