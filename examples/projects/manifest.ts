import { buildProjectsApi } from "./api.ts";

/** The API as `portcullis manifest examples/projects/manifest.ts` reads it: built and never served. */
export const { api } = buildProjectsApi();
