import type { Sources } from "./describe.ts";
import type { Profile } from "./effort.ts";
import type { Planned } from "./estimate.ts";
import type { Identity } from "./identities.ts";
import type { OAuthClient } from "./oauth-client.ts";
import type { Selection } from "./plan.ts";
import type { Progress } from "./run.ts";
import type { WebhookSecret } from "./sign-delivery.ts";
import type { Account } from "./account.ts";
import type { SupabaseOptions } from "./supabase.ts";
import type { Verdict } from "./verdict.ts";

/** What to scan and as whom. */
export interface ScanOptions extends Selection, Sources {
  /**
   * Address of the target: `https://localhost:8443`. Only this machine is scanned, and hosts in `consent`; nothing else is
   * contacted. A path in it is where the operations of a plain description lie.
   */
  readonly url: string;
  /** Hosts besides this machine that their owner lets be attacked: `staging.example.com`. */
  readonly consent?: readonly string[];
  /** Who the scan can be. At least two callers without roles are needed to prove object-access. */
  readonly identities: readonly Identity[];
  /** File of users that sign in by themselves, in the format of the Web Fuzzing Commons. */
  readonly auth?: string;
  /** Roles by name, for users of `auth`. */
  readonly roles?: ReadonlyMap<string, readonly string[]>;
  /**
   * Register throwaway users where the description has an operation for it and fewer than two callers were given;
   * default true.
   */
  readonly register?: boolean;
  /** Accounts for sign-in probes; their passwords are tried wrongly, twice each. */
  readonly accounts?: readonly Account[];
  /** A test signing key (secret, PEM or JWK) for attacks on single claims; default: those are not tried. */
  readonly jwtKey?: string;
  /**
   * Webhooks, described or not, with how their senders sign and, so that stale and changed deliveries can be tried, their
   * secrets; their handlers run for what is honest.
   */
  readonly webhooks?: readonly WebhookSecret[];
  /**
   * Clients of the target's authorization server: the first one's flows are attacked, with the first account or a cookie
   * signed in; the second tries to use what is the first one's. Nothing is sent to their redirect addresses.
   */
  readonly oauth?: readonly OAuthClient[];
  /** A Supabase project whose tables strangers and users may reach beside the API; users are identities with its tokens. */
  readonly supabase?: SupabaseOptions;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Repeats the same values; default: a new one. */
  readonly seed?: number;
  /**
   * `quick`: one limit of each kind, few pairs of callers, short measurements of time. `full`: all of them. Both attack every
   * protection of every operation; default `quick`.
   */
  readonly profile?: Profile;
  /**
   * How long the scan may take to stay below the target's own limits, milliseconds; default the profile's: 10,000 where it
   * is quick, which is enough where limits count in seconds, and 30 minutes where it is full. A single wait of 15 s is always allowed, and no wait outlasts a token that expires.
   */
  readonly patienceMs?: number;
  /** Most requests in any second, bursts of the limiter probes among them; default: what the target's limits allow. */
  readonly rate?: number;
  /** Most requests of the whole scan; default 20,000. What is left then is inconclusive. */
  readonly budget?: number;
  /**
   * Most time of the whole scan, milliseconds, 1,000 .. 604,800,000 (7 days); default none. Then attacks stop, what was
   * created is deleted within ten seconds, and what is left is inconclusive. A request under way may take ten more.
   */
  readonly timeoutMs?: number;
  /** Called with what a person should know before it happens, a sentence each, once; the result's assumptions say it too. */
  readonly onWarning?: (line: string) => void;
  /** Called once, when it is known what the scan will do. */
  readonly onPlanned?: (planned: Planned) => void;
  /** Called after every check. */
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Called with every verdict as it falls, secrets redacted, so that a scan that is cut off has said what it knew. The
   * result may take some back: those whose identity turned out to be dead.
   */
  readonly onVerdict?: (verdict: Verdict) => void;
  /**
   * Ends the scan early: attacks stop, what was created is deleted within ten seconds, and the result says what is known
   * by then.
   */
  readonly signal?: AbortSignal;
}
