/** An alert that reaches nobody. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertNoReceiver: Rule = {
  id: "alert/no-receiver",
  severity: "error",
  title: "an alert that reaches nobody",
  *check({ set }) {
    for (const alert of set.alerts) {
      if (alert.receivers.length > 0) continue;
      yield inList("AlertTable", ["alerts", alert.name, "name"], {
        message: `the alert '${alert.name}' names no receiver`,
        hint: "it fires and nobody hears it; name a receiver",
      });
    }
  },
};
