/** What is wrong with the target's TLS, in a sentence that says what to change; undefined for any other failure. */
export function certificateProblem(error: NodeJS.ErrnoException): string | undefined {
  const code = error.code ?? "";
  if (/^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_)/.test(code)) {
    return `the target's certificate is not trusted (${code}); pass its authority with --ca <file>`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the target's certificate is for another name: ${error.message}`;
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return `the target does not speak TLS on this port (${code}); is the URL http:// ?`;
  return undefined;
}
