import type { Api } from "portcullis";

/**
 * The same API; the routes declared through it have no version, wherever that of the others stands: browsers, issuers and
 * clients of others know their paths, and RFC 8414 and RFC 8615 fix some of them.
 */
export function withoutVersion(api: Api): Api {
  const version = { none: "others know these paths" };
  return {
    ...api,
    route(policy, handler) {
      // Nothing of a policy depends on the type of its version.
      Reflect.apply(api.route, undefined, [{ version, ...policy }, handler]);
    },
  };
}
