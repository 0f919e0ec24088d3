/** One order for everything a report is made of, so that the order it was gathered in leaves no trace in a byte. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { PolicyReport, ReportInput } from "./input.ts";

/** Policies by name, what has an instant oldest first. */
export function inOrder(input: ReportInput): ReportInput {
  return {
    ...input,
    policies: input.policies.map(policyInOrder).sort(by((p) => [p.policy.name])),
    notBuilt: [...input.notBuilt].sort(by((n) => [n.policy, n.component])),
    waivers: [...input.waivers].sort(by((w) => [w.until, w.document, w.rule, w.owner, w.reason])),
    existing: [...new Set(input.existing)].sort(),
  };
}

function policyInOrder(entry: PolicyReport): PolicyReport {
  const { catalogue } = entry;
  return {
    ...entry,
    runs: [...entry.runs].sort(by((r) => [r.startedAt, r.key, r.slotAt, String(r.attempt ?? 0)])),
    prune: [...entry.prune].sort(by((p) => [p.at, p.point, String(p.removedBytes)])),
    episodes: [...entry.episodes].sort(by((e) => [e.fromAt, e.kind, e.toAt ?? ""])),
    drills: verdictsInOrder(entry.drills),
    ...(catalogue === undefined ? {} : { catalogue: catalogueInOrder(catalogue) }),
  };
}

function catalogueInOrder(catalogue: Catalogue): Catalogue {
  return {
    ...catalogue,
    points: catalogue.points
      .map((point) => ({ ...point, verdicts: verdictsInOrder(point.verdicts) }))
      .sort(by((p) => [p.manifest.slotAt, p.manifest.id])),
    remarks: [...catalogue.remarks].sort(),
    unreadable: [...catalogue.unreadable].sort(by((u) => [u.id, u.reason])),
  };
}

function verdictsInOrder(verdicts: readonly Verdict[]): readonly Verdict[] {
  return [...verdicts].sort(by((v) => [v.at, v.point, String(v.asked), String(v.level)]));
}

function by<T>(keys: (value: T) => readonly string[]): (a: T, b: T) => number {
  return (a, b) => {
    const [left, right] = [keys(a), keys(b)];
    for (const [index, key] of left.entries()) {
      const other = right[index] ?? "";
      if (key !== other) return key < other ? -1 : 1;
    }
    return 0;
  };
}
