/** Bounds of {@link fetchBounded}. */
export interface FetchBounds {
  /** For everything together, headers and body. */
  readonly timeoutMs: number;
  /** Most body bytes, counted after decompression as they arrive. */
  readonly maxBytes: number;
}

/**
 * Fetches a small document from a configured URL: only a 200 counts, no redirect is followed, nothing of ours is sent
 * along, and a body that is slow or large is given up at the bound.
 *
 * @returns the body's bytes
 * @throws Error with a short reason, its `cause` kept
 */
export async function fetchBounded(
  send: typeof fetch,
  url: string,
  accept: string,
  { timeoutMs, maxBytes }: FetchBounds,
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    // `manual` and not `error`: a runtime that cannot refuse redirects by itself still shows us the 3xx.
    const response = await send(url, { headers: { accept }, redirect: "manual", credentials: "omit", signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the answer was ${response.status}`);
    }
    return await readBody(response, maxBytes);
  } catch (cause) {
    if (signal.aborted) throw new Error(`no answer within ${timeoutMs} ms`, { cause });
    throw cause;
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      throw new Error(`the answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
