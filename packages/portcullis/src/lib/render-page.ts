import type { HtmlOutput, HtmlPage } from "../html.ts";
import { escapeHtml, Markup } from "./markup.ts";

/** Whether a handler's value is a page. */
export function isPage(value: unknown): value is HtmlPage {
  return (
    typeof value === "object" &&
    value !== null &&
    "title" in value &&
    typeof value.title === "string" &&
    "body" in value &&
    value.body instanceof Markup &&
    isTextOrNothing("lang" in value ? value.lang : undefined) &&
    isTextOrNothing("navigateTo" in value ? value.navigateTo : undefined)
  );
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

/**
 * Writes a whole document.
 *
 * @param nonce  unguessable and new for every answer; the one style sheet carries it
 */
export function renderPage(rule: HtmlOutput, page: HtmlPage, nonce: string): string {
  const { lang = "en", navigateTo } = page;
  const style = rule.style === undefined ? "" : `<style nonce="${nonce}">${rule.style}</style>`;
  const onward =
    navigateTo === undefined ? "" : `<meta http-equiv="refresh" content="0;url=${escapeHtml(navigateTo)}">`;
  return (
    `<!doctype html><html lang="${escapeHtml(lang)}"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">${onward}` +
    `<title>${escapeHtml(page.title)}</title>${style}</head><body>${page.body.toString()}</body></html>`
  );
}

/** What the page may load and do: nothing but its own style sheet and forms to its own host. @see CSP Level 3 */
export function pagePolicy(rule: HtmlOutput, nonce: string): string {
  const style = rule.style === undefined ? "" : `style-src 'nonce-${nonce}'; `;
  return `default-src 'none'; ${style}form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
}
