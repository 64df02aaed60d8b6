/** More than any metadata, key set or token answer has, bytes. */
const mostBytes = 1_048_576;

interface Asked {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: URLSearchParams | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A fetch whose answers end: an issuer that sends without end would fill this process. Never follows a redirect. */
export function boundedFetch(fetched: typeof fetch) {
  return async (url: string, init: Asked): Promise<Response> => {
    const { method, headers: sent, body, signal } = init;
    const response = await fetched(url, {
      method,
      headers: sent,
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.body === null) return response;
    let bytes = 0;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          bytes += chunk.byteLength;
          if (bytes > mostBytes) controller.error(new Error(`${url} answers with more than ${mostBytes} bytes`));
          else controller.enqueue(chunk);
        },
      }),
    );
    const { status, statusText, headers } = response;
    return new Response(counted, { status, statusText, headers });
  };
}
