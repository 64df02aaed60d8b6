import type { ProblemWriter } from "../gate.ts";
import { refusalPages } from "../lib/refusal-page.ts";

/**
 * Writes every refusal in one shape: an RFC 9457 problem with a stable code and our request id, and nothing that tells
 * how the server is made: every 500 is `internal`. The private reason stays in the record. Members of the application's
 * own that cannot be written cost these members only: the refusal stays what it is. A browser that opens a page, or sends a
 * form, is told the same in a page; a program never is.
 *
 * @see RFC 9457, OWASP ASVS 5.0 16.5.1
 */
export const errors: ProblemWriter = (api) => {
  const members = api.config.problem?.members;
  const writePage = refusalPages(api);

  return function writeProblem(x, refusal) {
    const { status, title } = refusal;
    if (refusal.body !== undefined) return refusal.body;
    const page = writePage?.(x, refusal);
    if (page !== undefined) return page;
    // Which of our own checks broke tells how the server is made; record and event have the code and the reason.
    const code = status === 500 ? "internal" : refusal.code;
    const own = { code, status, title, requestId: x.id };
    const places = refusal.errors === undefined ? {} : { errors: refusal.errors };
    if (members !== undefined) {
      try {
        return JSON.stringify({ ...members(own), type: "about:blank", ...own, ...places });
      } catch (error) {
        api.recorder.failed(error, { requestId: x.id, route: x.route?.name, stage: "problem.members" });
      }
    }
    return JSON.stringify({ type: "about:blank", ...own, ...places });
  };
};
