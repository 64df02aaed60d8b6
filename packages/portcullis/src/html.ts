import type { RedirectAllowlist } from "./redirect.ts";
import type { Markup } from "./lib/markup.ts";

/** The answer is a page. */
export interface HtmlOutput {
  readonly kind: "html";
  /** One sheet of CSS for the page, sent inside it. */
  readonly style: string | undefined;
  /** Where the page may navigate on to by itself. */
  readonly navigatesTo: RedirectAllowlist;
}

/** What a handler returns for {@link html}. */
export interface HtmlPage {
  /** Plain text; escaped. */
  readonly title: string;
  readonly body: Markup;
  /** BCP 47; default `en`. */
  readonly lang?: string;
  /**
   * The browser goes on there at once, without a script; for the end of a sign-in, where a redirect would keep cookies
   * with SameSite=Strict away. Has to be on the rule's list.
   */
  readonly navigateTo?: string;
}

/**
 * The answer is a page, without scripts: markup whose every value is escaped, under a Content-Security-Policy that loads
 * and runs nothing but the one style sheet given here, lets forms go to this host alone, and is framed by nobody.
 *
 * @param options  `style`: CSS for the page, default none; `navigatesTo`: where `navigateTo` may point, default nowhere
 * @returns the rule; a value that is no page, or navigates elsewhere, is refused with `undeclared-output` (500)
 * @see CSP Level 3, OWASP ASVS 5.0 3.2.1, 3.4.3, 3.4.6 and 3.4.8
 */
export function html(options: { readonly style?: string; readonly navigatesTo?: RedirectAllowlist } = {}): HtmlOutput {
  return Object.freeze({ kind: "html", style: options.style, navigatesTo: options.navigatesTo ?? [] });
}
