/** A receiver no alert goes to. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertReceiverUnused: Rule = {
  id: "alert/receiver-unused",
  severity: "warning",
  title: "a receiver no alert goes to",
  *check({ set }) {
    const used = new Set(set.alerts.flatMap((alert) => alert.receivers));
    for (const receiver of set.receivers) {
      // A dead-man receiver is called by the reconciler while all is well.
      if (receiver.type === "dead-man" || used.has(receiver.name)) continue;
      yield inList("AlertTable", ["receivers", receiver.name, "name"], {
        message: `no alert goes to the receiver '${receiver.name}'`,
        hint: "its owner believes he would be told; name it in an alert or remove it",
      });
    }
  },
};
