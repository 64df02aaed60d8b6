"use client";

import { useCallback, useEffect, useState } from "react";
import { call } from "./call.ts";
import { People, type Person, type Project, Projects, stages } from "./shapes.ts";
import { Mark } from "./sign-in.tsx";

/** A person's projects by stage; for administrators the people too. */
export function Board({ person, onSignedOut }: { readonly person: Person; readonly onSignedOut: () => void }) {
  const [projects, setProjects] = useState<readonly Project[]>([]);
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [why, setWhy] = useState("");

  const load = useCallback(async () => {
    const answer = await call("GET", "/projects?limit=100");
    if (answer.ok) setProjects(Projects.parse(answer.value).items);
    else setWhy(answer.why);
  }, []);

  useEffect(() => {
    void load();
    if (person.role !== "admin") return;
    void call("GET", "/people").then((answer) => answer.ok && setPeople(People.parse(answer.value).items));
  }, [load, person.role]);

  async function change(method: string, path: string, body?: unknown) {
    const answer = await call(method, path, body);
    setWhy(answer.ok ? "" : answer.why);
    await load();
  }

  async function signOut() {
    await call("DELETE", "/session");
    onSignedOut();
  }

  return (
    <div className="page">
      <header>
        <Mark />
        <strong>Projects</strong>
        <span className="who">
          {person.name}
          {person.role === "admin" && <em>administrator</em>}
        </span>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <form
        className="new"
        action={(form) => change("POST", "/projects", { name: form.get("name"), stage: "planned" })}
      >
        <input name="name" aria-label="Name of a new project" placeholder="A new project" maxLength={100} required />
        <button type="submit" className="primary">
          Add
        </button>
      </form>
      <p role="alert" className="why">
        {why}
      </p>
      <main className="board">
        {stages.map((stage) => (
          <section key={stage} aria-label={stage}>
            <h2>
              {stage} <span>{projects.filter((one) => one.stage === stage).length}</span>
            </h2>
            {projects
              .filter((one) => one.stage === stage)
              .map((project) => (
                <ProjectCard key={project.id} project={project} change={change} />
              ))}
          </section>
        ))}
      </main>
      {people.length > 0 && (
        <section className="people" aria-label="people">
          <h2>
            people <span>{people.length}</span>
          </h2>
          <ul>
            {people.map(({ id, name, email, role }) => (
              <li key={id}>
                <strong>{name}</strong> <span className="soft">{email}</span> <em>{role}</em>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

interface CardProps {
  readonly project: Project;
  readonly change: (method: string, path: string, body?: unknown) => Promise<void>;
}

function ProjectCard({ project: { id, name, stage, createdAt }, change }: CardProps) {
  return (
    <article className="card">
      <h3>{name}</h3>
      <time dateTime={createdAt}>{createdAt.slice(0, 10)}</time>
      <div>
        <select
          aria-label={`Stage of ${name}`}
          value={stage}
          onChange={(event) => void change("PATCH", `/projects/${id}`, { stage: event.target.value })}
        >
          {stages.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <button type="button" aria-label={`Remove ${name}`} onClick={() => void change("DELETE", `/projects/${id}`)}>
          Remove
        </button>
      </div>
    </article>
  );
}
