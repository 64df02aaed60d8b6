import { type Hole, withGates } from "../hole.ts";

/** `res.status(500).json({ error: err.message, stack: err.stack })`: handy in development, and for whoever attacks. */
export const hole: Hole = {
  id: "errors",
  wrong: "the reason and the stack of what was thrown stand in the answer",
  create: withGates({
    errors: () =>
      function writeEverything(_x, refusal) {
        const cause = refusal.cause instanceof Error ? refusal.cause : new Error(refusal.reason);
        return JSON.stringify({ error: refusal.reason, stack: cause.stack });
      },
  }),
};
