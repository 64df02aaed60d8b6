import { type Markup, markup } from "portcullis";
import { accountPaths } from "./paths.ts";

/** What ends each page of somebody who is signed in: back to the account, and out. @see OWASP ASVS 5.0 7.4.4 */
export function ownFooter(): Markup {
  return markup`<footer><a href="${accountPaths.account}">Back to your account</a>
<form method="post" action="${accountPaths.signOut}"><button class="link">Sign out</button></form></footer>`;
}
