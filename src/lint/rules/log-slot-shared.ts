/** Two policies read through one replication slot. */
import type { Policy } from "../../policy/model.ts";
import { inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const logSlotShared: Rule = {
  id: "log/slot-shared",
  severity: "error",
  title: "two policies read through one replication slot",
  *check({ set }) {
    const bySlot = new Map<string, Policy>();
    for (const policy of set.policies) {
      if (policy.log === undefined || policy.log.slot === "") continue;
      const { host, port } = policy.connection;
      const key = `${String(host)} ${String(port)} ${policy.log.slot}`;
      const first = bySlot.get(key);
      if (first === undefined) {
        bySlot.set(key, policy);
        continue;
      }
      yield inPolicy(policy, [logKey(policy), "slot"], {
        message: `the slot '${policy.log.slot}' is also read by the policy '${first.name}'`,
        hint: "each reader moves the slot on and the other loses log; give each policy a slot of its own",
      });
    }
  },
};
