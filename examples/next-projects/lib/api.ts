import {
  anyCaller,
  answer,
  by,
  createApi,
  cursorPages,
  list,
  nothing,
  publicAccess,
  refuse,
  session,
  shared,
  storedSessions,
  view,
} from "portcullis";
import { embeddedSessionStore } from "portcullis/node";
import { z } from "zod";
import { data, type Person, stages } from "./data.ts";
import { limits, reading, signingIn, writing } from "./limits.ts";

const sessions = storedSessions({ store: embeddedSessionStore({ folder: process.env["DATA"] ?? ".data" }) });

export const api = createApi({
  name: "next-projects",
  hosts: ["localhost"],
  credentials: [session(sessions)],
  roles: ({ subject }) => [data.person(subject)?.role ?? "nobody"],
  limits,
  version: { none: "the page and its API are built and deployed as one" },
  // Next.js hides the socket, so who stands in front of it has to be said. On Vercel: proxies: "vercel".
  ...(process.env.NODE_ENV === "production"
    ? {
        proxies: {
          trusted: ["127.0.0.0/8", "::1/128"],
          header: "x-forwarded-for",
          dangerouslyAssumeProxy: "next start listens on 127.0.0.1, and front.ts is all that connects to it",
        },
      }
    : { dangerouslyAllowLoopback: "next dev hides the socket" }),
});

/** A project is its owner's alone. */
const project = api.resource("project", {
  load: (id) => data.project(id),
  owner: (project) => project.ownerId,
  serverSet: ["id", "ownerId", "budget", "createdAt"],
});

/** People know each other's names; only administrators list them. */
const person = api.resource("person", {
  load: (id) => data.person(id),
  shared: "people of one company know each other",
  serverSet: ["id", "role"],
});

const PersonView = z.object({ id: z.uuid(), email: z.email(), name: z.string(), role: z.enum(["member", "admin"]) });
const ProjectFields = z.strictObject({ name: z.string().min(1).max(100), stage: z.enum(stages) });
const ProjectView = z.object({ id: z.uuid(), name: z.string(), stage: z.enum(stages), createdAt: z.iso.datetime() });
const ProjectPath = z.strictObject({ id: z.uuid() });

api.route(
  {
    path: "POST /api/session",
    access: publicAccess("who signs in has no session yet"),
    input: { body: z.strictObject({ email: z.email().max(254).toLowerCase(), password: z.string().min(1).max(128) }) },
    output: {
      201: view(z.object({ person: PersonView }), person, {
        at: (answer: { readonly person: Person }) => answer.person,
        owners: shared("it is the person who has just signed in"),
      }),
    },
    startsSession: { account: "body.email" },
    limit: signingIn,
  },
  async ({ body }) => {
    const person = await data.signIn(body.email, body.password);
    if (person === undefined) return refuse("sign-in-failed", "unknown or wrong");
    return answer({ person }, { cookies: [await sessions.start({ subject: person.id })] });
  },
);

api.route(
  { path: "GET /api/session", access: anyCaller, output: view(PersonView, person), limit: reading },
  ({ caller }) => data.person(caller.subject) ?? refuse("not-found", "the account is gone"),
);

api.route({ path: "DELETE /api/session", access: anyCaller, output: nothing, limit: writing }, async ({ caller }) =>
  answer(undefined, { cookies: [await sessions.end(caller)] }),
);

api.route(
  {
    path: "GET /api/projects",
    access: anyCaller,
    page: cursorPages(),
    output: list(ProjectView, project),
    limit: reading,
  },
  ({ caller, page }) => data.projectsOf(caller.subject, page),
);

api.route(
  {
    path: "POST /api/projects",
    access: anyCaller,
    input: { body: ProjectFields },
    output: { 201: view(ProjectView, project) },
    limit: writing,
  },
  ({ body, caller }) => {
    const made = data.createProject(caller.subject, body);
    return answer(made, { headers: { location: `/api/projects/${made.id}` } });
  },
);

api.route(
  {
    path: "GET /api/projects/:id",
    access: anyCaller,
    input: { params: ProjectPath },
    objects: { project: by("id", project) },
    output: view(ProjectView, project),
    limit: reading,
  },
  ({ project }) => project,
);

api.route(
  {
    path: "PATCH /api/projects/:id",
    access: anyCaller,
    input: { params: ProjectPath, body: ProjectFields.partial() },
    objects: { project: by("id", project) },
    output: view(ProjectView, project),
    limit: writing,
  },
  ({ project, body }) => data.changeProject(project, body),
);

api.route(
  {
    path: "DELETE /api/projects/:id",
    access: anyCaller,
    input: { params: ProjectPath },
    objects: { project: by("id", project) },
    output: nothing,
    limit: writing,
  },
  ({ project }) => data.removeProject(project.id),
);

api.route(
  {
    path: "GET /api/people",
    access: { roles: ["admin"] },
    page: cursorPages(),
    output: list(PersonView, person),
    limit: reading,
  },
  ({ page }) => data.people(page),
);
