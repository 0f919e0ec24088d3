/** An object lock of no days. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeLockZeroDays: Rule = {
  id: "store/lock-zero-days",
  severity: "error",
  title: "an object lock of no days",
  *check({ set }) {
    for (const store of set.stores) {
      if (store.objectLock.mode === "none" || store.objectLock.days > 0) continue;
      yield inSpec("Store", store.name, ["objectLock", "mode"], {
        message: `the lock '${store.objectLock.mode}' lasts 0 days`,
        hint: "objects look locked and are not; set objectLock.days",
      });
    }
  },
};
