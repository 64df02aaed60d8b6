import type { Check } from "./checks/found.ts";
import { nextCheck } from "./checks/next.ts";
import { sourceCheck } from "./checks/source.ts";

/** Every check of `portcullis check`, in the order in which it speaks. */
export const checks: readonly Check[] = [sourceCheck, nextCheck];
