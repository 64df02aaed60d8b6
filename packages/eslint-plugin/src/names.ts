/** Names of values that open something; `tokenCount`, `csrfToken` and `passwordHint` do not. */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll("-", "_");
  if (/csrf|xsrf|public/.test(words)) return false;
  return /(^|_)(password|passwd|passphrase|secret|token|api_?key|private_?key|jwt|authorization|credentials?|session_?id)$/.test(
    words,
  );
}

/** Names of settings that hold a secret, such as JWT_SECRET or DATABASE_URL. */
export function isSecretSetting(name: string): boolean {
  if (/^(NEXT_PUBLIC|VITE|PUBLIC)_|_PUBLIC_|CSRF/.test(name)) return false;
  return /(SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|SECRET_?KEY|DATABASE_URL|CREDENTIALS?)$/.test(name);
}
