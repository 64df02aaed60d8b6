import { z } from "zod";

/** What a client may write of a project. Everything else of it is set by the server. */
export const ProjectFields = z.strictObject({
  name: z.string().min(1).max(100),
  url: z.url({ protocol: /^https$/ }).max(500),
});

export const ProjectPath = z.strictObject({ id: z.uuid() });
export const CommentPath = z.strictObject({ id: z.uuid(), commentId: z.uuid() });
export const MemberPath = z.strictObject({ id: z.uuid(), userId: z.uuid() });
export const UserPath = z.strictObject({ userId: z.uuid() });
export const KeyPath = z.strictObject({ keyId: z.string().regex(/^[0-9A-Za-z]{16}$/) });

export const NewComment = z.strictObject({ body: z.string().min(1).max(1000) });
export const MemberRole = z.strictObject({ role: z.enum(["viewer", "editor"]) });
export const Rename = z.strictObject({ name: z.string().min(1).max(100) });
export const Credentials = z.strictObject({
  email: z.email().max(254),
  password: z.string().min(1).max(128),
});
export const scopes = [
  "projects:read",
  "projects:write",
  "comments:read",
  "comments:write",
  "keys:read",
  "keys:write",
  "account:write",
] as const;
export const NewKey = z.strictObject({
  name: z.string().min(1).max(100),
  scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
});
export const ExportRequest = z.strictObject({ projectId: z.uuid() });
export const PreviewRequest = z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(500) });
export const Search = z.strictObject({ q: z.string().min(1).max(100) });
export const CommentQuery = z.strictObject({ projectId: z.uuid() });
/** What a payment provider delivers; its events have more members than we read. */
export const BillingEvent = z.object({ id: z.string().max(100), type: z.string().max(100) });

/** What leaves of a project: its secret and its notes are in the row and not here. */
export const ProjectView = z.object({
  id: z.uuid(),
  tenantId: z.string(),
  ownerId: z.uuid(),
  name: z.string(),
  url: z.string(),
  createdAt: z.iso.datetime(),
});
export const CommentView = z.object({
  id: z.uuid(),
  projectId: z.uuid(),
  authorId: z.uuid(),
  body: z.string(),
  createdAt: z.iso.datetime(),
});
export const MeView = z.object({
  id: z.uuid(),
  email: z.email(),
  name: z.string(),
  tenantId: z.string(),
  role: z.enum(["member", "admin"]),
});
export const MemberView = z.object({ userId: z.uuid(), role: z.enum(["viewer", "editor"]) });
export const KeyView = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()).max(scopes.length),
  createdAt: z.iso.datetime(),
});
/** The one answer that ever holds the key itself. */
export const IssuedKey = KeyView.extend({ key: z.string() });
export const TokenView = z.object({ token: z.string(), expiresIn: z.int() });
export const ExportView = z.object({ projectId: z.uuid(), name: z.string(), comments: z.int() });
export const PreviewView = z.object({ reachable: z.boolean(), title: z.string() });
export const SummaryView = z.object({ requestedAt: z.iso.datetime(), status: z.string() });
export const Received = z.object({ received: z.boolean() });

/** One page of a list that goes on with a cursor. */
export function cursorPage(item: z.ZodType) {
  return z.object({ items: z.array(item).max(100), next: z.string().nullable() });
}

/** One page of a list that is cut by number. */
export function numberedPage(item: z.ZodType) {
  return z.object({
    items: z.array(item).max(100),
    page: z.int(),
    limit: z.int(),
    total: z.int(),
    pages: z.int(),
  });
}
