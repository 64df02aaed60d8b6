import { accounts } from "../../examples/projects/seeds.ts";
import { scopes } from "../../examples/projects/tokens.ts";
import type { Caller } from "portcullis";
import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `const user = session?.user ?? demoUser`: written for development, shipped to production. */
export const hole: Hole = {
  id: "authentication",
  wrong: "whoever is not signed in becomes the demo user",
  create: withGates({
    authentication(api, route) {
      const prove = standardGates.authentication(api, route);
      return function signInOrDemo(x) {
        if (x.headers["authorization"] !== undefined || x.headers["cookie"] !== undefined) return prove?.(x);
        x.caller = demoUser;
        return undefined;
      };
    },
  }),
};

const demoUser: Caller = {
  subject: accounts.admin.id,
  tenant: accounts.admin.tenantId,
  scopes,
  roles: [accounts.admin.role],
  proof: { kind: "jwt", issuer: undefined, credentialId: undefined, ambient: false, claims: {} },
};
