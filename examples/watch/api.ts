import { alertWebhook, type Api, createApi, publicAccess, refuse, signIn } from "portcullis";
import { fileSink } from "portcullis/node";
import { z } from "zod";
import { sentryErrors } from "./sentry.ts";
import { siemSink } from "./siem.ts";

/** Where everything goes. */
export interface Destinations {
  /** File of records and events, one line of JSON each. */
  readonly file: string;
  readonly siem: { readonly url: string; readonly token: string };
  readonly alerts: { readonly url: string; readonly secret: string };
  readonly sentryDsn: string;
}

/** An API that is watched: a sign-in, and a route that fails. */
export function buildWatchedApi({ file, siem, alerts, sentryDsn }: Destinations): Api {
  const api = createApi({
    name: "watched",
    hosts: ["localhost"],
    credentials: [],
    audit: {
      sinks: [fileSink(file), siemSink(siem.url, siem.token)],
      onError: sentryErrors(sentryDsn),
      onEvent: (event) => {
        if (event.type === "signed-in") console.log(`account ${event.account} signed in from ${event.address}`);
      },
    },
    alerts: { deliver: alertWebhook(alerts) },
  });
  api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("whoever wants in has to come here"),
      input: { body: z.strictObject({ account: z.string().max(100), password: z.string().max(100) }) },
      output: z.strictObject({ welcome: z.boolean() }),
      startsSession: { account: "body.account" },
      limit: signIn("body.account"),
    },
    ({ body }) => (body.password === "correct horse" ? { welcome: true } : refuse("sign-in-failed", "wrong password")),
  );
  api.route(
    {
      path: "GET /v1/broken",
      access: publicAccess("shows where an error goes"),
      output: z.strictObject({ ok: z.boolean() }),
    },
    () => {
      throw new Error("the database is on fire");
    },
  );
  return api;
}
