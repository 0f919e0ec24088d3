/** Something in no backup was accepted until a day that is over. */
import { isOver } from "../../policy/waiver-end.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const coverageWaiverExpired: Rule = {
  id: "coverage/waiver-expired",
  severity: "warning",
  title: "something in no backup was accepted until a day that is over",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      for (const [i, waiver] of (policy.coverage?.waivers ?? []).entries()) {
        if (!isOver(waiver.until, nowMs)) continue;
        yield inPolicy(policy, ["coverage", "waivers", i, "until"], {
          message: `the acceptance of '${waiver.item.slice(0, 80)}' ran out on ${waiver.until}`,
          hint: `take it into a policy, or ask ${waiver.owner.slice(0, 80)} to accept it anew`,
        });
      }
    }
  },
};
