/** The log is streamed without a slot. */
import { factsOf, inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const logSlotMissing: Rule = {
  id: "log/slot-missing",
  severity: "warning",
  title: "the log is streamed without a slot",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.log?.mode !== "stream" || policy.log.slot !== "" || factsOf(policy).log !== "WAL") continue;
      yield inPolicy(policy, [logKey(policy)], {
        atKey: true,
        message: "the log is streamed without a replication slot",
        hint: "the server removes segments the receiver has not seen after a short outage; name a slot",
      });
    }
  },
};
