import type { HtmlPage, Markup } from "portcullis";
import { answer, createApi, form, html, markup, protocolError, publicAccess, redirect } from "portcullis";
import { expectTypeOf } from "vitest";
import { z } from "zod";

const api = createApi({ name: "types", hosts: ["localhost"], credentials: [] });
const access = publicAccess("for the types");
const Denied = z.strictObject({ error: z.enum(["invalid_grant"]) });
const page = { title: "x", body: markup`<p>x</p>` };

expectTypeOf(page.body).toEqualTypeOf<Markup>();
api.route({ path: "GET /v1/a", access, output: html() }, () => page);
api.route(
  { path: "GET /v1/a", access, output: html() },
  (): HtmlPage => ({ ...page, lang: "de", navigateTo: "/v1/a" }),
);
// @ts-expect-error a text is no markup
api.route({ path: "GET /v1/a", access, output: html() }, () => ({ title: "x", body: "<p>x</p>" }));
// @ts-expect-error a page has a title
api.route({ path: "GET /v1/a", access, output: html() }, () => ({ body: page.body }));
// @ts-expect-error a page is no text
api.route({ path: "GET /v1/a", access, output: html() }, () => "<p>x</p>");

void markup`${"a"}${1}${undefined}${null}${false}${page.body}${["a", [page.body]]}`;
// @ts-expect-error true is no text
void markup`${true}`;
// @ts-expect-error an object is no text
void markup`${{ toString: () => "x" }}`;
// @ts-expect-error it is a template's tag and no function of a text
void markup("<p>x</p>");

api.route({ path: "GET /v1/a", access, output: redirect(["/v1/a"]) }, () => "/v1/a");
api.route({ path: "GET /v1/a", access, output: redirect(["/v1/a"]) }, () => answer("/v1/a", { status: 303 }));
// @ts-expect-error an address is a text
api.route({ path: "GET /v1/a", access, output: redirect(["/v1/a"]) }, () => new URL("https://app.example"));
// @ts-expect-error a redirect's status is 303 unless the output says 302
api.route({ path: "GET /v1/a", access, output: redirect(["/v1/a"]) }, () => answer("/v1/a", { status: 302 }));
// @ts-expect-error a list holds texts and look-ups
redirect([1]);
// @ts-expect-error a look-up has a reason
redirect([{ allows: () => true }]);

const either = { 200: html(), 303: redirect(["/v1/a"]), 400: protocolError(Denied, "RFC 6749") } as const;
api.route({ path: "POST /v1/a", access, output: either }, () => page);
api.route({ path: "POST /v1/a", access, output: either }, () => answer("/v1/a", { status: 303 }));
api.route({ path: "POST /v1/a", access, output: either }, () => answer({ error: "invalid_grant" }, { status: 400 }));
// @ts-expect-error 401 is not declared
api.route({ path: "POST /v1/a", access, output: either }, () => answer({ error: "invalid_grant" }, { status: 401 }));
// @ts-expect-error the specification has no such error
api.route({ path: "POST /v1/a", access, output: either }, () => answer({ error: "made_up" }, { status: 400 }));

const Fields = z.strictObject({ name: z.string().max(20), age: z.int().min(0).max(150).optional() });
const input = { body: form(Fields), cookies: z.strictObject({ "__Host-state": z.string().max(20).optional() }) };
api.route({ path: "POST /v1/a", access, input, output: html() }, ({ body, cookies }) => {
  expectTypeOf(body.name).toEqualTypeOf<string>();
  expectTypeOf(body.age).toEqualTypeOf<number | undefined>();
  expectTypeOf(cookies["__Host-state"]).toEqualTypeOf<string | undefined>();
  // @ts-expect-error nobody declared it
  void cookies["__Host-other"];
  return page;
});
