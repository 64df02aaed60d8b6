"use client";

import { useState } from "react";
import { call } from "./call.ts";
import { Person, SignedIn } from "./shapes.ts";

export function SignIn({ onSignedIn }: { readonly onSignedIn: (person: Person) => void }) {
  const [why, setWhy] = useState("");
  const [isBusy, setIsBusy] = useState(false);

  async function signIn(form: FormData) {
    setIsBusy(true);
    const answer = await call("POST", "/session", { email: form.get("email"), password: form.get("password") });
    setIsBusy(false);
    if (!answer.ok) return setWhy(answer.why);
    const { person } = SignedIn.parse(answer.value);
    onSignedIn(person);
  }

  return (
    <main className="door">
      <form action={signIn} className="card">
        <Mark />
        <h1>Projects</h1>
        <p className="soft">Sign in to see what is yours.</p>
        <label>
          E-mail
          <input name="email" type="email" autoComplete="username" required defaultValue="alice@projects.example" />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit" className="primary" disabled={isBusy}>
          {isBusy ? "One moment…" : "Sign in"}
        </button>
        <p role="alert" className="why">
          {why}
        </p>
        <p className="soft small">
          Try alice, bob or ada (an administrator), each <code>@projects.example</code> with the password{" "}
          <code>harbour lights at nine</code>.
        </p>
      </form>
    </main>
  );
}

/** A gate, half raised. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M5 28V13a11 11 0 0 1 22 0v15" />
      <path d="M11 4v15M16 2v19M21 4v15M6 11h20M6 17h20" />
    </svg>
  );
}
