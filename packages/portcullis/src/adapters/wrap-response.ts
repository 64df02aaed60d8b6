import type { AnswerOptions, CookieToSet } from "../output.ts";
import type { Answering } from "./wrap-answering.ts";
import { type CookieSettings, cookieOf } from "./wrap-cookie.ts";
import type { Declared } from "./wrap-declared.ts";

/** What a wrapped handler answers with. Nothing of it is sent as it is: the output gate filters, the way out sets headers. */
export class WrappedResponse {
  /** What handlers and the functions before them hand each other. */
  readonly locals: Record<string, unknown> = {};
  readonly #answering: Answering;
  readonly #declared: Declared;
  #status: number | undefined;
  #headers: Record<string, string> = {};
  #cookies: CookieToSet[] = [];

  constructor(answering: Answering, declared: Declared) {
    this.#answering = answering;
    this.#declared = declared;
    for (const [name, fix] of Object.entries(unfiltered)) {
      Object.defineProperty(this, name, {
        value() {
          answering.misuse(`res.${name}() cannot be filtered: ${fix}`);
        },
      });
    }
  }

  get headersSent(): boolean {
    return this.#answering.isAnswered;
  }

  get writableEnded(): boolean {
    return this.#answering.isAnswered;
  }

  get statusCode(): number {
    return this.#status ?? 200;
  }

  set statusCode(code: number) {
    this.status(code);
  }

  /** 2xx: one the policy's output declares. 400 and above: the refusal of that status, or what the output declares. */
  status(code: number): this {
    if (!Number.isInteger(code) || code < 200 || code > 599 || (code >= 300 && code < 400)) {
      return this.#misuse(`res.status(${code}): an answer has a status of 2xx, or the one of a refusal`);
    }
    this.#status = code;
    return this;
  }

  sendStatus(code: number): this {
    return this.status(code).end();
  }

  json(value?: unknown): this {
    return this.#answer(value, this.#status);
  }

  #answer(value: unknown, status: number | undefined): this {
    const options: AnswerOptions = {
      ...(status === undefined ? {} : { status }),
      ...(Object.keys(this.#headers).length === 0 ? {} : { headers: this.#headers }),
      ...(this.#cookies.length === 0 ? {} : { cookies: this.#cookies }),
    };
    this.#answering.answer(value, options);
    return this;
  }

  /** The same as `json`: every body is JSON, a text too. */
  send(value?: unknown): this {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob) {
      return this.#misuse("res.send(bytes) cannot be filtered: answer a value the output schema declares");
    }
    return this.json(value);
  }

  end(value?: unknown): this {
    return this.send(typeof value === "function" ? undefined : value);
  }

  set(name: string | Readonly<Record<string, unknown>>, value?: unknown): this {
    if (typeof name !== "string") {
      for (const [one, its] of Object.entries(name)) this.set(one, its);
      return this;
    }
    const lower = name.toLowerCase();
    if (lower === "content-type") return this.type(String(value));
    if (lower === "set-cookie") return this.#misuse("Set-Cookie is written by res.cookie(name, value, options)");
    // The output gate knows which headers are a handler's to set, and says so.
    this.#headers[lower] = Array.isArray(value) ? value.map(String).join(", ") : String(value);
    return this;
  }

  header(name: string | Readonly<Record<string, unknown>>, value?: unknown): this {
    return this.set(name, value);
  }

  setHeader(name: string, value: unknown): this {
    return this.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#headers[name.toLowerCase()];
  }

  getHeader(name: string): string | undefined {
    return this.get(name);
  }

  removeHeader(name: string): void {
    Reflect.deleteProperty(this.#headers, name.toLowerCase());
  }

  append(name: string, value: unknown): this {
    const before = this.get(name);
    return this.set(name, before === undefined ? value : `${before}, ${String(value)}`);
  }

  location(url: string): this {
    return this.set("location", url);
  }

  /** To an address on the list of the output's redirect; its status, unless one is said that the output declares too. */
  redirect(url: string): this;
  redirect(status: number, url: string): this;
  redirect(first: string | number, second?: string): this {
    const { redirects } = this.#declared;
    const [usual] = redirects;
    if (usual === undefined) {
      return this.#misuse("res.redirect() cannot be filtered: name where to, output: redirect([…])");
    }
    return typeof first === "number" ? this.#answer(second, first) : this.#answer(first, usual);
  }

  /** Answers are JSON, so that nothing else may be asked for. */
  type(type: string): this {
    if (/^(?:\.?json|application\/json(?:\s*;\s*charset=utf-8)?)$/i.test(type)) return this;
    return this.#misuse(`res.type(${JSON.stringify(type)}): answers are JSON`);
  }

  contentType(type: string): this {
    return this.type(type);
  }

  cookie(name: string, value: unknown, settings: CookieSettings = {}): this {
    const cookie = cookieOf(name, value, settings);
    if (typeof cookie === "string") return this.#misuse(cookie);
    this.#cookies.push(cookie);
    return this;
  }

  clearCookie(name: string, settings: CookieSettings = {}): this {
    const { maxAge: _maxAge, expires: _expires, ...rest } = settings;
    return this.cookie(name, "", { ...rest, maxAge: 0 });
  }

  #misuse(message: string): this {
    this.#answering.misuse(message);
    return this;
  }
}

const bytes = "answer a value the output schema declares with res.json; files and streams are not built yet";
const unfiltered: Readonly<Record<string, string>> = {
  write: bytes,
  writeHead: "say res.status(code).set(headers).json(value)",
  flushHeaders: "say res.status(code).set(headers).json(value)",
  pipe: bytes,
  sendFile: bytes,
  sendfile: bytes,
  download: bytes,
  attachment: bytes,
  render: bytes,
  jsonp: "scripts of other sites read answers by CORS: list their origins in createApi",
  format: "answers are JSON",
  vary: "the cors gate writes Vary",
  links: 'say res.set("link", …)',
  on: "read req.signal for a client that has gone; do what comes after the answer before it",
  once: "read req.signal for a client that has gone; do what comes after the answer before it",
  emit: bytes,
};
