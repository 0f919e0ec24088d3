/** Bytes are stored without encryption. */
import { inPolicy, isCarriedByTool } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionMissing: Rule = {
  id: "encryption/missing",
  severity: "error",
  title: "bytes are stored without encryption",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.encryption.recipients.length > 0) continue;
      const isCarried = isCarriedByTool(policy);
      yield inPolicy(policy, isCarried ? ["capture", "method"] : ["component"], {
        message: isCarried
          ? `the tool behind '${policy.capture.method}' carries the bytes itself and Holdfast cannot encrypt them`
          : `the policy '${policy.name}' names no recipient, so its backups are stored in the clear`,
        hint: isCarried
          ? "let the bucket encrypt at rest and accept this with a waiver that says so"
          : "whoever reads the bucket reads the data; add encryption: {recipients: [runner, escrow]}",
      });
    }
  },
};
