"use client";

import { useEffect, useState } from "react";

interface Session {
  readonly email: string;
}
interface Note {
  readonly id: string;
  readonly text: string;
}

/** Calls the API on this origin; the browser adds the session's cookie, which no script can read. */
async function call<T>(method: string, path: string, body?: unknown): Promise<T | undefined> {
  const response = await fetch(path, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  if (!response.ok || response.status === 204) return undefined;
  const value: T = await response.json();
  return value;
}

const readNotes = () => call<{ readonly items: readonly Note[] }>("GET", "/api/notes");

export function Notes() {
  const [session, setSession] = useState<Session | null>();
  const [notes, setNotes] = useState<readonly Note[]>([]);

  useEffect(() => {
    async function look() {
      const found = await call<{ readonly session: Session | null }>("GET", "/auth/session");
      setSession(found?.session ?? null);
      if (found?.session) setNotes((await readNotes())?.items ?? []);
    }
    void look();
  }, []);

  async function add(form: HTMLFormElement) {
    await call("POST", "/api/notes", { text: new FormData(form).get("text") });
    form.reset();
    setNotes((await readNotes())?.items ?? []);
  }

  async function signOut() {
    await call("POST", "/auth/sign-out");
    setSession(null);
    setNotes([]);
  }

  if (session === undefined) return <p role="status">…</p>;
  if (session === null) {
    // Plain links: these are pages of the API, which Next.js does not know.
    return (
      <>
        <p role="status">Nobody is signed in.</p>
        <p>
          <a id="sign-in" href="/auth/sign-in">
            Sign in
          </a>{" "}
          or <a href="/account/sign-up">create an account</a>
        </p>
      </>
    );
  }
  return (
    <>
      <p role="status">Signed in as {session.email}.</p>
      <form
        id="add"
        onSubmit={(event) => {
          event.preventDefault();
          void add(event.currentTarget);
        }}
      >
        <label>
          New note <input name="text" required maxLength={200} />
        </label>{" "}
        <button type="submit">Add</button>
      </form>
      <ul id="notes">
        {notes.map(({ id, text }) => (
          <li key={id}>{text}</li>
        ))}
      </ul>
      <p>
        <a href="/account">Your account</a>
      </p>
      <button id="sign-out" type="button" onClick={() => void signOut()}>
        Sign out
      </button>
    </>
  );
}
