/** Nobody notices when Holdfast itself falls silent. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertNoDeadMan: Rule = {
  id: "alert/no-dead-man",
  severity: "info",
  title: "nobody notices when Holdfast itself falls silent",
  *check({ set }) {
    if (set.alerts.length > 0 && !set.receivers.some((receiver) => receiver.type === "dead-man")) {
      yield inList("AlertTable", ["alerts"], {
        atKey: true,
        message: "no receiver is of type dead-man",
        hint: "a reconciler that has stopped sends no alert; add a dead-man receiver that misses its call",
      });
    }
  },
};
