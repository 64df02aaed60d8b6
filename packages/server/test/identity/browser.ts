/** A browser without scripts: keeps cookies, follows what pages and redirects say, fills in forms. */
export interface Browser {
  readonly cookies: Map<string, string>;
  /** Goes to an address and on until a page stands, or an address of another origin is to be gone to. */
  open(url: string | URL): Promise<Page>;
  /** Sends the form of a page whose action or button fits. */
  submit(page: Page, values: Readonly<Record<string, string>>): Promise<Page>;
}

/** Where the browser stands. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/**
 * @param origin  requests go there and nowhere else; addresses of other origins are where a journey ends
 * @param isEnd  where it ends besides, before the request is made
 */
export function createBrowser(origin: string, isEnd: (url: URL) => boolean = () => false): Browser {
  const cookies = new Map<string, string>();

  interface Step {
    readonly url: URL;
    readonly method: "GET" | "POST";
    readonly body?: URLSearchParams;
  }

  async function send(first: Step): Promise<Page> {
    let next = first;
    for (let hop = 0; hop < 10; hop++) {
      if (next.url.origin !== origin || (hop > 0 && isEnd(next.url)))
        return { url: next.url, status: 0, text: "", headers: new Headers() };
      const response = await fetch(next.url, {
        method: next.method,
        ...(next.body === undefined ? {} : { body: next.body }),
        redirect: "manual",
        headers: {
          "sec-fetch-site": "same-origin",
          ...(cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") }),
        },
      });
      for (const line of response.headers.getSetCookie()) keep(line);
      const text = await response.text();
      const location =
        response.headers.get("location") ?? /http-equiv="refresh" content="0;url=([^"]+)"/.exec(text)?.[1];
      if (location === undefined) return { url: next.url, status: response.status, text, headers: response.headers };
      next = { url: new URL(location.replaceAll("&#38;", "&"), next.url), method: "GET" };
    }
    throw new Error("redirected in circles");
  }

  function keep(line: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (!name.startsWith("__Host-")) throw new Error(`a cookie any host beside it could set: ${line}`);
    if (/max-age=0/i.test(line) || value === "") cookies.delete(name);
    else cookies.set(name, value);
  }

  return {
    cookies,
    open: (url) => send({ url: new URL(url, origin), method: "GET" }),
    submit(page, values) {
      const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1];
      if (action === undefined) throw new Error(`no form on ${page.url.href}: ${page.text.slice(0, 300)}`);
      return send({ url: new URL(action, page.url), method: "POST", body: new URLSearchParams(values) });
    },
  };
}
