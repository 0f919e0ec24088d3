/** Status and metrics are open to every network. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const reconcilerListenOpen: Rule = {
  id: "reconciler/listen-open",
  severity: "info",
  title: "status and metrics are open to every network",
  *check({ set }) {
    if (set.reconciler !== undefined && ["0.0.0.0", "::"].includes(set.reconciler.listen.host)) {
      yield inSpec("Reconciler", set.reconciler.name, ["listen", "host"], {
        message: `status and metrics listen on ${set.reconciler.listen.host}`,
        hint: "they tell everybody what can be restored and what not; bind to one address or put a network policy before it",
      });
    }
  },
};
