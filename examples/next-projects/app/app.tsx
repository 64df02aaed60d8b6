"use client";

import { useEffect, useState } from "react";
import { Board } from "./board.tsx";
import { call } from "./call.ts";
import { Person } from "./shapes.ts";
import { SignIn } from "./sign-in.tsx";

/** Who is signed in decides what is shown; what may be done the API decides at every call. */
export function App() {
  const [person, setPerson] = useState<Person | "nobody" | undefined>();

  useEffect(() => {
    void call("GET", "/session").then((answer) => setPerson(answer.ok ? Person.parse(answer.value) : "nobody"));
  }, []);

  if (person === undefined) return <main className="quiet" aria-busy="true" />;
  if (person === "nobody") return <SignIn onSignedIn={setPerson} />;
  return <Board person={person} onSignedOut={() => setPerson("nobody")} />;
}
