import { type Answer, headerOf, isSuccess } from "./answer.ts";
import type { CookieJar } from "./cookie-jar.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Fetcher, Outgoing } from "./fetcher.ts";
import type { Header } from "./identities.ts";
import { type Button, type Field, type Form, formsIn, refreshesIn } from "./html-forms.ts";
import { outcome } from "./objects.ts";
import type { Redactor } from "./redact.ts";
import type { Account } from "./account.ts";

/** Where a browser came to that followed an authorization request. */
export type Arrival = Responded | Stopped;

/** What a browser takes of the scan. */
export interface Browser {
  send(leg: Leg, outgoing: Outgoing): Promise<Trial>;
  readonly redactor: Redactor;
  readonly fetcher: Pick<Fetcher, "url">;
}

/** The authorization response: somebody is sent to a redirect address. Nothing is ever sent there. */
export interface Responded {
  readonly kind: "response";
  /** The address as the server wrote it. */
  readonly location: string;
  /** Its parameters, wherever they stood. */
  readonly params: URLSearchParams;
  /** Where they stood; `form` is a page that sends itself. */
  readonly where: "query" | "fragment" | "form";
  readonly trials: readonly Trial[];
}

/** The way ended before that. */
export interface Stopped {
  readonly kind: "stopped";
  /**
   * `refused`: the server's own error page; `stuck`: it wants something the scan cannot give, or is out of order;
   * `arrived`: the path it was to go to has answered.
   */
  readonly as: "refused" | "stuck" | "arrived";
  readonly why: string;
  readonly trials: readonly Trial[];
}

/** Somebody at a browser. */
export interface Person {
  readonly jar: CookieJar;
  /** Fills in sign-in forms; undefined leaves them. */
  readonly account: Account | undefined;
}

/** Requests of one way at most: a sign-in in two steps, a consent and the redirects between take eleven. */
const mostSteps = 16;

/** What marks the authorization response among all redirects: its state, or where it leads if the state is lost. */
interface Mark {
  readonly state: string;
  readonly redirect: string | undefined;
}

function isResponse(params: URLSearchParams, to: URL, { state, redirect }: Mark): boolean {
  if (!["code", "error", "access_token", "id_token"].some((name) => params.has(name))) return false;
  if (params.get("state") === state) return true;
  if (redirect === undefined) return false;
  const known = new URL(redirect);
  return to.origin === known.origin && to.host === known.host && to.pathname === known.pathname;
}

