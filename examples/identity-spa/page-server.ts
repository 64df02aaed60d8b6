import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** Serves the page, as any host of files would; what it says of itself is what matters. @param api  origin it may call */
export function createPageServer(api: string): Server {
  const read = (name: string) => readFileSync(join(import.meta.dirname, "page", name), "utf8");
  const files = new Map([
    ["/", { type: "text/html; charset=utf-8", text: read("index.html").replaceAll("%API%", api) }],
    ["/app.js", { type: "text/javascript; charset=utf-8", text: stripTypeScriptTypes(read("app.ts")) }],
    ["/style.css", { type: "text/css; charset=utf-8", text: read("style.css") }],
  ]);
  return createServer((request, response) => {
    const file = files.get(new URL(request.url ?? "/", "http://page.invalid").pathname);
    if (file === undefined) return void response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": file.type,
      "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self'; connect-src ${api}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
      "x-content-type-options": "nosniff",
      "referrer-policy": "same-origin",
      "cache-control": "no-cache",
    });
    return void response.end(file.text);
  });
}
