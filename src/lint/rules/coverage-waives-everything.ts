/** One waiver accepts every thing of a kind. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const coverageWaivesEverything: Rule = {
  id: "coverage/waives-everything",
  severity: "warning",
  title: "one waiver accepts every thing of a kind",
  *check({ set }) {
    for (const policy of set.policies) {
      for (const [i, { item }] of (policy.coverage?.waivers ?? []).entries()) {
        const [kind = "", ...name] = item.split("/");
        if (name.join("/").replaceAll("*", "") !== "") continue;
        yield inPolicy(policy, ["coverage", "waivers", i, "item"], {
          message: `every ${kind} of the source is accepted, also the ones that come tomorrow`,
          hint: "name what is accepted; a part of the name before the * is enough",
        });
      }
    }
  },
};
