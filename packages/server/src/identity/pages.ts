import { type HtmlPage, type Markup, type MarkupValue, markup } from "portcullis";

/** One sheet for every page: readable without images, fonts or scripts, in light and dark. */
export const style = `
:root{color-scheme:light dark;--ink:#1a1c20;--soft:#545b66;--line:#868e9b;--faint:#dfe3e8;--page:#f4f5f7;--card:#fff;--accent:#0b57d0;--on-accent:#fff;--bad:#b3261e;--good:#146c2e}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#b0b7c2;--line:#7d8591;--faint:#363b43;--page:#15171a;--card:#1e2125;--accent:#8ab4f8;--on-accent:#10213c;--bad:#f2b8b5;--good:#8fd6a3}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem 1rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:26rem;background:var(--card);border:1px solid var(--faint);border-radius:.75rem;padding:clamp(1.25rem,6vw,2rem);overflow-wrap:anywhere}
main:has(li.row){max-width:34rem}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}
h2{margin:1.75rem 0 .25rem;font-size:.875rem;line-height:1.3;color:var(--soft)}
p{margin:.5rem 0;color:var(--soft)}
strong{color:var(--ink);unicode-bidi:isolate}
form{display:grid;gap:1rem;margin:1.25rem 0 0}
.field{display:grid;gap:.25rem}
label{font-weight:600;font-size:.9375rem}
input{font:inherit;min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--line);border-radius:.5rem;background:transparent;color:inherit;width:100%}
input[readonly]{text-overflow:ellipsis;border-color:var(--faint);background:var(--page);color:var(--soft)}
button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1rem;border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--on-accent);cursor:pointer}
button:hover{filter:brightness(1.08)}
a.button{display:block;margin-top:1.25rem;padding:.5rem 1rem;min-height:2.75rem;line-height:1.625rem;border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--on-accent);font-weight:600;text-align:center;text-decoration:none}
button.second{background:transparent;color:var(--accent)}
button.link{min-height:1.5rem;padding:0;border:0;background:transparent;color:var(--accent);font-weight:400;text-decoration:underline;text-underline-offset:.15em}
button.danger{background:var(--bad);border-color:var(--bad);color:var(--card)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
a{color:var(--accent);text-underline-offset:.15em}
a.danger{color:var(--bad)}
ul{margin:.75rem 0 0;padding-left:1.25rem}
ul.plain{margin:0;padding:0;list-style:none}
ul.plain li{padding:.625rem 0;border-top:1px solid var(--faint)}
ul.plain li:first-child{border-top:0}
li.row{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;justify-content:space-between}
li.row div{flex:1 1 11rem}
li.row form{margin:0}
li.row button{min-width:6rem;min-height:2.25rem;padding:.25rem .75rem;border-color:var(--line);color:var(--ink);font-size:.875rem;font-weight:500}
time{white-space:nowrap}
ul.plain a,p>a:only-child{display:inline-block;min-height:1.5rem}
.problem,.done{margin:.75rem 0}
.problem{color:var(--bad);border-left:.25rem solid var(--bad);padding-left:.75rem;font-weight:600}
.done{color:var(--good);border-left:.25rem solid var(--good);padding-left:.75rem;font-weight:600}
.hint{margin:0;font-size:.875rem;color:var(--soft)}
main>.hint{margin-top:1rem}
footer{display:flex;flex-wrap:wrap;align-items:baseline;gap:.5rem 1.25rem;margin-top:1.5rem;font-size:.9375rem}
footer form{margin:0}
`
  .trim()
  .replaceAll("\n", "");

/** A day as people write it to each other across borders. @param ms  Unix milliseconds */
export function day(ms: number): Markup {
  const iso = new Date(ms).toISOString();
  return markup`<time datetime="${iso}">${iso.slice(0, 10)}</time>`;
}

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

/**
 * Where somebody types an address. Not of the type that browsers have for it: they let nobody send one with a letter beyond
 * ASCII before the @, and write domains in another way than they were typed.
 */
export function emailField(value = ""): Markup {
  return markup`<div class="field"><label for="email">E-mail address</label>
<input id="email" name="email" type="text" inputmode="email" autocapitalize="none" autocomplete="username" required maxlength="254" spellcheck="false" value="${value}"></div>`;
}

/** Where somebody types another address for the account. */
export function newEmailField(value = ""): Markup {
  return markup`<div class="field"><label for="newEmail">New e-mail address</label>
<input id="newEmail" name="newEmail" type="text" inputmode="email" autocapitalize="none" autocomplete="email" required maxlength="254" spellcheck="false" value="${value}"></div>`;
}

/** Whose password is asked for; password managers look for it, and it goes along so that wrong ones are counted for it. */
export function ownAddressField(value: string): Markup {
  return markup`<div class="field"><label for="email">Your account</label>
<input id="email" name="email" type="text" inputmode="email" autocapitalize="none" autocomplete="username" readonly value="${value}"></div>`;
}

/** Where the present password goes. */
export function passwordField(label = "Password"): Markup {
  return markup`<div class="field"><label for="password">${label}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"></div>`;
}

/** Where a new password goes. It may be pasted and made up by a program; nothing is asked of it but its length. */
export function newPasswordField(label: string, name: "password" | "newPassword"): Markup {
  return markup`<div class="field"><label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="password" autocomplete="new-password" required minlength="12" maxlength="1024" aria-describedby="${name}-hint">
<p class="hint" id="${name}-hint">At least 12 characters. A few words in a row are easy to remember.</p></div>`;
}
