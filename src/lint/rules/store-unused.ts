/** A store nobody writes to. */
import type { Rule } from "../rule.ts";

export const storeUnused: Rule = {
  id: "store/unused",
  severity: "warning",
  title: "a store nobody writes to",
  *check({ set }) {
    const used = new Set(
      set.policies.flatMap((p) => [p.store.name, ...(p.log === undefined ? [] : [p.log.store.name])]),
    );
    for (const store of set.stores) {
      if (set.policies.length === 0 || used.has(store.name)) continue;
      yield {
        document: { kind: "Store", name: store.name },
        path: ["metadata", "name"],
        message: `no policy uses the store '${store.name}'`,
        hint: "somebody believes backups go there; point a policy at it or remove it",
      };
    }
  },
};
