import { member, textAt } from "../member.ts";
import type { NextConfigFacts } from "../next-facts.ts";

/** Something a next.config says that weakens the API. */
export interface ConfigMistake {
  /** The option, to find its line by. */
  readonly option: string;
  readonly protection: string;
  readonly problem: string;
  readonly fix: string;
}

/**
 * What a next.config does to answers before they leave. `headers()` wins over a handler's own headers, so a rule for all
 * paths reaches the API's answers too.
 *
 * @param below  the public paths of the API without `basePath`, such as `/api`
 */
export function configMistakes(config: NextConfigFacts, below: readonly string[]): readonly ConfigMistake[] {
  const found: ConfigMistake[] = [];
  const add = (option: string, protection: string, problem: string, fix: string): void => {
    found.push({ option, protection, problem, fix });
  };
  if (config.poweredByHeader) {
    add(
      "poweredByHeader",
      "security-headers",
      "Every answer names Next.js in X-Powered-By.",
      "Say poweredByHeader: false.",
    );
  }
  if (config.trailingSlash) {
    const fix = "Leave trailingSlash out, or add skipTrailingSlashRedirect: true.";
    add(
      "trailingSlash",
      "canonical-request",
      "Every call of the API is redirected to a path that it does not have.",
      fix,
    );
  }
  if (config.output === "export") {
    add("output", "authentication", "An export has no server, so there is no API.", 'Leave out output: "export".');
  }
  for (const root of below) found.push(...headerMistakes(config.headers ?? [], root));
  return found;
}

function headerMistakes(rules: readonly unknown[], root: string): readonly ConfigMistake[] {
  const found: ConfigMistake[] = [];
  const last = new Map<string, { readonly value: string; readonly source: string }>();
  for (const rule of rules) {
    const source = textAt(rule, "source") ?? "";
    const headers: unknown = member(rule, "headers");
    if (!mayReach(source, root) || !Array.isArray(headers)) continue;
    for (const header of headers) {
      last.set((textAt(header, "key") ?? "").toLowerCase(), { value: textAt(header, "value") ?? "", source });
    }
  }
  for (const [key, { value, source }] of last) {
    if (expected.has(key) && expected.get(key) !== value) {
      found.push({
        option: "headers",
        protection: "security-headers",
        problem: `${key} of ${source} takes the place of the API's own.`,
        fix: "Spread portcullisHeaders() after your own rules: the last rule that matches wins.",
      });
    } else if (key.startsWith("access-control-")) {
      found.push({
        option: "headers",
        protection: "cors",
        problem: `${key} of ${source} lets other sites read the API's answers, whatever its origins are.`,
        fix: "Take it out, and name the sites in createApi({ origins }).",
      });
    } else if (key === "cache-control") {
      found.push({
        option: "headers",
        protection: "security-headers",
        problem: `cache-control of ${source} takes the place of the API's no-store.`,
        fix: "Name the paths of your pages and files in its source.",
      });
    }
  }
  if (!last.has("content-security-policy")) {
    found.push({
      option: "headers",
      protection: "security-headers",
      problem: "What Next.js answers by itself, such as 404, 405 and 500, has no security headers.",
      fix: 'Say headers: async () => portcullisHeaders(), from "portcullis/next".',
    });
  }
  return found;
}

/** What `portcullisHeaders()` says below the API, which is what its own answers say. */
const expected: ReadonlyMap<string, string> = new Map([
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
]);

/** Whether a source may match a path of the API: what stands before its first parameter leads there. */
function mayReach(source: string, root: string): boolean {
  const fixed = source.split(/[:(*{]/)[0] ?? "";
  return fixed === source
    ? source === root || source.startsWith(`${root}/`)
    : `${root}/`.startsWith(fixed) || fixed.startsWith(`${root}/`);
}
