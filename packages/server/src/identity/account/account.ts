import type { Api } from "portcullis";
import { mountAddressPages } from "./address.ts";
import { mountAccountJson } from "./json.ts";
import { mountKeyPages } from "./keys.ts";
import { mountMailedPages } from "./mailed-pages.ts";
import { mountOwnPages } from "./own-pages.ts";
import type { AccountPagesOptions } from "./paths.ts";
import { mountPlaces } from "./places.ts";
import { mountSignUp } from "./sign-up.ts";

/** Everything a person does with an account, as pages without scripts and for pages of others in JSON. */
export function mountAccountPages(api: Api, options: AccountPagesOptions): void {
  mountSignUp(api, options);
  mountMailedPages(api, options);
  mountOwnPages(api, options);
  mountAddressPages(api, options);
  mountKeyPages(api, options);
  mountPlaces(api, options);
  mountAccountJson(api, options);
}
