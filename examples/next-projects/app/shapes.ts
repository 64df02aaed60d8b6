import { z } from "zod";

export const stages = ["planned", "active", "done"] as const;

/** What the page reads of the API's answers. */
export const Person = z.object({ id: z.string(), name: z.string(), email: z.string(), role: z.string() });
export const Project = z.object({ id: z.string(), name: z.string(), stage: z.enum(stages), createdAt: z.string() });
export const SignedIn = z.object({ person: Person });
export const People = z.object({ items: z.array(Person) });
export const Projects = z.object({ items: z.array(Project) });

export type Person = z.infer<typeof Person>;
export type Project = z.infer<typeof Project>;
