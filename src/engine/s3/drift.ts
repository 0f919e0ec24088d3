/** What the policy wants of the two buckets, compared with what they are set to. Pure. */
import type { Policy } from "../../policy/model.ts";
import type { Drift } from "../../state/job.ts";
import type { Posture, Rule } from "./posture.ts";
import type { ReplicationSettings } from "./sides.ts";

const dayMs = 86_400_000;

/** Worst first. */
export function driftOf(policy: Policy, wanted: ReplicationSettings, found: Posture): readonly Drift[] {
  const all = [...versioningDrift(found), ...ruleDrift(wanted, found), ...expiryDrift(policy, found)];
  return all.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "critical" ? -1 : 1));
}

function versioningDrift({ sourceVersioning, replicaVersioning }: Posture): readonly Drift[] {
  const drift = (side: string): Drift => ({
    setting: `${side}.versioning`,
    wanted: "enabled",
    found: "off",
    consequence:
      side === "source"
        ? "nothing can be replicated from it"
        : "an object that is overwritten or deleted at the source is lost in the replica too",
    mend: `mc version enable ${side}/BUCKET`,
    mendable: true,
    severity: "critical",
  });
  return [...(sourceVersioning ? [] : [drift("source")]), ...(replicaVersioning ? [] : [drift("replica")])];
}

function ruleDrift(wanted: ReplicationSettings, { rules }: Posture): readonly Drift[] {
  if (rules === undefined) {
    return [
      {
        setting: "replication.rule",
        wanted: "a rule for every key",
        found: "the server knows no replication",
        consequence: "nothing is carried over by the servers",
        mend: "replicate with mc mirror --watch, or move to a server that replicates",
        mendable: false,
        severity: "critical",
      },
    ];
  }
  const rule = rules.find((r) => r.isEnabled && r.prefix === "");
  if (rule === undefined) {
    return [
      {
        setting: "replication.rule",
        wanted: "an enabled rule for every key",
        found: describe(rules),
        consequence: "objects are not carried over: a disaster costs everything since it stopped",
        mend: "mc replicate add source/BUCKET --remote-bucket replica/BUCKET",
        mendable: true,
        severity: "critical",
      },
    ];
  }
  const parts = [
    [
      "existingObjects",
      wanted.existingObjects,
      rule.existingObjects,
      "objects older than the rule are not in the replica",
    ],
    [
      "deleteMarkers",
      wanted.deleteMarkers,
      rule.deleteMarkers,
      "deleted objects live on in the replica, or the other way round",
    ],
    ["deletes", wanted.deletes, rule.deletes, "deletions of versions are not treated as the policy says"],
  ] as const;
  return parts
    .filter(([, want, have]) => have !== undefined && want !== have)
    .map(([name, want, have, consequence]) => ({
      setting: `replication.${name}`,
      wanted: onOff(want),
      found: onOff(have === true),
      consequence,
      mend: "mc replicate update source/BUCKET --id ID --replicate …",
      mendable: true,
      severity: name === "existingObjects" ? "critical" : "warning",
    }));
}

function expiryDrift(policy: Policy, { replicaExpiryDays, replicaLockDays }: Posture): readonly Drift[] {
  const { reachMs } = policy.objectives;
  const reachDays = reachMs === "forever" ? Number.POSITIVE_INFINITY : reachMs / dayMs;
  if (replicaExpiryDays === undefined || replicaExpiryDays >= reachDays || replicaLockDays >= reachDays)
    return [];
  return [
    {
      setting: "replica.lifecycle",
      wanted: Number.isFinite(reachDays) ? `${Math.ceil(reachDays)} days or more` : "no expiry",
      found: `${replicaExpiryDays} days`,
      consequence: "the replica drops versions the policy promises to keep",
      mend: "take the rule out of the replica's lifecycle, or shorten objectives.reach",
      mendable: false,
      severity: "critical",
    },
  ];
}

function describe(rules: readonly Rule[]): string {
  if (rules.length === 0) return "none";
  return rules.map((r) => `${r.isEnabled ? "enabled" : "disabled"} for '${r.prefix}'`).join(", ");
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
