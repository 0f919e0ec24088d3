/** An alert goes to a dead-man receiver. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertDeadManTold: Rule = {
  id: "alert/dead-man-told",
  severity: "error",
  title: "an alert goes to a dead-man receiver",
  *check({ set }) {
    const deadMen = new Set(set.receivers.filter((r) => r.type === "dead-man").map((r) => r.name));
    for (const alert of set.alerts) {
      const wrong = alert.receivers.find((name) => deadMen.has(name));
      if (wrong === undefined) continue;
      yield inList("AlertTable", ["alerts", alert.name, "receivers"], {
        message: `the alert '${alert.name}' goes to '${wrong}', which is called while all is well`,
        hint: "a call tells it that all is well, the opposite of the alert; use a webhook, alertmanager or github-issue",
      });
    }
  },
};
