import { type Hole, withGates } from "../hole.ts";

/** "We only take JSON, a form cannot send that": it can, and a cookie goes along by itself. */
export const hole: Hole = {
  id: "csrf",
  wrong: "a cookie is enough, whichever page sent it",
  create: withGates({ csrf: () => undefined }),
};
