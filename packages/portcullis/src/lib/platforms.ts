/** Places that run a program behind a front of their own, under the names users write in `proxies`. */
export type PlatformName = "vercel" | "cloudflare" | "fly" | "render" | "railway" | "aws-lambda";

/** What a platform's front writes, and how a program knows that it stands behind it. */
export interface Platform {
  /** The header with the client's address that the front overwrites, or whose last entry it writes. */
  readonly header: string;
  /**
   * Environment variables that the platform sets. Where none of them is there, the program runs elsewhere, anybody can
   * write the header, and the start is refused. Empty where the platform sets none and {@link agent} tells.
   */
  readonly marks: readonly string[];
  /** What the platform's own runtime calls itself in `navigator.userAgent`, where that is its mark. */
  readonly agent?: string;
  /** Whether a process may stop after each answer, so that records must be written before it. */
  readonly freezes: boolean;
}

/**
 * The platforms by name. Each has been read in its own documentation; none of them lets a client reach the program
 * except through its front, and each says in X-Forwarded-Proto how the client came.
 */
export const platforms: Readonly<Record<PlatformName, Platform>> = Object.freeze({
  // X-Real-IP and X-Forwarded-For are overwritten, one address each. The region is set where a function runs and nowhere
  // else; `VERCEL` itself is copied to other machines with the project's variables.
  vercel: { header: "x-real-ip", marks: ["VERCEL_REGION"], freezes: true },
  // Workers: set by the edge that took the connection. A server of one's own behind Cloudflare is no Worker: it can be
  // reached directly, so its start is refused; it names Cloudflare's networks as `trusted`.
  cloudflare: { header: "cf-connecting-ip", marks: [], agent: "Cloudflare-Workers", freezes: true },
  fly: { header: "fly-client-ip", marks: ["FLY_APP_NAME"], freezes: false },
  // Every service stands behind Cloudflare, which overwrites this one; X-Forwarded-For ends in Cloudflare's own address.
  render: { header: "cf-connecting-ip", marks: ["RENDER"], freezes: false },
  railway: { header: "x-real-ip", marks: ["RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID"], freezes: false },
  // API Gateway and function URLs write the last entry; what stands before it is the client's own.
  "aws-lambda": { header: "x-forwarded-for", marks: ["AWS_LAMBDA_FUNCTION_NAME"], freezes: true },
});

/** Whether this is one of the names. */
export function isPlatform(value: unknown): value is PlatformName {
  return typeof value === "string" && Object.hasOwn(platforms, value);
}
