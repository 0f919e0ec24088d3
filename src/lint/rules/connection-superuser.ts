/** Backups are taken with all rights. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const connectionSuperuser: Rule = {
  id: "connection/superuser",
  severity: "info",
  title: "backups are taken with all rights",
  *check({ set }) {
    for (const policy of set.policies) {
      const { user } = policy.connection;
      if (typeof user !== "string" || !["postgres", "root", "admin", "sa"].includes(user)) continue;
      yield inPolicy(policy, ["connection", "user"], {
        message: `'${user}' may do more than a backup needs`,
        hint: "who steals this password owns the database; make a user with the rights of a backup alone",
      });
    }
  },
};
