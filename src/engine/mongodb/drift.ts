/** What a policy needs of its server, compared with what the server has. Pure. */
import type { Policy } from "../../policy/model.ts";
import type { Drift } from "../../state/job.ts";
import type { ServerFacts } from "./facts.ts";
import { entryMs } from "./oplog.ts";

const hourMs = 3_600_000;
/** A receiver that was away for a night and a dump that takes hours must both fit. */
const wantedWindowMs = 24 * hourMs;
const fullShare = 0.9;
/** Any of them may read everything a dump reads. */
const readingRoles = ["backup", "root", "__system"];

/** Worst first. */
export function driftOf(policy: Policy, facts: ServerFacts): readonly Drift[] {
  const found = [...replication(policy, facts), ...oplogWindow(policy, facts), ...rights(policy, facts)];
  return found.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "critical" ? -1 : 1));
}

export function wantsOplog(policy: Policy): boolean {
  return policy.capture.options["oplog"] !== false;
}

/**
 * How long an entry stays in the oplog at the present rate of writing, in milliseconds. An oplog that is not
 * full yet reaches further back once it is. Undefined where there is none.
 */
export function oplogWindowMs(facts: ServerFacts): number | undefined {
  if (facts.oplog === undefined) return undefined;
  const { oldest, newest, sizeBytes, limitBytes } = facts.oplog;
  const spanMs = Math.max(0, entryMs(newest) - entryMs(oldest));
  const isFull = limitBytes === 0 || sizeBytes >= limitBytes * fullShare;
  if (isFull || sizeBytes === 0) return isFull ? spanMs : undefined;
  return spanMs * (limitBytes / sizeBytes);
}

function replication(policy: Policy, facts: ServerFacts): readonly Drift[] {
  if (!wantsOplog(policy) && policy.log === undefined) return [];
  const wanted = policy.connection["replicaSet"];
  if (facts.replicaSet === undefined) {
    return [
      {
        setting: "replication.replSetName",
        wanted: typeof wanted === "string" ? wanted : "a replica set",
        found: "standalone",
        consequence: "there is no oplog: a dump is not one instant, and nothing between dumps is kept",
        mend: "start mongod with --replSet rs0 and run rs.initiate(); one member is enough",
        mendable: false,
        severity: "critical",
      },
    ];
  }
  if (typeof wanted === "string" && wanted !== facts.replicaSet) {
    return [
      {
        setting: "replication.replSetName",
        wanted,
        found: facts.replicaSet,
        consequence: "the policy's address leads to another replica set than it names",
        mend: "correct connection.host or connection.replicaSet in the policy",
        mendable: false,
        severity: "critical",
      },
    ];
  }
  if (facts.oplog !== undefined) return [];
  return [
    {
      setting: "local.oplog.rs",
      wanted: "readable, with entries",
      found: "missing, empty or not readable",
      consequence: "neither a consistent dump nor the oplog between dumps can be taken",
      mend: 'db.grantRolesToUser("holdfast", [{role: "backup", db: "admin"}]), or rs.initiate()',
      mendable: false,
      severity: "critical",
    },
  ];
}

function oplogWindow(policy: Policy, facts: ServerFacts): readonly Drift[] {
  const windowMs = oplogWindowMs(facts);
  if (windowMs === undefined || windowMs >= wantedWindowMs) return [];
  if (!wantsOplog(policy) && policy.log === undefined) return [];
  const limitMb = Math.round((facts.oplog?.limitBytes ?? 0) / 1024 / 1024);
  const factor = wantedWindowMs / Math.max(windowMs, 60_000);
  const wantedMb = Math.max(990, Math.ceil(limitMb * Math.min(factor, 100)));
  const isTight = windowMs < Math.max(policy.objectives.rpoMs * 3, hourMs);
  return [
    {
      setting: "replication.oplogSizeMB",
      wanted: "a window of 24 h or more",
      found: `${(windowMs / hourMs).toFixed(1)} h in ${limitMb} MB`,
      consequence: isTight
        ? "a dump, or a receiver that is away for an hour, loses the oplog it needs, and the chain breaks"
        : "a receiver that is away overnight breaks the chain of slices",
      mend: `db.adminCommand({replSetResizeOplog: 1, size: ${wantedMb}, minRetentionHours: 24})`,
      mendable: false,
      severity: isTight ? "critical" : "warning",
    },
  ];
}

function rights(policy: Policy, facts: ServerFacts): readonly Drift[] {
  if (facts.roles === undefined || facts.roles.some((r) => readingRoles.includes(r))) return [];
  return [
    {
      setting: "roles",
      wanted: "backup",
      found: facts.roles.length === 0 ? "none" : facts.roles.join(", "),
      consequence: "collections the user may not see are missing from every dump",
      mend: `db.grantRolesToUser("${String(policy.connection["user"] ?? "")}", [{role: "backup", db: "admin"}])`,
      mendable: false,
      severity: "critical",
    },
  ];
}
