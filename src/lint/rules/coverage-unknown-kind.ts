/** A waiver of a kind of thing that the component does not hold. */
import { componentFacts } from "../../component.ts";
import { suggest } from "../../policy/nearest.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const coverageUnknownKind: Rule = {
  id: "coverage/unknown-kind",
  severity: "error",
  title: "a waiver of a kind of thing that the source does not hold",
  *check({ set }) {
    for (const policy of set.policies) {
      const { holds, title } = componentFacts(policy.component);
      for (const [i, { item }] of (policy.coverage?.waivers ?? []).entries()) {
        const kind = item.slice(0, item.indexOf("/"));
        if (holds.includes(kind)) continue;
        yield inPolicy(policy, ["coverage", "waivers", i, "item"], {
          message: `'${kind}' is no kind of thing that ${title} holds`,
          hint: suggest(kind, holds),
        });
      }
    }
  },
};
