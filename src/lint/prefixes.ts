/** Who owns which key prefix. Compared by walking up one prefix, so 10,000 policies cost 10,000 walks. */
import type { Policy, PolicySet, YamlPath } from "../policy/model.ts";
import { logKey } from "./places.ts";

export interface PrefixPlace {
  readonly policy: Policy;
  readonly store: string;
  readonly prefix: string;
  /** Below `spec`. */
  readonly path: YamlPath;
  /** For messages. */
  readonly label: string;
}

/** Every prefix the policies write to, logs included, in the order of the policies. */
export function* prefixesOf(set: PolicySet): Generator<PrefixPlace> {
  for (const policy of set.policies) {
    const label = `the policy '${policy.name}'`;
    yield {
      policy,
      store: policy.store.name,
      prefix: policy.store.prefix,
      path: ["store", "prefix"],
      label,
    };
    if (policy.log === undefined) continue;
    yield {
      policy,
      store: policy.log.store.name,
      prefix: policy.log.store.prefix,
      path: [logKey(policy), "store", "prefix"],
      label: `the log of ${label}`,
    };
  }
}

/** The nearest owned prefix around a place, itself left out; `owners` maps "store prefix" to a label. */
export function outerPrefix(
  place: PrefixPlace,
  owners: ReadonlyMap<string, string>,
): { readonly prefix: string; readonly label: string } | undefined {
  let prefix = place.prefix;
  while (prefix !== "") {
    prefix = prefix.slice(0, prefix.lastIndexOf("/", prefix.length - 2) + 1);
    const label = owners.get(`${place.store} ${prefix}`);
    if (label !== undefined) return { prefix, label };
  }
  return undefined;
}
