/** Drills cannot open the backups. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionNoRunner: Rule = {
  id: "encryption/no-runner",
  severity: "error",
  title: "drills cannot open the backups",
  *check({ set }) {
    const roles = new Map(set.keys.map((key) => [key.name, key.role]));
    for (const policy of set.policies) {
      const { recipients } = policy.encryption;
      if (recipients.length === 0 || recipients.some((name) => roles.get(name) === "runner")) continue;
      yield inPolicy(policy, ["encryption", "recipients"], {
        message: "no recipient is a runner key",
        hint: "without it no drill can decrypt a point, so none is ever proved; add a key of role runner",
      });
    }
  },
};
