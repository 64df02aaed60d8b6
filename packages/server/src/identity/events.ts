import type { Api } from "portcullis";

/** The request behind it, for the records; handlers have it as `request`. */
export interface Asker {
  readonly id: string;
  readonly address: string;
}

/** What every event may say. Never a token, a code, a secret or an e-mail address. */
interface About {
  /** An account's id, or a client's where it calls as itself; undefined where nobody was proved. */
  readonly subject?: string | undefined;
  /** Id of the client; undefined where there is none, or none of that name. */
  readonly client?: string | undefined;
  /** Undefined where the application did it by itself. */
  readonly request?: Asker | undefined;
  /** For people who operate the service. */
  readonly why?: string | undefined;
}

/** What happened to an account. */
export interface AccountEvent extends About {
  readonly type:
    | "signed-up"
    | "address-verified"
    | "address-requested"
    | "address-changed"
    | "password-changed"
    | "password-reset"
    | "account-disabled"
    | "account-enabled"
    | "account-deleted"
    | "signed-out-everywhere";
  readonly subject: string;
}

/** What happened to a browser's session: with the app, or at this server's own pages. */
export interface BrowserSessionEvent extends About {
  readonly type:
    | "session-started"
    | "session-renewed"
    | "session-ended"
    | "sign-in-refused"
    | "issuer-session-started"
    | "issuer-session-ended";
  /** Where the person signed in. */
  readonly issuer: string;
}

/** What happened to a permission, a code or a token. */
export interface OAuthEvent extends About {
  readonly type:
    | "consent-given"
    | "consent-refused"
    | "consent-withdrawn"
    | "authorization-refused"
    | "code-issued"
    | "code-redeemed"
    | "code-reused"
    | "token-issued"
    | "token-refreshed"
    | "token-refused"
    | "token-revoked"
    | "refresh-replayed"
    | "refresh-reused"
    | "client-refused";
}

/** What happened to an API key. */
export interface KeyEvent extends About {
  readonly type: "key-created" | "key-rotated" | "key-revoked";
  /** Whose key. */
  readonly subject: string;
  /** Id of the key; of the new one where one took the place of another. */
  readonly key: string;
}

/** What happened to everybody. */
export interface EverybodyEvent extends About {
  readonly type: "everything-ended";
}

/** Everything an identity server tells of: see docs/identity.md for what each means. */
export type IdentityEvent = AccountEvent | BrowserSessionEvent | OAuthEvent | KeyEvent | EverybodyEvent;

/** Hands events on, to the application's own `onEvent` and to the records of the APIs. */
export interface Teller<Event extends IdentityEvent> {
  tell(event: Event): void;
  /** From now on the records of this API have what is told. */
  mount(api: Api): void;
  /** Whether anybody hears of anything by now. */
  isHeard(): boolean;
}

/** @param onError  gets what `onEvent` throws: whoever hears of something does not undo it */
export function createTeller<Event extends IdentityEvent>(
  onEvent: ((event: Event) => void) | undefined,
  onError: (error: unknown) => void,
): Teller<Event> {
  const apis = new Set<Api>();
  return {
    tell(event) {
      try {
        onEvent?.(event);
      } catch (error) {
        onError(error);
      }
      const { type, subject, client, request } = event;
      const reason = reasonOf(event);
      for (const api of apis) api.tell({ type, subject, client, request, reason });
    },
    mount(api) {
      apis.add(api);
    },
    isHeard: () => onEvent !== undefined || apis.size > 0,
  };
}

function reasonOf(event: IdentityEvent): string | undefined {
  const facts = [...("key" in event ? [`key ${event.key}`] : []), ...(event.why === undefined ? [] : [event.why])];
  return facts.length === 0 ? undefined : facts.join(", ");
}
