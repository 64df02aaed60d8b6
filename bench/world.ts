/**
 * What every server of the bench serves: the same projects, the same rules for tokens, the same answers. It imports
 * nothing, so that the bare server stays bare.
 */
export interface Project {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly backendType: string;
  readonly description: string;
  readonly isPublic: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly tenantId: string;
  readonly ownerId: string;
  readonly billingEmail: string;
  readonly internalNotes: string;
}

/** What a client may say of a new project. */
export type NewProject = Pick<Project, "name" | "url" | "backendType" | "description" | "isPublic">;

/** The eight of twelve fields that may leave, in the order in which every server writes them. */
export const viewFields = [
  "id",
  "name",
  "url",
  "backendType",
  "description",
  "isPublic",
  "createdAt",
  "updatedAt",
] as const satisfies readonly (keyof Project)[];

/** Distinct callers, one token and one project each. */
export const callerCount = 1_000;

/** Name of the n-th caller. */
export const subjectOf = (n: number): string => `usr_${String(n).padStart(6, "0")}`;
/** Tenant of the n-th caller; ten callers share one. */
export const tenantOf = (n: number): string => `org_${String(n % 100).padStart(4, "0")}`;
/** Id of the n-th caller's project. */
export const projectIdOf = (n: number): string => `3f2b8c1a-7d4e-4b9a-8c6d-${String(n).padStart(12, "0")}`;
/** Address from which the n-th caller comes, as the proxy in front reports it. */
export const addressOf = (n: number): string => `11.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

/** The rules for tokens, the same for every secured server: HS256 over this secret, this `typ`, these names. */
export const tokenRules = {
  secret: "bench-only-secret-of-more-than-256-bits-0123456789abcdef",
  algorithm: "HS256",
  typ: "at+jwt",
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  clockSkewSeconds: 30,
  maxAgeSeconds: 3_600,
} as const;

/** The Host of every request; the proxy in front speaks plain http from loopback and says https. */
export const host = "api.example.com";
/** The one origin whose pages may read answers; no request of the bench comes from a browser. */
export const origin = "https://app.example.com";
/** More than any run sends, so that every limit counts and none refuses. */
export const ampleLimit = 1_000_000_000;
/** Largest accepted body, in bytes. */
export const bodyMaxBytes = 102_400;

/** What every answer of a secured server carries besides its own content. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
};

/** Projects by id. Loading and inserting answer later, as a database would. */
export const projects: ReadonlyMap<string, Project> = new Map(
  Array.from({ length: callerCount }, (_, n): [string, Project] => [projectIdOf(n), projectOf(n)]),
);

/** The project of this id, or undefined. */
export async function loadProject(id: string): Promise<Project | undefined> {
  return projects.get(id);
}

/** Makes a project and keeps nothing, so that a long run does not grow and every server answers the same bytes. */
export async function insertProject(input: NewProject, ownerId: string, tenantId: string): Promise<Project> {
  return {
    id: newProjectId,
    name: input.name,
    url: input.url,
    backendType: input.backendType,
    description: input.description,
    isPublic: input.isPublic,
    createdAt: newProjectTime,
    updatedAt: newProjectTime,
    tenantId,
    ownerId,
    billingEmail: `billing@${tenantId}.example`,
    internalNotes: "fresh",
  };
}

/** Id and time of every new project; a store would draw them. */
export const newProjectId = "9a1d6e52-0c47-4f0e-9b3d-5e8f7a6b4c21";
/** See {@link newProjectId}. */
export const newProjectTime = "2026-03-04T05:06:07.000Z";

/** What the bench posts: 5 fields, about 200 bytes. */
export const newProject: NewProject = {
  name: "Aurora telemetry",
  url: "https://aurora.example.com/ingest",
  backendType: "supabase",
  description: "Collects the readings of the northern stations twice a minute and keeps them.",
  isPublic: false,
};

/** The bytes of an answer: the declared fields of a project, in declared order. */
export function viewText(project: Project): string {
  const view: Record<string, unknown> = {};
  for (const field of viewFields) view[field] = project[field];
  return JSON.stringify(view);
}

/** The schema of a new project for validators that read JSON Schema; closed, everything bounded. */
export const newProjectJsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["name", "url", "backendType", "description", "isPublic"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: 100 },
    url: { type: "string", format: "uri", maxLength: 200 },
    backendType: { type: "string", enum: ["supabase", "firebase", "convex", "custom", "none"] },
    description: { type: "string", maxLength: 500 },
    isPublic: { type: "boolean" },
  },
} as const;

/** The schema of a project's path parameters. */
export const paramsJsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["id"],
  properties: { id: { type: "string", format: "uuid" } },
} as const;

/** The schema of an answer; what it does not declare does not leave. */
export const viewJsonSchema = {
  type: "object",
  additionalProperties: false,
  required: viewFields,
  properties: {
    id: { type: "string" },
    name: { type: "string" },
    url: { type: "string" },
    backendType: { type: "string" },
    description: { type: "string" },
    isPublic: { type: "boolean" },
    createdAt: { type: "string" },
    updatedAt: { type: "string" },
  },
} as const;

function projectOf(n: number): Project {
  return {
    id: projectIdOf(n),
    name: `Project ${String(n).padStart(6, "0")}`,
    url: `https://p${String(n).padStart(6, "0")}.example.com/start`,
    backendType: "firebase",
    description: "Keeps the measurements of one field station and shows them to its team.",
    isPublic: false,
    createdAt: "2026-01-02T03:04:05.000Z",
    updatedAt: "2026-02-03T04:05:06.000Z",
    tenantId: tenantOf(n),
    ownerId: subjectOf(n),
    billingEmail: `billing-${n}@example.com`,
    internalNotes: "migrated from the old cluster; do not show",
  };
}
