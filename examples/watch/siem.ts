import { type AuditSink, sinkTo } from "portcullis";

/**
 * Ships every record and event as NDJSON to a collector over https. A batch that does not arrive is lost for the
 * collector, and `onError` hears of it; keep a file beside it.
 *
 * @param url    the collector's address
 * @param token  its access token
 */
export function siemSink(url: string, token: string): AuditSink {
  return sinkTo("siem", async (batch) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson" },
      body: batch.text(),
      redirect: "error",
      signal: AbortSignal.timeout(5_000),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the collector answered ${answer.status}`);
  });
}
