import { randomUUID } from "node:crypto";
import { hashPassword, isPassword, type PasswordHash } from "./passwords.ts";

/** Who works here. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: "member" | "admin";
}

export const stages = ["planned", "active", "done"] as const;

/** A project as it is kept; the budget is nobody's business outside. */
export interface Project {
  readonly id: string;
  readonly ownerId: string;
  readonly name: string;
  readonly stage: (typeof stages)[number];
  readonly budget: number;
  readonly createdAt: string;
}

type ProjectFields = Pick<Project, "name" | "stage">;

const people: readonly Person[] = [
  { id: "11111111-1111-4111-8111-111111111111", email: "alice@projects.example", name: "Alice Archer", role: "member" },
  { id: "22222222-2222-4222-8222-222222222222", email: "bob@projects.example", name: "Bob Baker", role: "member" },
  { id: "33333333-3333-4333-8333-333333333333", email: "ada@projects.example", name: "Ada Adler", role: "admin" },
];
const [alice, bob] = people;

/** Made up, and the same for all three: this is an example. */
const password = "harbour lights at nine";
let storedHash: Promise<PasswordHash> | undefined;

const projects = new Map<string, Project>();
for (const [owner, name, stage] of [
  [alice, "Ticket gates", "done"],
  [alice, "Winter timetable", "planned"],
  [alice, "Harbour lights", "active"],
  [bob, "Bridge survey", "active"],
] as const) {
  if (owner !== undefined) keep(newProject(owner.id, { name, stage }));
}

/** People and projects in memory, for as long as the process lives; any database will do in its place. */
export const data = {
  /** The person behind an address and a password. Unknown and wrong are one answer, after the same work. */
  async signIn(email: string, given: string): Promise<Person | undefined> {
    storedHash ??= hashPassword(password);
    const found = people.find((one) => one.email === email);
    const isRight = await isPassword(given, await storedHash);
    return isRight ? found : undefined;
  },

  person: (id: string) => people.find((one) => one.id === id),

  people: (page: Page) => pageOf(people, page),

  project: (id: string) => projects.get(id),

  /** Newest first. */
  projectsOf: (ownerId: string, page: Page) =>
    pageOf([...projects.values()].filter((one) => one.ownerId === ownerId).toReversed(), page),

  createProject: (ownerId: string, fields: ProjectFields) => keep(newProject(ownerId, fields)),

  changeProject: (project: Project, fields: { [Field in keyof ProjectFields]?: ProjectFields[Field] | undefined }) =>
    keep({ ...project, name: fields.name ?? project.name, stage: fields.stage ?? project.stage }),

  removeProject: (id: string): void => void projects.delete(id),
};

/** A page as Portcullis hands it to a handler: how many rows, and the position the last page ended with. */
interface Page {
  readonly limit: number;
  readonly after: unknown;
}

function pageOf<Row extends { readonly id: string }>(rows: readonly Row[], { limit, after }: Page) {
  const start = rows.findIndex(({ id }) => id === after) + 1;
  const items = rows.slice(start, start + limit);
  const last = items.at(-1);
  return start + limit < rows.length && last !== undefined ? { items, next: last.id } : { items };
}

function newProject(ownerId: string, { name, stage }: ProjectFields): Project {
  return { id: randomUUID(), ownerId, name, stage, budget: 10_000, createdAt: new Date().toISOString() };
}

function keep(project: Project): Project {
  projects.set(project.id, project);
  return project;
}
