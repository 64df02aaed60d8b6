/** A mistake that was thought of and is none, struck out before anything was run. */
export interface Struck {
  readonly id: string;
  readonly mistake: string;
  /** Why nothing is open then. */
  readonly why: string;
}

/** Equivalent mutants, most of them because the library does not start, or because a second gate holds. */
export const struck: readonly Struck[] = [
  { id: "portcullis/jwt-not-verified", mistake: "decode() in place of verify()", why: "there is no option for it" },
  {
    id: "portcullis/jwt-audience",
    mistake: "no audience",
    why: "does not start without `audience` or `authorizedParties`",
  },
  { id: "portcullis/jwt-issuer", mistake: "no issuer", why: "does not start without `issuer`" },
  { id: "portcullis/jwt-weak-secret", mistake: "the secret is 'secret'", why: "does not start under 256 bits" },
  {
    id: "portcullis/jwt-old-a-year",
    mistake: "tokens of a year ago",
    why: "does not start above 86400 s; a day is the mutant jwt-old",
  },
  {
    id: "portcullis/admin-read, role alone",
    mistake: "the role is taken off the route",
    why: "the answer's own rule (`everyOwner`) still asks for it: 500 and an event",
  },
  {
    id: "portcullis/project-list",
    mistake: "the handler returns everybody's rows",
    why: "foreign objects abort the answer: 500 and an event",
  },
  {
    id: "portcullis/comment-nested, `within` alone",
    mistake: "`within` is left out",
    why: "the comment's own rule asks for its project",
  },
  {
    id: "portcullis/unknown-fields",
    mistake: "a schema that is not strict",
    why: "does not start with an open object",
  },
  { id: "portcullis/long-strings", mistake: "a string without max", why: "does not start with an unbounded string" },
  { id: "portcullis/owner-from-body", mistake: "ownerId in the schema", why: "does not start: `serverSet` names it" },
  {
    id: "portcullis/sign-in-unlimited, no limit by account",
    mistake: "no `body.email` in the limit",
    why: "does not start: one account could be guessed from many addresses",
  },
  {
    id: "portcullis/scope-forgotten, anyCaller beside objectRole",
    mistake: "`any` beside a demand",
    why: "does not start: only one can be meant",
  },
  { id: "portcullis/webhook-stale", mistake: "a tolerance of a year", why: "does not start above the bound" },
  {
    id: "portcullis/cookie-*",
    mistake: "a session cookie without its flags",
    why: "`answer` offers no way to leave them out",
  },
  {
    id: "portcullis/no-csrf",
    mistake: "a proxy that strips Origin and Sec-Fetch-Site",
    why: "without both a cookie writes nothing: everybody is refused",
  },
  {
    id: "portcullis/no-hsts",
    mistake: "a proxy that strips HSTS",
    why: "the library sends none to loopback names, and nothing else is scanned here",
  },
  { id: "portcullis/foreign-is-403", mistake: "403 for what is foreign", why: "there is no option for it" },
  { id: "*/trailing-slash", mistake: "/v1/projects/ is /v1/projects", why: "the same handler behind the same guard" },
  {
    id: "*/key-found-by-hash",
    mistake: "the key is looked up by its SHA-256 without a constant-time compare",
    why: "256 random bits cannot be approached byte by byte through a hash",
  },
  {
    id: "*/expose-headers",
    mistake: "Access-Control-Expose-Headers: Location",
    why: "what it exposes to the one allowed origin is no secret",
  },
];
