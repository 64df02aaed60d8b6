import { z } from "zod";

/** The schemas of `world.ts` in Zod, for the servers whose users would write them so. */
export const NewProjectInput = z.strictObject({
  name: z.string().min(1).max(100),
  url: z.url().max(200),
  backendType: z.enum(["supabase", "firebase", "convex", "custom", "none"]),
  description: z.string().max(500),
  isPublic: z.boolean(),
});

/** Path parameters of one project. */
export const ProjectParams = z.strictObject({ id: z.uuid() });

/** What leaves of a project. */
export const ProjectView = z.object({
  id: z.string(),
  name: z.string(),
  url: z.string(),
  backendType: z.string(),
  description: z.string(),
  isPublic: z.boolean(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
