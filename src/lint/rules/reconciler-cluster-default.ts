/** The cluster has a name every other one has too. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const reconcilerClusterDefault: Rule = {
  id: "reconciler/cluster-default",
  severity: "warning",
  title: "the cluster has a name every other one has too",
  *check({ set }) {
    if (set.reconciler?.cluster === "default") {
      yield inSpec("Reconciler", set.reconciler.name, ["cluster"], {
        message: "the cluster is called 'default'",
        hint: "a second cluster of that name would take the stores for its own; give it a name",
      });
    }
  },
};
