import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** One mail, plain text; neither `to` nor `subject` has a line break or another control character in it. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail. Rejecting is told to `onError` and to nobody else: what strangers see does not depend on it. */
export type SendMail = (mail: Mail) => void | Promise<void>;

/**
 * Sends nothing that could be read as more than one address or header.
 *
 * @returns sends through `send`; throws where it would have to send such a mail
 * @see OWASP ASVS 5.0 1.3.11
 */
export function plainMail(send: SendMail): SendMail {
  return (mail) => {
    if (/[\p{Cc}\u2028\u2029]/u.test(mail.subject) || /[\p{C}\p{Z},;<>]/u.test(mail.to)) {
      throw new Error("a mail was not sent: its subject or address is no plain text");
    }
    return send(mail);
  };
}

/** Prints mails, for development. */
export function mailToConsole(write: (text: string) => void = (text) => process.stderr.write(text)): SendMail {
  return (mail) => write(`\n--- mail to ${mail.to}: ${mail.subject}\n${mail.text}\n---\n`);
}

/** Appends mails to a file, one JSON object per line, readable by this user alone; for tests and development. */
export function mailToFile(path: string): SendMail {
  return async (mail) => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await appendFile(path, `${JSON.stringify(mail)}\n`, { mode: 0o600 });
  };
}
