import type { ProtectionId } from "portcullis/checklist";

/** The reference APIs: over our library, and plain. */
export const variants = ["portcullis", "express", "fastify", "hono"] as const;

export type Variant = (typeof variants)[number];

/** One mistake, and what a scan of an API that makes it should say. */
export interface Mutant {
  /** The row of the checklist that is broken; where the promise stands in two rows, either one is right. */
  readonly expects: readonly [ProtectionId, ...ProtectionId[]];
  /** The variants that can make the mistake. */
  readonly variants: readonly Variant[];
  /** The mistake as somebody would tell it. */
  readonly mistake: string;
  /** Rows that are broken with it and cannot be otherwise, each with the reason. They count neither way. */
  readonly also: Readonly<Partial<Record<ProtectionId, string>>>;
}

/**
 * A row of the table of mutants.
 *
 * @param expects   one protection, or several separated by spaces where the promise stands in several rows
 * @param letters   P, E, F, H: Portcullis, Express, Fastify, Hono
 */
export function mutant(
  expects: ProtectionId | readonly [ProtectionId, ...ProtectionId[]],
  letters: string,
  mistake: string,
  also: Mutant["also"] = {},
): Mutant {
  const ids: readonly [ProtectionId, ...ProtectionId[]] = typeof expects === "string" ? [expects] : expects;
  return {
    expects: ids,
    variants: variants.filter((one) => letters.includes(one.charAt(0).toUpperCase())),
    mistake,
    also,
  };
}
