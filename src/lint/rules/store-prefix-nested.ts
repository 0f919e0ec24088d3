/** One policy's prefix lies inside another's. */
import { inPolicy } from "../places.ts";
import { outerPrefix, prefixesOf } from "../prefixes.ts";
import type { Rule } from "../rule.ts";

export const storePrefixNested: Rule = {
  id: "store/prefix-nested",
  severity: "error",
  title: "one policy's prefix lies inside another's",
  *check({ set }) {
    const owners = new Map<string, string>();
    for (const place of prefixesOf(set)) owners.set(`${place.store} ${place.prefix}`, place.label);
    for (const place of prefixesOf(set)) {
      const outer = outerPrefix(place, owners);
      if (outer === undefined) continue;
      yield inPolicy(place.policy, place.path, {
        message: `'${place.prefix}' in the store '${place.store}' lies inside '${outer.prefix}' of ${outer.label}`,
        hint: "the outer policy would list and prune the inner one's objects; put them side by side",
      });
    }
  },
};
