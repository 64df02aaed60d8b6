import { toNext } from "portcullis/next";
import { api } from "../../../lib/api.ts";

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = toNext(api);
