/** What a hash costs: KiB, passes over them, lanes. */
export interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** 19 MiB, two passes, one lane: OWASP's smallest recommended setting for argon2id. Most tests take a smaller one. */
export const usual: Cost = { memory: 19_456, passes: 2, parallelism: 1 };
