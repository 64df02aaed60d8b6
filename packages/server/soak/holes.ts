/** The usual wrong versions of what an identity server does, each as one change of our own source. */
export interface Hole {
  /** Row of the checklist whose probe finds it. */
  readonly protection: "oauth";
  /** What is wrong, as somebody would have written it. */
  readonly name: string;
  /** File below `packages/server/src`. */
  readonly file: string;
  /** Stands there once; where it does not, nothing starts. */
  readonly right: string;
  readonly wrong: string;
}

export const holes: readonly Hole[] = [
  {
    protection: "oauth",
    name: "a code needs no PKCE",
    file: "identity/oauth/provider.ts",
    right: "pkce: { required: () => true }",
    wrong: "pkce: { required: () => false }",
  },
  {
    protection: "oauth",
    name: "a refresh token that was used is used again",
    file: "storage/refresh-tokens.ts",
    right: ".set({ successor: successor.hash, used_at: now, answer: successor.answer })",
    wrong: ".set({ used_at: now, answer: successor.answer })",
  },
  {
    protection: "oauth",
    name: "reuse of a refresh token is refused, and ends nothing",
    file: "identity/oauth/refresh-grant.ts",
    right: 'await options.endGrant(family.grant_id, "reused");',
    wrong: "",
  },
  {
    protection: "oauth",
    name: "a code works twice",
    file: "storage/oidc-payloads.ts",
    right: ".set({ consumed_at: at })",
    wrong: ".set({ consumed_at: null })",
  },
  {
    protection: "oauth",
    name: "redirect URIs are compared by their beginning",
    file: "identity/oauth/clients.ts",
    right: "if (registered.includes(uri)) return true;",
    wrong: "if (registered.some((one) => uri.startsWith(one))) return true;",
  },
  {
    protection: "oauth",
    name: "revoking a refresh token is answered, and does nothing",
    file: "identity/oauth/routes.ts",
    right: 'form: isAccessToken ? { ...body, token: "an access token" } : body,',
    wrong: 'form: { ...body, token: "an access token" },',
  },
];
