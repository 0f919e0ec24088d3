/** Two policies write under one prefix. */
import { inPolicy } from "../places.ts";
import { prefixesOf } from "../prefixes.ts";
import type { Rule } from "../rule.ts";

export const storePrefixShared: Rule = {
  id: "store/prefix-shared",
  severity: "error",
  title: "two policies write under one prefix",
  *check({ set }) {
    const owners = new Map<string, string>();
    for (const place of prefixesOf(set)) {
      const key = `${place.store} ${place.prefix}`;
      const first = owners.get(key);
      if (first === undefined) {
        owners.set(key, place.label);
        continue;
      }
      yield inPolicy(place.policy, place.path, {
        message: `'${place.prefix}' in the store '${place.store}' already belongs to ${first}`,
        hint: "each would list, judge and prune the other's objects; give each a prefix of its own",
      });
    }
  },
};
