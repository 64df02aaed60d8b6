import { type HtmlPage, type Markup, type MarkupValue, markup } from "portcullis";

/** One sheet for every page: readable without images, fonts or scripts, in light and dark. */
export const style = `
:root{color-scheme:light dark;--ink:#1a1c20;--soft:#5b616b;--line:#c9ced6;--page:#f4f5f7;--card:#fff;--accent:#0b57d0;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a4abb6;--line:#474d57;--page:#15171a;--card:#1e2125;--accent:#8ab4f8;--bad:#f2b8b5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:24rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:2rem}
h1{margin:0 0 .25rem;font-size:1.375rem;line-height:1.25}
p{margin:.5rem 0;color:var(--soft)}
strong{color:var(--ink)}
form{display:grid;gap:1rem;margin:1.25rem 0 0}
label{display:grid;gap:.25rem;font-weight:600;font-size:.9375rem}
input{font:inherit;padding:.625rem .75rem;border:1px solid var(--line);border-radius:.5rem;background:transparent;color:inherit;width:100%}
button{font:inherit;font-weight:600;padding:.625rem 1rem;border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--card);cursor:pointer}
button.second{background:transparent;color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
a{color:var(--accent)}
ul{margin:.75rem 0 0;padding-left:1.25rem}
.problem{color:var(--bad);border-left:.25rem solid var(--bad);padding-left:.75rem;font-weight:600}
.hint{font-size:.875rem;font-weight:400;color:var(--soft)}
footer{margin-top:1.25rem;font-size:.9375rem}
`
  .trim()
  .replaceAll("\n", "");

/** A page with a heading, perhaps a problem, and what follows. */
export function page(title: string, body: MarkupValue, problem?: string): HtmlPage {
  // A screen reader says what went wrong first.
  const said = problem === undefined ? undefined : markup`<p class="problem" role="alert">${problem}</p>`;
  return {
    title: problem === undefined ? title : `Problem: ${title}`,
    body: markup`<main><h1>${title}</h1>${said}${body}</main>`,
  };
}

/** A page that goes on by itself; the link is for browsers that do not. */
export function onward(title: string, path: string): HtmlPage {
  return { ...page(title, markup`<p><a href="${path}">Continue</a></p>`), navigateTo: path };
}

/** A labelled field. */
export function field(label: string, input: Markup, hint?: string): Markup {
  return markup`<label>${label}${input}${hint === undefined ? undefined : markup`<span class="hint">${hint}</span>`}</label>`;
}
