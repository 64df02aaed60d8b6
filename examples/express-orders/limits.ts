import type { ApiConfig } from "portcullis";

/** In seconds, so that a scan can prove them; production leaves them out and gets the presets. */
export const limits: NonNullable<ApiConfig["limits"]> = {
  global: "2000/s",
  address: "400/s",
  caller: "200/s",
  failures: "200/10s",
};
