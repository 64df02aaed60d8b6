/** The smallest change that closes a hole, for our library and for the frameworks without it. */
export interface Fix {
  /** What to change, in one or two sentences, whatever the framework. */
  readonly summary: string;
  readonly portcullis: string;
  readonly express: string;
  readonly fastify: string;
  readonly hono: string;
  /** A route handler of the App Router. */
  readonly next: string;
}

/** Where a fix is for, and what to call it. */
export const fixTargets = [
  ["portcullis", "Portcullis"],
  ["express", "Express"],
  ["fastify", "Fastify"],
  ["hono", "Hono"],
  ["next", "Next.js"],
] as const satisfies readonly (readonly [keyof Fix, string])[];
