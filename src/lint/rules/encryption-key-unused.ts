/** A key that opens nothing. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionKeyUnused: Rule = {
  id: "encryption/key-unused",
  severity: "warning",
  title: "a key that opens nothing",
  *check({ set }) {
    const used = new Set(set.policies.flatMap((policy) => policy.encryption.recipients));
    for (const key of set.keys) {
      if (set.policies.length === 0 || used.has(key.name)) continue;
      yield inList("KeyRing", ["keys", key.name, "name"], {
        message: `no policy encrypts to the key '${key.name}'`,
        hint: "its owner believes he can open the backups; name it in a policy or remove it",
      });
    }
  },
};
