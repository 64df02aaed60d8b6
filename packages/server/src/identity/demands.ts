import type { Around, Credential, Problem } from "portcullis";

/**
 * What stands in the way of a browser that goes to an address of ours on this API. Each would show only when somebody signs
 * in: an unknown host, a link that nothing answers.
 *
 * @param field  the option the address comes from
 */
export function addressProblems(around: Around, where: string, field: string, origin: string): readonly Problem[] {
  const { host, protocol } = new URL(origin);
  const problems: Problem[] = [];
  if (!around.serves(host)) {
    const fix = `Name it there, createApi({ hosts: ["${host}"] }), or write the address that browsers have in ${field}.`;
    problems.push({ where, field, problem: `${origin} is none of the hosts this API serves`, fix });
  }
  if (around.scheme !== undefined && protocol !== `${around.scheme}:`) {
    const fix =
      around.scheme === "http"
        ? "Give api.listen a certificate, or declare the proxy in front: proxies: { trusted, header }."
        : `Write https://${host}.`;
    problems.push({ where, field, problem: `${origin} cannot be reached: the API speaks ${around.scheme}`, fix });
  }
  return problems;
}

/** What keeps the session's cookie from proving anybody, or pages on another origin from hearing of it. */
export function sessionProblems(
  around: Around,
  where: string,
  credential: Credential,
  app: string | undefined,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (!around.credentials.includes(credential)) {
    const fix = "Name them there: createApi({ credentials: [identity.sessions().credential] }).";
    problems.push({ where, field: "credential", problem: "the API does not take the sessions that begin here", fix });
  }
  if (app !== undefined && !around.origins.includes(app)) {
    const fix = `Name it in both places: createApi({ origins: ["${app}"] }).`;
    problems.push({ where, field: "app", problem: `pages of ${app} may not read who is signed in`, fix });
  }
  return problems;
}
