/** One key under two names. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const encryptionKeyTwice: Rule = {
  id: "encryption/key-twice",
  severity: "error",
  title: "one key under two names",
  *check({ set }) {
    const byRecipient = new Map<string, string>();
    for (const key of set.keys) {
      const first = byRecipient.get(key.recipient);
      if (first === undefined) byRecipient.set(key.recipient, key.name);
      else {
        yield inList("KeyRing", ["keys", key.name, "recipient"], {
          message: `the key '${key.name}' is the same as '${first}'`,
          hint: "two names look like two ways to open the backups and are one; make a key of its own",
        });
      }
    }
  },
};
