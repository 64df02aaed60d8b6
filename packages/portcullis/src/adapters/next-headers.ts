import { defaults } from "../defaults.ts";
import { isBlank } from "../lib/blank.ts";
import { hardening } from "../lib/hardening.ts";
import { OptionsError } from "../lib/options-error.ts";
import { runtime } from "#runtime";

/** One rule of `headers()` in a `next.config`. */
export interface HeaderRule {
  readonly source: string;
  readonly headers: { key: string; value: string }[];
  readonly has?: { type: "header"; key: string; value: string }[];
  readonly missing?: { type: "host"; value: string }[];
}

export interface PortcullisHeadersOptions {
  /** The folder the catch-all stands in, as a public path without a `basePath`. Default `/api`. */
  readonly api?: string;
  /**
   * The pages' own Content-Security-Policy. Default {@link usualPagePolicy}. Null where the pages get theirs elsewhere,
   * such as one with a nonce from `proxy.ts`.
   */
  readonly pagePolicy?: string | null;
  /** Why the pages' usual policy lets eval run: `next dev`, where React asks for it. Refused in production. */
  readonly dangerouslyAllowEval?: string;
}

/**
 * A Content-Security-Policy that every page of the App Router works under, static ones too: nothing comes from other
 * origins, no other site frames the page. Next.js writes scripts into its pages, so inline scripts have to be allowed;
 * what is injected into a page runs. A policy with a nonce is stricter, and makes every page dynamic.
 *
 * @see https://nextjs.org/docs/app/guides/content-security-policy
 */
export const usualPagePolicy =
  "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; " +
  "font-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/**
 * Security headers for the answers that Next.js makes itself: pages, files, redirects, its own 404, 405 and 500.
 *
 *     // next.config.ts
 *     export default { poweredByHeader: false, headers: async () => portcullisHeaders() };
 *
 * Below the API they are the headers the API's own answers carry; Next.js sends a header that stands here once, in place
 * of the handler's, so that nothing is doubled. That is why nothing stands here that differs from answer to answer.
 * HSTS is sent where a proxy says https, and never for loopback names.
 *
 * @throws OptionsError where `dangerouslyAllowEval` has no reason, or NODE_ENV is production
 * @see OWASP ASVS 5.0 section 3.4
 */
export function portcullisHeaders({
  api = "/api",
  pagePolicy = usualPagePolicy,
  dangerouslyAllowEval,
}: PortcullisHeadersOptions = {}): HeaderRule[] {
  if (dangerouslyAllowEval !== undefined) demandDevelopment(dangerouslyAllowEval);
  const evals = dangerouslyAllowEval === undefined ? "" : " 'unsafe-eval'";
  const value = pagePolicy?.replace("script-src 'self'", `script-src 'self'${evals}`);
  const policy = value === undefined ? [] : [{ key: "content-security-policy", value }];
  return [
    { source: "/:path*", headers: [...ofPages.map((one) => ({ ...one })), ...policy] },
    // The last rule that matches wins, header by header.
    { source: `${api}/:path*`, headers: ofTheApi() },
    {
      source: "/:path*",
      has: [{ type: "header", key: "x-forwarded-proto", value: "https" }],
      missing: [{ type: "host", value: loopbackNames }],
      headers: [{ key: "strict-transport-security", value: defaults.hsts }],
    },
  ];
}

function demandDevelopment(reason: string): void {
  if (isBlank(reason)) throw new OptionsError("portcullisHeaders: dangerouslyAllowEval has no reason.", "Say why.");
  if (runtime.variable("NODE_ENV") !== "production") return;
  const fix = 'Say it for next dev alone: process.env.NODE_ENV === "production" ? {} : { dangerouslyAllowEval: "…" }.';
  throw new OptionsError("portcullisHeaders: what is injected into a page could call eval in production.", fix);
}

const ofPages = [
  { key: "x-content-type-options", value: "nosniff" },
  { key: "x-frame-options", value: "DENY" },
  { key: "referrer-policy", value: "strict-origin-when-cross-origin" },
  { key: "cross-origin-opener-policy", value: "same-origin" },
  { key: "cross-origin-resource-policy", value: "same-origin" },
] as const;

/** As `isLoopbackHost` reads them; Next.js compares what stands before the first colon, whole. */
const loopbackNames = "(?:localhost|127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}|\\[)";

function ofTheApi(): { key: string; value: string }[] {
  const pairs: { key: string; value: string }[] = [];
  for (let i = 0; i < hardening.length; i += 2) pairs.push({ key: hardening[i] ?? "", value: hardening[i + 1] ?? "" });
  return pairs;
}
