/** Subjects that are no account's are clients', which are configured, or of another issuer. */
export function isAccountId(subject: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(subject);
}
