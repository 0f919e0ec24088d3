/** Every line of the strategy stands in the policies the project ships, and means what the strategy says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Policy } from "../../../src/policy/model.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import { schemas } from "./schema-files.ts";

const folder = join(import.meta.dirname, "../../../policies");
const names = readdirSync(folder).sort();
const files = names.map((name) => ({ path: `policies/${name}`, bytes: readFileSync(join(folder, name)) }));
const { set, findings } = readPolicySet(files, schemas);
const dayMs = 86_400_000;

function policy(name: string): Policy {
  const found = set.policies.find((p) => p.name === name);
  if (found === undefined) throw new Error(`no policy '${name}'`);
  return found;
}
const bucket = (name: string) => set.stores.find((s) => s.name === name);

describe("the shipped policies", () => {
  it("have no fault and name their schema first", () => {
    expect(findings).toEqual([]);
    for (const file of files) {
      const first = new TextDecoder().decode(file.bytes).split("\n")[0] ?? "";
      const schema = /^# yaml-language-server: \$schema=(\.\.\/schema\/[a-z-]+\.schema\.json)$/.exec(
        first,
      )?.[1];
      expect(schema, file.path).toBeDefined();
      expect(() => readFileSync(join(folder, schema ?? ""))).not.toThrow();
    }
  });

  it("cover the seven components, in their stores and with their retention", () => {
    const rows = set.policies.map((p) => {
      const store = bucket(p.store.name);
      return [p.name, `${store?.bucket}/${p.store.prefix}`, store?.region, p.retention.keep];
    });
    expect(rows).toEqual([
      ["clickhouse", "bud-backups/clickhouse/", "us-east-1", { daily: 14 }],
      ["kubernetes", "bud-velero/backups/", "us-east-1", { daily: 30 }],
      ["minio", "bud-models-dr/holdfast/minio/", "us-west-2", { forever: true }],
      ["mongodb", "bud-backups/mongodb/", "us-east-1", { daily: 14 }],
      ["postgresql", "bud-backups/postgresql/", "us-east-1", { daily: 7, weekly: 4, monthly: 12, yearly: 1 }],
      ["redis", "bud-backups/redis/", "us-east-1", { daily: 7 }],
      ["secrets", "bud-secrets-backup/", "us-east-1", { forever: true }],
    ]);
    for (const p of set.policies) expect(bucket(p.store.name)?.failureDomain).not.toBe(p.failureDomain);
  });

  it("PostgreSQL: nightly base backup with gzip, encrypted, and continuous WAL for any instant of a week", () => {
    const p = policy("postgresql");
    expect(p.schedule).toEqual({ kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" });
    expect(p.capture).toMatchObject({ method: "base-backup", codec: "gzip" });
    expect(p.encryption.recipients).toEqual(["runner", "escrow"]);
    expect(p.objectives).toEqual({
      rpoMs: 300_000,
      rtoMs: 3_600_000,
      reachMs: 30 * dayMs,
      pitrWindowMs: 7 * dayMs,
    });
    expect(p.log).toMatchObject({
      mode: "stream",
      store: { prefix: "wal/" },
      retention: { keep: { days: 7 } },
      slot: "holdfast_postgresql",
    });
    expect(bucket(p.log?.store.name ?? "")?.bucket).toBe("bud-wal-archive");
    expect(p.connection["host"]).toBe("postgres.bud-data.svc");
  });

  it("ClickHouse, MongoDB and Redis", () => {
    expect(policy("clickhouse").capture).toMatchObject({
      method: "clickhouse-backup",
      codec: "none",
      options: { keepRemote: 14, keepLocal: 2 },
    });
    expect(policy("mongodb").capture).toMatchObject({
      method: "mongodump",
      codec: "gzip",
      options: { oplog: true },
    });
    expect(policy("redis").schedule).toMatchObject({ kind: "cron", cron: "0 * * * *" });
    expect(policy("redis").capture).toMatchObject({
      method: "rdb-aof",
      options: {
        appendOnly: true,
        appendFsync: "everysec",
        savePoints: [
          { seconds: 3600, changes: 1 },
          { seconds: 300, changes: 100 },
          { seconds: 60, changes: 10_000 },
        ],
      },
    });
  });

  it("MinIO, Kubernetes and secrets", () => {
    expect(policy("minio")).toMatchObject({
      component: "s3",
      schedule: { kind: "continuous" },
      connection: { bucket: "bud-models" },
      objectives: { reachMs: "forever" },
      capture: { options: { existingObjects: true, deletes: true, deleteMarkers: true } },
    });
    expect(policy("kubernetes")).toMatchObject({
      schedule: { cron: "0 3 * * *", timeZone: "Etc/UTC" },
      connection: { namespace: "velero" },
      capture: {
        options: {
          includedNamespaces: ["*"],
          productionNamespaces: ["bud-system", "bud-data", "bud-auth"],
          persistentVolumes: true,
          ttl: "720h",
        },
      },
    });
    expect(policy("secrets")).toMatchObject({
      schedule: { kind: "change" },
      objectives: { reachMs: "forever" },
      encryption: { recipients: ["runner", "escrow"] },
      capture: { options: { versions: "all" } },
    });
  });

  it("the checklist and the alerts", () => {
    const [checklist] = set.checklists;
    expect(checklist?.minimumSizeRatio).toBe(0.8);
    expect(checklist?.escrowEveryMs).toBe(180 * dayMs);
    expect(checklist?.checks.map((c) => [c.name, c.level, c.everyMs / dayMs, c.automated])).toEqual([
      ["Backup exists", 0, 1, "yes"],
      ["Backup size reasonable", 1, 1, "yes"],
      ["Checksum valid", 2, 7, "yes"],
      ["Checksum valid to the vendor's checker", 3, 7, "yes"],
      ["Restore to test env", 4, 7, "yes"],
      ["Full restore test", 5, 31, "partial"],
      ["Full restore test of the whole stack", 6, 31, "yes"],
    ]);
    // The strategy's four, by its own names; what operating needs comes after them.
    expect(set.alerts.slice(0, 4).map((a) => [a.name, a.when, a.severity])).toEqual([
      ["Backup Failed", "backup-failed", "critical"],
      ["Backup Missing", "backup-missing", "critical"],
      ["Backup Too Small", "backup-too-small", "warning"],
      ["Verification Failed", "verification-failed", "critical"],
    ]);
    expect(set.alerts.slice(4).map((a) => a.when)).toEqual([
      "rpo-missed",
      "rto-missed",
      "reach-missed",
      "pitr-gap",
      "log-behind",
      "log-slot-lost",
      "verification-overdue",
      "unproven",
      "escrow-unproven",
      "source-drift",
      "job-drift",
      "report-overdue",
    ]);
  });
});
