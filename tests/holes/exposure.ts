import { type Hole, withGates } from "../hole.ts";

/** `req.headers.authorization ?? req.query.access_token`: for the one client that could not set a header. */
export const hole: Hole = {
  id: "exposure",
  wrong: "a credential in the URL is as good as one in a header",
  create: withGates({
    exposure: () =>
      function takeTokenFromUrl(x) {
        const { access_token: token, ...query } = x.query;
        if (token === undefined) return undefined;
        x.query = query;
        x.headers = { ...x.headers, authorization: `Bearer ${token}` };
        return undefined;
      },
  }),
};
