import type { ProblemWriter } from "../gate.ts";

/**
 * Writes every refusal in one shape: an RFC 9457 problem with a stable code and our request id, and nothing that tells
 * how the server is made. The private reason stays in the record.
 *
 * @see RFC 9457, OWASP ASVS 5.0 16.5.1
 */
export const errors: ProblemWriter = (api) => {
  const members = api.config.problem?.members;

  return function writeProblem(x, refusal) {
    const { code, status, title } = refusal;
    const own = { code, status, title, requestId: x.id };
    const more = members === undefined ? undefined : members(own);
    return JSON.stringify({
      ...more,
      type: "about:blank",
      ...own,
      ...(refusal.errors === undefined ? {} : { errors: refusal.errors }),
    });
  };
};
