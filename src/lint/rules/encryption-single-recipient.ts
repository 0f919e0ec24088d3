/** One lost key loses every backup. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionSingleRecipient: Rule = {
  id: "encryption/single-recipient",
  severity: "warning",
  title: "one lost key loses every backup",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.encryption.recipients.length !== 1) continue;
      yield inPolicy(policy, ["encryption", "recipients"], {
        message: `'${policy.encryption.recipients[0]}' is the only recipient`,
        hint: "when this key is lost so are the backups; add a second one that is kept elsewhere",
      });
    }
  },
};
