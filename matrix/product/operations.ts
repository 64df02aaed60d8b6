import { accountOperations } from "./accounts.ts";
import { commentOperations } from "./comments.ts";
import type { Operation } from "./operation.ts";
import { otherOperations } from "./others.ts";
import { projectOperations } from "./projects.ts";

/** The whole product, as the plain variants serve it. */
export const operations: readonly Operation[] = [
  ...accountOperations,
  ...projectOperations,
  ...commentOperations,
  ...otherOperations,
];