/**
 * Follows an authorization request as a browser does: redirects inside the target, a sign-in form, a consent form. It
 * stops at the authorization response and sends nothing to where that leads.
 *
 * @param target  the authorization request, path and query
 * @param state   the state it carries
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function browse(
  context: Browser,
  server: { isHere(to: URL): boolean },
  person: Person,
  request: {
    readonly target: string;
    readonly state: string;
    /** Where the answer is expected. */
    readonly redirect?: string;
    readonly leg: Leg;
    readonly label: string;
    /** The page asks whether to sign out, and that is wanted; default false: such buttons are left alone. */
    readonly signsOut?: boolean;
    /** Where it ends, once that has answered: a path of the target, or the form somebody signs in with; default: nowhere. */
    readonly until?: { readonly path: string } | "form";
  },
): Promise<Arrival> {
  const trials: Trial[] = [];
  const { leg, label } = request;
  const mark: Mark = { state: request.state, redirect: request.redirect };
  let next: Step = { method: "GET", target: request.target };
  let filled = 0;
  const stopped = (as: Stopped["as"], why: string): Stopped => ({ kind: "stopped", as, why, trials });
  for (let steps = 0; steps < mostSteps; steps += 1) {
    const { target, method } = next;
    const path = target.split("?")[0] ?? "/";
    const trial = await context.send(leg, {
      method,
      target,
      headers: browserHeaders(context, person.jar.header(path), next.body),
      ...(next.body === undefined ? {} : { body: next.body }),
      label,
    });
    trials.push(trial);
    for (const cookie of person.jar.take(trial.answer, path)) context.redactor.add(cookie.value, "cookie");
    const { answer } = trial;
    const { until } = request;
    if (until === "form" ? filled > 0 : path === until?.path) return stopped("arrived", `${path} has answered`);
    // Put behind the origin: by itself, a path of two slashes names a host.
    const here = new URL(`${context.fetcher.url.origin}${target}`);
    const isRedirect = answer.status >= 300 && answer.status < 400;
    const location = isRedirect
      ? headerOf(answer, "location")
      : isSuccess(answer)
        ? refreshesIn(answer.text)[0]
        : undefined;
    if (location !== undefined) {
      const response = responseIn(location, here, mark);
      if (response !== undefined) return { ...response, trials };
      if (!URL.canParse(location, here.href))
        return stopped("stuck", `it leads to "${location.slice(0, 80)}", which is no address`);
      const to = new URL(location, here);
      if (!server.isHere(to)) return stopped("stuck", `it leads to ${to.origin}, which the scan does not contact`);
      const keeps = (answer.status === 307 || answer.status === 308) && next.body !== undefined;
      const again = { target: `${to.pathname}${to.search}` };
      next = keeps ? { ...again, method, body: next.body } : { ...again, method: "GET" };
      continue;
    }
    if (answer.status >= 500 || answer.status === 0 || answer.status === 429)
      return stopped("stuck", `${path} ${outcome(answer)}`);
    if (!isSuccess(answer)) return stopped("refused", `${path} ${outcome(answer)}`);
    const forms = formsIn(answer.text);
    const sent = forms.map((form) => selfSent(form, here, mark)).find((one) => one !== undefined);
    if (sent !== undefined) return { ...sent, trials };
    const way = nextForm(forms, person.account, request.signsOut === true);
    if (way === undefined) return stopped(...noWay(answer, path, forms, person.account));
    if (way.signsIn) filled += 1;
    if (filled > 3) return stopped("stuck", `the account is not signed in by the form at ${path}`);
    if (!URL.canParse(way.action, here.href))
      return stopped("stuck", `a form leads to "${way.action.slice(0, 80)}", which is no address`);
    const to = new URL(way.action === "" ? here.href : way.action, here);
    if (!server.isHere(to)) return stopped("stuck", `a form leads to ${to.origin}, which the scan does not contact`);
    const text = way.body.toString();
    next =
      way.method === "POST"
        ? { method: "POST", target: `${to.pathname}${to.search}`, body: text }
        : { method: "GET", target: `${to.pathname}?${text}` };
  }
  return stopped("stuck", `it came to no end within ${mostSteps} steps`);
}

interface Step {
  readonly method: string;
  readonly target: string;
  readonly body?: string | undefined;
}

function browserHeaders(context: Browser, cookie: string | undefined, body: string | undefined): readonly Header[] {
  const { origin } = context.fetcher.url;
  const headers: Header[] = [
    ["accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"],
    ["sec-fetch-site", "same-origin"],
    ["sec-fetch-mode", "navigate"],
  ];
  if (cookie !== undefined) headers.push(["cookie", cookie]);
  if (body !== undefined) headers.push(["content-type", "application/x-www-form-urlencoded"], ["origin", origin]);
  return headers;
}

/** The authorization response in a Location; undefined where it is a redirect on the way. */
function responseIn(location: string, here: URL, mark: Mark): Omit<Responded, "trials"> | undefined {
  if (!URL.canParse(location, here.href)) return undefined;
  const to = new URL(location, here);
  if (isResponse(to.searchParams, to, mark))
    return { kind: "response", location, params: to.searchParams, where: "query" };
  const inFragment = new URLSearchParams(to.hash.slice(1));
  if (isResponse(inFragment, to, mark)) return { kind: "response", location, params: inFragment, where: "fragment" };
  return undefined;
}

