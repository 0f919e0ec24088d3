/** No off-line key can open the backups. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionNoEscrow: Rule = {
  id: "encryption/no-escrow",
  severity: "error",
  title: "no off-line key can open the backups",
  *check({ set }) {
    const roles = new Map(set.keys.map((key) => [key.name, key.role]));
    for (const policy of set.policies) {
      const { recipients } = policy.encryption;
      if (recipients.length === 0 || recipients.some((name) => roles.get(name) === "escrow")) continue;
      yield inPolicy(policy, ["encryption", "recipients"], {
        message: "no recipient is an escrow key",
        hint: "the runner's key dies with the cluster it restores; add a key of role escrow that is kept off-line",
      });
    }
  },
};
