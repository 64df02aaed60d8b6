import type { Generated } from "kysely";

/**
 * Every table, the same on SQLite and PostgreSQL. Times are Unix milliseconds, JSON and hashes (base64url) are text; a
 * secret is never stored, only its SHA-256 or what is encrypted under it.
 */
export interface Schema {
  account: AccountTable;
  mail_token: MailTokenTable;
  wrong_password: WrongPasswordTable;
  browser_session: BrowserSessionTable;
  sign_in: SignInTable;
  oidc_payload: OidcPayloadTable;
  refresh_family: RefreshFamilyTable;
  refresh_token: RefreshTokenTable;
  api_key: ApiKeyTable;
  revocation: RevocationTable;
  signing_key: SigningKeyTable;
  client: ClientTable;
  setting: SettingTable;
  waiting_event: WaitingEventTable;
}

/** Who can sign in. */
export interface AccountTable {
  /** UUID. */
  id: string;
  /** As it was typed. */
  email: string;
  /** NFC and case-folded; unique. */
  email_key: string;
  /** argon2id in PHC form; null where the account has no password. */
  password: string | null;
  /** JSON list. */
  roles: string;
  created_at: number;
  verified_at: number | null;
  disabled_at: number | null;
  /** Grows with everything that ends all sessions and tokens at once. */
  epoch: number;
}

/** What was sent by mail, once usable. */
export interface MailTokenTable {
  /** SHA-256 of the token. */
  hash: string;
  /** Null where it was asked for an address nobody has: written all the same, and opens nothing. */
  account_id: string | null;
  purpose: "verify" | "reset" | "email";
  /** The address it was sent to. */
  email: string;
  expires_at: number;
}

/** How often a wrong password was given for an address of late. */
export interface WrongPasswordTable {
  /** SHA-256 of the address as it is compared; whether anybody has it does not matter. */
  hash: string;
  count: number;
  last_at: number;
}

/** A signed-in browser; its tokens stay here. */
export interface BrowserSessionTable {
  /** SHA-256 of the cookie's value. */
  hash: string;
  /** Issuer and subject. */
  issuer: string;
  subject: string;
  /** JSON: tokens, claims; encrypted under a key derived from the cookie's value. */
  sealed: string;
  created_at: number;
  seen_at: number;
  idle_expires_at: number;
  expires_at: number;
  ended_at: number | null;
  /** First 200 characters. */
  user_agent: string | null;
  /** Grows with every renewal of the tokens. */
  version: number;
  /** Whoever renews the tokens has until then; null while nobody does. */
  renewing_until: number | null;
  /** The session at the issuer that it began in, as its tokens name it; null where the issuer is elsewhere. */
  issuer_session: string | null;
  /** What its tokens were given under, where the issuer is ours: it ends with the session. Null in older rows. */
  grant_id: string | null;
}

/** A sign-in that came back, so that it cannot come back again. */
export interface SignInTable {
  /** SHA-256 of its state. */
  hash: string;
  /** When its cookie opens no more. */
  expires_at: number;
}

/** What oidc-provider keeps: sessions, interactions, grants, codes. */
export interface OidcPayloadTable {
  /** `Session`, `Interaction`, `Grant`, `AuthorizationCode`, … */
  model: string;
  /** SHA-256 of its id where the id is a secret. */
  hash: string;
  /** JSON; encrypted under a key derived from its id where the id is a secret. */
  payload: string;
  grant_id: string | null;
  account_id: string | null;
  client_id: string | null;
  expires_at: number | null;
  consumed_at: number | null;
  /** Of a session, as tokens name it. */
  session_name: string | null;
}

/** All refresh tokens that followed from one authorization. */
export interface RefreshFamilyTable {
  id: string;
  grant_id: string;
  account_id: string;
  client_id: string;
  created_at: number;
  /** When a token of it last changed hands. */
  used_at: number;
  /** Absolute; rotation never moves it. */
  expires_at: number;
  revoked_at: number | null;
  revoked_why: string | null;
  /** How tokens call the session at this server it began in; null in older rows. */
  session: string | null;
  /** How often a token of it changed hands. */
  renewals: Generated<number>;
}

/** One refresh token. */
export interface RefreshTokenTable {
  /** SHA-256 of the token. */
  hash: string;
  family_id: string;
  /** JSON: what it stands for, without the token itself. */
  payload: string;
  created_at: number;
  idle_expires_at: number;
  /** Hash of the one that took its place; null while it is unused. */
  successor: string | null;
  used_at: number | null;
  /** The answer that was given for it, encrypted under a key derived from the token itself. */
  answer: string | null;
  replays: number;
}

/** As `ApiKeyRecord` of the library. */
export interface ApiKeyTable {
  id: string;
  hash: string;
  subject: string;
  tenant: string | null;
  /** JSON list. */
  scopes: string;
  /** How often it may be used, such as `60/min`; null for no limit of its own. */
  rate: string | null;
  name: string;
  environment: string;
  display_prefix: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
  replaced_by: string | null;
  /** Application whose token asked for it, and with which it ends; null where a person or a program of the service did. */
  client_id: string | null;
}

/** What was taken back; every instance holds those that have not run out. */
export interface RevocationTable {
  seq: Generated<number>;
  kind: "jti" | "grant" | "session" | "user" | "epoch" | "api-key";
  /** What is revoked; for `epoch` empty. */
  value: string;
  /** Tokens issued up to then are revoked. */
  revoked_at: number;
  /** When nothing it could revoke is alive any more. */
  expires_at: number;
}

/** A key that signs tokens. */
export interface SigningKeyTable {
  kid: string;
  /** Id of the key whose place it takes, empty for the first; unique, so that a key has one successor. */
  follows: string;
  algorithm: "EdDSA" | "ES256";
  /** Private JWK, encrypted under the installation's key. */
  sealed: string;
  /** Public JWK. */
  public: string;
  created_at: number;
  /** Signs from then on, so that every verifier has had time to fetch it. */
  signs_from: number;
  /** Signs no more from then on. */
  retires_at: number;
  /** Leaves the key set. */
  expires_at: number;
}

/** An OAuth client. */
export interface ClientTable {
  id: string;
  /** JSON, as RFC 7591 names the members; a secret stands there as its hash. */
  metadata: string;
  created_at: number;
}

/** What servers say of themselves, for commands that open the same store. */
export interface SettingTable {
  name: string;
  /** JSON. */
  value: string;
}

/** What somebody did beside the servers, until one of them has told it. */
export interface WaitingEventTable {
  seq: Generated<number>;
  /** JSON. */
  event: string;
}
