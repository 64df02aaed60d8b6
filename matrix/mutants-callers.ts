import { type Mutant, mutant } from "./mutant.ts";

/** Mistakes about who calls and what they may do. One line each: what is broken, where, and how it came about. */
export const callerMutants = {
  "route-without-auth": mutant("authentication", "PEFH", "a new route was registered without the auth middleware", {
    "function-access": "over the library, a public route asks for no scope either",
    "rate-limit": "over the library, a route that proves nobody counts by address",
  }),
  "write-without-auth": mutant("authentication", "EH", "auth was put on the reads and forgotten on one POST"),
  "any-scheme": mutant("authentication", "EF", "authorization.split(' ')[1]: Basic and any other scheme pass"),
  "bare-token": mutant("authentication", "FH", "authorization.replace('Bearer ', ''): a token without a scheme passes"),
  "user-id-header": mutant("authentication", "H", "X-User-Id of the gateway that was to come is believed from anybody"),
  "auth-by-path-prefix": mutant(
    ["authentication", "canonical-request"],
    "E",
    "the auth middleware asks path.startsWith('/v1/reports'), the router ignores case",
    { versioning: "a spelling that nobody declared is answered" },
  ),
  "token-in-query": mutant(
    ["authentication", "exposure", "canonical-request"],
    "EF",
    "?access_token= is taken where the header is missing, for downloads",
  ),

  "jwt-not-verified": mutant("jwt", "EFH", "decode() in place of verify()", {
    authentication: "a token nobody signed gets in",
  }),
  "jwt-none": mutant("jwt", "EF", "the header's algorithm decides, and none is one", {
    authentication: "a token nobody signed gets in",
  }),
  "jwt-none-spelt": mutant("jwt", "H", "the list of refused algorithms holds 'none' and not 'nOnE'", {
    authentication: "a token nobody signed gets in",
  }),
  "jwt-key-confusion": mutant("jwt", "H", "the public key serves as HMAC secret when the header says HS256"),
  "jwt-embedded-key": mutant("jwt", "H", "the jwk in the token's own header is believed"),
  "jwt-empty-signature": mutant("jwt", "F", "the signature is compared over the length of what was sent"),
  "jwt-exp": mutant("jwt", "EFH", "ignoreExpiration was left from a test"),
  "jwt-no-exp": mutant("jwt", "EH", "a token without exp is good for ever"),
  "jwt-nbf": mutant("jwt", "H", "nbf is never read"),
  "jwt-audience": mutant("jwt", "EF", "tokens for any other service are taken"),
  "jwt-issuer": mutant("jwt", "FH", "the issuer is not looked at"),
  "jwt-type": mutant("jwt", "EF", "an ID token is taken for an access token"),
  "jwt-old": mutant("jwt", "PE", "a token from last month is good as long as its exp says so"),
  "jwt-weak-secret": mutant("jwt", "F", "the secret is 'secret'"),

  "key-in-query": mutant(
    ["api-keys", "exposure", "canonical-request"],
    "EH",
    "?api_key= is taken, for webhooks of others",
  ),
  "key-scope": mutant(["api-keys", "function-access"], "EFH", "a key's scopes are stored and never asked for"),
  "key-revoked": mutant("api-keys", "PFH", "revoking sets a column that the look-up does not read"),
  "key-prefix-only": mutant("api-keys", "EF", "the key is found by its id and its secret is not compared"),
  "key-shown-again": mutant(["output", "api-keys"], "E", "the list of keys shows the keys"),

  "cookie-script": mutant("sessions", "E", "the session cookie is not HttpOnly"),
  "cookie-insecure": mutant("sessions", "F", "the session cookie is not Secure, and so not __Host-"),
  "cookie-samesite": mutant("sessions", "H", "SameSite=None, because the app was on another domain once"),
  "session-fixation": mutant("sessions", "EH", "signing in keeps the session id that the browser brought"),
  "session-after-logout": mutant("sessions", "PFH", "signing out clears the cookie and not the session"),
  "session-guessable": mutant("sessions", "F", "session ids are counted up"),
  "sign-in-tells-user": mutant("sessions", "E", "'no such account' beside 'wrong password'"),
  "sign-in-status": mutant("sessions", "PFH", "404 for an unknown user, 401 for a wrong password"),
  "sign-in-timing": mutant("sessions", "PH", "the password is hashed only where the account exists"),

  "admin-read": mutant("function-access", "PEFH", "the list of users asks for a caller and for no role"),
  "admin-write": mutant("function-access", "PH", "the role is asked for on the page and not on the function"),
  "admin-by-header": mutant("function-access", "E", "X-Role: admin is believed"),
  "admin-by-query": mutant("function-access", "F", "?admin=true, which the console sends, is believed"),
  "scope-forgotten": mutant("function-access", "P", "a route asks for any caller where a scope was meant", {
    "api-keys": "a key that may not do it does it",
  }),

  "project-read": mutant("object-access", "PEFH", "the project is loaded by id and nobody asks whose it is"),
  "project-write": mutant("object-access", "PEF", "PATCH loads by id alone"),
  "project-delete": mutant("object-access", "FH", "DELETE loads by id alone"),
  "project-list": mutant("object-access", "EH", "the list has no WHERE owner"),
  "page-list": mutant("object-access", "F", "the second list, by page, has no WHERE owner"),
  "comment-nested": mutant("object-access", "EFP", "the project is checked, and the comment may be of another one"),
  "comment-create": mutant("object-access", "H", "a comment may be written into anybody's project"),
  "comments-by-query": mutant("object-access", "PEH", "?projectId= is filtered by and not checked"),
  "export-by-body": mutant("object-access", "PEF", "the project named in the body is not checked"),
  "foreign-is-403": mutant("object-access", "EFH", "403 for a foreign project beside 404 for a missing one"),
  "viewer-deletes": mutant(["object-access", "function-access"], "PH", "whoever may see a project may delete it"),
  "search-all": mutant("object-access", "F", "the search looks through everybody's projects"),
  "cursor-forged": mutant(
    ["pagination", "object-access"],
    "FH",
    "the cursor is base64 of the owner and an offset, believed",
  ),
  "key-of-others": mutant(["object-access", "api-keys"], "E", "any caller may revoke any key"),

  "owner-from-body": mutant("mass-assignment", "EFH", "{ ...defaults, ...req.body } on create", {
    input: "members that nobody declared have to pass to be merged",
  }),
  "role-from-body": mutant("mass-assignment", "EFH", "PATCH /v1/me merges the body into the user", {
    input: "members that nobody declared have to pass to be merged",
    "function-access": "whoever writes a role has it",
  }),
  "owner-by-patch": mutant("mass-assignment", "EH", "PATCH merges the body into the row", {
    input: "members that nobody declared have to pass to be merged",
  }),

  "raw-row": mutant("output", "EFH", "the row is returned as it is, with the deploy token"),
  "raw-rows": mutant("output", "PH", "the single view is right and the list is not"),
  "hash-in-answer": mutant("output", "EF", "the user's row, with the password's hash"),
} as const satisfies Record<string, Mutant>;
