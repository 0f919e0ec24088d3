/** What is written cannot be read back. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeNoReadCredentials: Rule = {
  id: "store/no-read-credentials",
  severity: "warning",
  title: "what is written cannot be read back",
  *check({ set }) {
    for (const store of set.stores) {
      const { write, read } = store.credentials;
      if (write === undefined || read !== undefined) continue;
      yield inSpec("Store", store.name, ["credentials"], {
        atKey: true,
        message: `the store '${store.name}' has an identity that writes and none that reads`,
        hint: "without it nothing can be verified or restored; add credentials.read",
      });
    }
  },
};
