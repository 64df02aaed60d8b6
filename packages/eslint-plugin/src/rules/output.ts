import { partsOf, sentBy } from "../response.ts";
import { isRawRow } from "../rows.ts";
import { defineRule } from "../rule.ts";

/** Rows that are sent as the database gave them. */
export const output = defineRule(
  "output",
  {
    row: {
      problem: "The row leaves as the database gave it, with every column it has and every one it will be given.",
      fix: "Name what may leave: SELECT id, name, or const { id, name } = row; in Portcullis, output: a schema.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const sent = sentBy(file, call);
      if (sent !== undefined && partsOf(file, sent.value).some((part) => isRawRow(file, part))) report(call, "row");
    },
  }),
);
