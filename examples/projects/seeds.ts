import { randomBytes, randomUUID } from "node:crypto";
import type { Data } from "./data/data.ts";
import type { Comment, Member, ProjectRow, User } from "./data/schema.ts";
import { hashPassword } from "./passwords.ts";

/** The made-up accounts: three of one tenant, one of them its administrator, and one of another tenant. */
export const accounts = {
  alice: account("11111111-1111-4111-8111-111111111111", "alice", "acme", "member"),
  bob: account("22222222-2222-4222-8222-222222222222", "bob", "acme", "member"),
  carol: account("33333333-3333-4333-8333-333333333333", "carol", "globex", "member"),
  admin: account("99999999-9999-4999-8999-999999999999", "admin", "acme", "admin"),
};

/** One of the made-up accounts, with its password. */
export type SeededAccount = (typeof accounts)["alice"];

/** Fills an empty database with the accounts and their projects; one that has been filled before is left alone. */
export async function seed({ users, projects, comments }: Data): Promise<void> {
  if ((await users.byId(accounts.alice.id)) !== undefined) return;
  await users.insert(await Promise.all(Object.values(accounts).map(userOf)));

  const rows: ProjectRow[] = [];
  const members: Member[] = [];
  const firstComments: Comment[] = [];
  for (let n = 0; n < SEEDED_PROJECTS; n++) {
    const owner = n % 6 === 0 ? accounts.carol : accounts.alice;
    const projectId = randomUUID();
    const createdAt = new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
    rows.push({
      id: projectId,
      tenantId: owner.tenantId,
      ownerId: owner.id,
      name: `${owner.name}'s project ${n}`,
      url: `https://project-${n}.example`,
      backendType: "supabase",
      backendSecret: `service_role_${randomBytes(16).toString("hex")}`,
      internalNotes: "Behind on its invoices, do not mention.",
      createdAt,
    });
    members.push({ projectId, userId: owner.id, role: "owner" });
    firstComments.push({
      id: randomUUID(),
      projectId,
      authorId: owner.id,
      authorIp: "127.0.0.1",
      replyToId: null,
      body: `First comment on project ${n}`,
      createdAt,
    });
  }
  await projects.insert(rows, members);
  await comments.insert(firstComments);
}

// More projects than any page holds.
const SEEDED_PROJECTS = 120;

function account(id: string, name: string, tenantId: string, role: User["role"]) {
  return {
    id,
    name,
    email: `${name}@${tenantId}.example`,
    password: `correct horse battery staple ${name}`,
    tenantId,
    role,
  };
}

async function userOf({ password, ...user }: SeededAccount): Promise<User> {
  return { ...user, passwordHash: await hashPassword(password), disabledAt: null };
}
