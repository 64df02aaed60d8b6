/**
 * A page that holds no token and no password: the browser sends a cookie that no script can read, and the server keeps
 * everything else.
 */
const api = document.body.dataset["api"] ?? "";
const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
};

interface Note {
  readonly text: string;
}

/** Calls the API, with the session's cookie. */
async function call(method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`${api}${path}`, {
    method,
    credentials: "include",
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  // The session is over: signed out elsewhere, idle for too long, or taken back.
  if (response.status === 401) show(null);
  else if (!response.ok) element("problem").textContent = `That did not work (${response.status}).`;
  return response;
}

function show(session: { readonly email: string } | null): void {
  element("who").textContent = session === null ? "Nobody is signed in." : `Signed in as ${session.email}.`;
  element("signed-out").hidden = session !== null;
  element("signed-in").hidden = session === null;
}

async function showNotes(): Promise<void> {
  const response = await call("GET", "/notes");
  if (!response.ok) return;
  const { items }: { readonly items: readonly Note[] } = await response.json();
  element("notes").replaceChildren(
    ...items.map(({ text }) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  const text = new FormData(form).get("text");
  void call("POST", "/notes", { text }).then(({ ok }) => {
    if (ok) form.reset();
    return showNotes();
  });
});

element("sign-out").addEventListener("click", () => {
  void call("POST", "/auth/sign-out").then(() => show(null));
});

const { session }: { readonly session: { readonly email: string } | null } = await (
  await call("GET", "/auth/session")
).json();
show(session);
if (session !== null) await showNotes();
