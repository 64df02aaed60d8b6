/** Who a credential proved. Handlers get it; it is frozen. */
export interface Caller {
  /** Who owns things: `sub` while one issuer is configured, otherwise what the verifier's `subject` option made of it. */
  readonly subject: string;
  /** The tenant this caller belongs to; undefined where the API has none. */
  readonly tenant: string | undefined;
  /** OAuth scopes the credential carries. */
  readonly scopes: readonly string[];
  /** Roles, from the policy's resolver or, where `rolesFromToken` says so, from the token. */
  readonly roles: readonly string[];
  /** How the caller was proved. */
  readonly proof: Proof;
}

/** How a caller was proved. */
export interface Proof {
  readonly kind: "jwt" | "api-keys" | "sessions" | "webhook-receive";
  /** Issuer of the token, or of another library's session; undefined for keys and for sessions of your own. */
  readonly issuer: string | undefined;
  /** Public id of the credential (`jti`, key id), never the credential; undefined where there is none. */
  readonly credentialId: string | undefined;
  /** The credential's own limit, where it has one: one of its kind's `rates`. */
  readonly rate?: string;
  /** True where the browser attaches the credential by itself: then the csrf gate applies. */
  readonly ambient: boolean;
  /** Verified claims of a token or what a session's resolver returned besides; for handlers that need more. */
  readonly claims: Readonly<Record<string, unknown>>;
}
