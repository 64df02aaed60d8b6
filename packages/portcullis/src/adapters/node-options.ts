import { OptionsError } from "../lib/options-error.ts";
import type { ListenOptions } from "../listen.ts";

/**
 * Refuses options that make no sense before anything listens.
 *
 * @throws OptionsError naming the option and what it may be
 */
export function checkListenOptions(options: ListenOptions): void {
  // No environment switch weakens anything: with this one, keys would be fetched from whoever answers.
  if (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    throw new OptionsError(
      "NODE_TLS_REJECT_UNAUTHORIZED=0 switches off the check of outgoing certificates.",
      "Take it out of the environment; name a private authority with NODE_EXTRA_CA_CERTS.",
    );
  }
  const whole = (name: string, value: number | undefined, least: number, most: number): void => {
    if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
    throw new OptionsError(`${name} is ${value}.`, `Write a whole number from ${least} to ${most}.`);
  };
  if (options.minTls !== undefined && options.minTls !== "1.3" && options.minTls !== "1.2") {
    throw new OptionsError(
      `minTls is ${JSON.stringify(options.minTls)}.`,
      'Write "1.3" or "1.2"; nothing older is spoken.',
    );
  }
  whole("port", options.port, 0, 65_535);
  whole("healthPort", options.healthPort, 0, 65_535);
  whole("headersTimeoutMs", options.headersTimeoutMs, 1, 600_000);
  whole("sendTimeoutMs", options.sendTimeoutMs, 1, 3_600_000);
  whole("drainTimeoutMs", options.drainTimeoutMs, 0, 600_000);
  whole("maxConnections", options.maxConnections, 1, 1_000_000);
  whole("maxConnectionsPerAddress", options.maxConnectionsPerAddress, 1, 1_000_000);
  if (options.healthPort !== undefined && options.healthPort !== 0 && options.healthPort === options.port) {
    throw new OptionsError("healthPort is the API's own port.", "Give health answers a port of their own.");
  }
}
