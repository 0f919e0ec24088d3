/** No document says who carries the policies out. */
import type { Rule } from "../rule.ts";

export const reconcilerMissing: Rule = {
  id: "reconciler/missing",
  severity: "info",
  title: "no document says who carries the policies out",
  *check({ set }) {
    const first = set.policies[0];
    if (set.reconciler === undefined && first !== undefined) {
      yield {
        document: { kind: "BackupPolicy", name: first.name },
        path: ["metadata", "name"],
        message: "no Reconciler document is among these files",
        hint: "the stores' identity marker then carries the cluster name 'default'; add a Reconciler",
      };
    }
  },
};
