import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** One mail, plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail. Rejecting is told to `onError` and to nobody else: what strangers see does not depend on it. */
export type SendMail = (mail: Mail) => void | Promise<void>;

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
