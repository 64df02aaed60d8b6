/** Whether a password is among those everybody tries first; a real list stands behind `isBreached`. */
export function isCommon(password: string): boolean {
  const plain = password.normalize("NFC").toLowerCase();
  return /^(.)\1*$/u.test(plain) || common.some((word) => plain.startsWith(word));
}

const common = ["password", "123456789012", "qwertyuiop", "letmein", "iloveyou", "administrator"];
