/** Ids of the seeded accounts. */
export const userIds = {
  alice: "11111111-1111-4111-8111-111111111111",
  bob: "22222222-2222-4222-8222-222222222222",
  carol: "33333333-3333-4333-8333-333333333333",
  admin: "44444444-4444-4444-8444-444444444444",
} as const;

export type Person = keyof typeof userIds;

/** The seeded accounts' names in `user`, and their passwords. */
export const accountOf = (name: Person) => ({
  user: `${name}@projects.example`,
  password: `${name}-battery-staple`,
});

/** What all variants agree on. */
export const issuer = "https://id.projects.example";
export const audience = "https://api.projects.example";
export const appOrigin = "https://app.projects.example";
export const sessionCookie = "__Host-session";
export const tokenSeconds = 900;
export const webhookPath = "/v1/webhooks/billing";
export const keyPrefix = "prj";