/** A page that sends the response by a form of its own (`response_mode=form_post`). */
function selfSent(form: Form, here: URL, mark: Mark): Omit<Responded, "trials"> | undefined {
  const params = new URLSearchParams(form.fields.map(({ name, value }): [string, string] => [name, value]));
  if (!URL.canParse(form.action, here.href) || !isResponse(params, new URL(form.action, here), mark)) return undefined;
  return { kind: "response", location: form.action, params, where: "form" };
}

interface Filled {
  readonly method: string;
  readonly action: string;
  readonly body: URLSearchParams;
  readonly signsIn: boolean;
}

const refusing = /cancel|den(?:y|ied)|reject|abort|declin|refus|back|\bno\b|switch|another/i;
const leaving = /(?:sign|log)[ -]?(?:me )?(?:out|off)/i;
const agreeing =
  /allow|accept|approv|authori[sz]e|continue|confirm|agree|grant|consent|yes|\bok\b|next|log ?in|sign ?in/i;
const typed = new Set(["text", "email", "tel", "search", "password", "textarea", "number", "url"]);

/** What a person would do with the page: sign in where it asks, else agree. */
function nextForm(forms: readonly Form[], account: Account | undefined, signsOut: boolean): Filled | undefined {
  const says = ({ label, value }: Button) => `${label} ${value}`;
  const isNo = (button: Button) => refusing.test(says(button)) || (!signsOut && leaving.test(says(button)));
  const asks = (form: Form) => form.fields.some(({ type }) => type === "password");
  const names = (form: Form) => form.fields.some(isUserField);
  const ways = [...forms.filter(asks), ...forms.filter((form) => !asks(form) && names(form)), ...forms];
  for (const form of ways) {
    const signsIn = asks(form) || names(form);
    if (signsIn && account === undefined) continue;
    if (!signsIn && (form.method !== "POST" || form.fields.some(({ type }) => typed.has(type)))) continue;
    const pressed =
      form.buttons.find((button) => agreeing.test(says(button)) && !isNo(button)) ??
      form.buttons.find((button) => !isNo(button));
    // A form whose only button says no is not the one.
    if (pressed === undefined && form.buttons.length > 0) continue;
    const body = new URLSearchParams();
    for (const field of form.fields) fill(body, field, form, signsIn ? account : undefined);
    if (pressed !== undefined && pressed.name !== "") body.append(pressed.name, pressed.value);
    return { method: form.method, action: form.action, body, signsIn };
  }
  return undefined;
}

function isUserField({ name, type }: Field): boolean {
  return (
    type === "email" ||
    ((type === "text" || type === "tel") && /user|login|mail|identif|account|handle|name/i.test(name))
  );
}

function fill(body: URLSearchParams, field: Field, form: Form, account: Account | undefined): void {
  const { name, type, value, checked } = field;
  if (account !== undefined && type === "password") return body.append(name, account.password);
  const user = form.fields.find(isUserField) ?? form.fields.find((one) => one.type === "text");
  if (account !== undefined && field === user) return body.append(name, account.user);
  // Of several of one name the one that is chosen, else the first.
  const group = form.fields.filter((one) => one.type === "radio" && one.name === name);
  if (type === "radio" && field !== (group.find((one) => one.checked) ?? group[0])) return;
  // Boxes of a consent are what is agreed to; those of a sign-in are its own business.
  if (type === "checkbox" && !checked && account !== undefined) return;
  body.append(name, value);
}

function noWay(
  answer: Answer,
  path: string,
  forms: readonly Form[],
  account: Account | undefined,
): [Stopped["as"], string] {
  const signsIn = forms.some((form) => form.fields.some((field) => field.type === "password" || isUserField(field)));
  if (signsIn && account === undefined)
    return ["stuck", `${path} asks somebody to sign in: pass an account (--account email:password)`];
  if (/<script\b/i.test(answer.text))
    return [
      "stuck",
      `${path} is a page that needs its scripts: pass the cookie of somebody who is signed in and has agreed (--as name="cookie:…")`,
    ];
  return ["stuck", `${path} is a page without a form the scan can fill in`];
}
