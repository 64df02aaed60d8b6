/**
 * Every default in one place, each with its unit in its name. Safe when untouched.
 *
 * @see docs/protections for what each one answers
 */
export const defaults = Object.freeze({
  /** 100 KiB: larger than any form, smaller than a burden. */
  bodyMaxBytes: 102_400,
  bodyTimeoutMs: 30_000,
  headersMaxBytes: 16_384,
  headersTimeoutMs: 10_000,
  /** For an answer that does not fit into the system's buffers; a client that never reads it goes. */
  sendTimeoutMs: 30_000,
  targetMaxBytes: 8_192,
  queryMaxPairs: 100,
  jsonMaxDepth: 32,
  jsonMaxKeys: 1_000,
  /** Of an event whose sender was proved before it is parsed. */
  webhookMaxKeys: 10_000,
  handlerTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
  maxConnections: 10_000,
  /** A large office behind one address; forty such machines would be needed to take them all. */
  maxConnectionsPerAddress: 256,
  /** What is still read of a body nobody wanted, so that the client sees the answer. */
  lingerMaxBytes: 65_536,
  pageSize: 20,
  pageMax: 100,
  /** Highest `max` a route may declare: more is an export, not a page. */
  pageMaxHighest: 1_000,
  /** Highest `maxPage` a route may declare: the database counts through all that lies before. */
  pageDepthHighest: 1_000_000,
  validationErrorsMax: 20,
  userAgentMaxLength: 256,
  hsts: "max-age=31536000; includeSubDomains",
  preflightMaxAgeSeconds: 7_200,
  recordsFlushMs: 100,
  recordsBatch: 512,
  /** For an answer whose process may stop behind it, so that a sink that hangs does not stop the API. */
  recordsWaitMs: 2_000,
  /** For a sink to write what it was given; longer than an alert's tries. */
  recordsGiveUpMs: 60_000,
  limits: Object.freeze({
    global: "2000/s",
    address: "300/min",
    caller: "600/min",
    failures: "60/5min",
    unprovedShare: 0.5,
  }),
} as const);
