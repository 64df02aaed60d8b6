/** What the policy of a wrapped route declares beside values. */
export interface Declared {
  /** Statuses of redirects; empty where there is none. */
  readonly redirects: ReadonlySet<number>;
  /** Statuses of 400 and above whose body is declared. */
  readonly refusals: ReadonlySet<number>;
  /** Whether its input has cookies. */
  readonly cookies: boolean;
}

/** Reads a policy, one that a program without types wrote too; what is wrong with it stops the start. */
export function declaredBy(policy: { readonly output?: unknown; readonly input?: unknown }): Declared {
  const redirects = new Set<number>();
  const refusals = new Set<number>();
  const { output, input } = policy;
  if (isRedirect(output)) redirects.add(303);
  else if (isObject(output) && !("kind" in output) && !("~standard" in output)) {
    for (const [key, rule] of Object.entries(output)) {
      const status = Number(key);
      if (isRedirect(rule)) redirects.add(status);
      else if (status >= 400) refusals.add(status);
    }
  }
  return { redirects, refusals, cookies: isObject(input) && "cookies" in input && input.cookies !== undefined };
}

function isRedirect(rule: unknown): boolean {
  return isObject(rule) && "kind" in rule && rule.kind === "redirect";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
