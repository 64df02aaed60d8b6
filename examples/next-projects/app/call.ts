/** What the API answered: what was asked for, or why not, in words for people. */
export type Answered = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

/**
 * One call of the API. The session travels in a cookie that no script can read, and the browser says by itself that it is
 * our own page that asks.
 */
export async function call(method: string, path: string, body?: unknown): Promise<Answered> {
  try {
    const response = await fetch(`/api${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (response.status === 204) return { ok: true, value: undefined };
    const value: unknown = await response.json();
    return response.ok
      ? { ok: true, value }
      : { ok: false, why: `${textIn(value, "title")} (${textIn(value, "code")})` };
  } catch {
    return { ok: false, why: "The server cannot be reached." };
  }
}

function textIn(value: unknown, name: string): string {
  const text: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof text === "string" ? text : "";
}
