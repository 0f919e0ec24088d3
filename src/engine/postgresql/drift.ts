/** What a policy needs of its server, compared with what the server has. Pure. */
import type { Policy } from "../../policy/model.ts";
import type { Drift } from "../../state/job.ts";

export interface ServerSettings {
  readonly major: number;
  readonly settings: ReadonlyMap<string, string>;
  readonly slot?: { readonly walStatus: string; readonly slotType: string };
  readonly canReplicate: boolean;
  readonly dataChecksums: boolean;
}

const gibibyte = 1024 ** 3;

/** Worst first. */
export function driftOf(policy: Policy, server: ServerSettings): readonly Drift[] {
  const found = [
    ...durability(server),
    ...replication(policy, server),
    ...archiving(policy, server),
    ...slotDrift(policy, server),
    ...captureDrift(policy, server),
  ];
  return found.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "critical" ? -1 : 1));
}

function setting(server: ServerSettings, name: string): string {
  return server.settings.get(name) ?? "";
}

function durability(server: ServerSettings): readonly Drift[] {
  const found: Drift[] = [];
  for (const name of ["fsync", "full_page_writes"]) {
    if (setting(server, name) !== "off") continue;
    found.push({
      setting: name,
      wanted: "on",
      found: "off",
      consequence: "a crash can corrupt the cluster, and every backup after it",
      mend: `alter system set ${name} = on; select pg_reload_conf();`,
      mendable: true,
      severity: "critical",
    });
  }
  if (!server.dataChecksums) {
    found.push({
      setting: "data_checksums",
      wanted: "on",
      found: "off",
      consequence: "a page that rots on disk is backed up as if it were good",
      mend: "stop the server, pg_checksums --enable, start it",
      mendable: false,
      severity: "warning",
    });
  }
  return found;
}

function replication(policy: Policy, server: ServerSettings): readonly Drift[] {
  const found: Drift[] = [];
  if (setting(server, "wal_level") === "minimal") {
    found.push({
      setting: "wal_level",
      wanted: "replica",
      found: "minimal",
      consequence: "neither base backups nor WAL can be taken",
      mend: "alter system set wal_level = replica; and restart the server",
      mendable: false,
      severity: "critical",
    });
  }
  if (Number(setting(server, "max_wal_senders")) < 2) {
    found.push({
      setting: "max_wal_senders",
      wanted: "2 or more",
      found: setting(server, "max_wal_senders"),
      consequence: "the receiver and a base backup cannot be connected at the same time",
      mend: "alter system set max_wal_senders = 10; and restart the server",
      mendable: false,
      severity: "critical",
    });
  }
  if (!server.canReplicate) {
    found.push({
      setting: "role",
      wanted: "REPLICATION",
      found: "no REPLICATION attribute",
      consequence: "neither base backups nor WAL can be taken",
      mend: "alter role <the policy's user> replication;",
      mendable: false,
      severity: "critical",
    });
  }
  if (policy.log?.mode === "stream" && setting(server, "max_replication_slots") === "0") {
    found.push({
      setting: "max_replication_slots",
      wanted: "1 or more",
      found: "0",
      consequence: "no slot can hold WAL back until the store has it",
      mend: "alter system set max_replication_slots = 10; and restart the server",
      mendable: false,
      severity: "critical",
    });
  }
  return found;
}

function archiving(policy: Policy, server: ServerSettings): readonly Drift[] {
  const found: Drift[] = [];
  const isArchiving = policy.log?.mode === "archive";
  // Hidden from roles that may not read it, and then absent.
  const command = server.settings.get("archive_command");
  if (isArchiving && command === "" && setting(server, "archive_library") === "") {
    found.push({
      setting: "archive_command",
      wanted: "the command holdfast wal prints",
      found: "none",
      consequence: "the server keeps its WAL and hands over none, until its disk is full",
      mend: `holdfast wal ${policy.name} prints the command; alter system set archive_command = '…'; select pg_reload_conf();`,
      mendable: false,
      severity: "critical",
    });
  }
  if (isArchiving && setting(server, "archive_mode") === "off") {
    found.push({
      setting: "archive_mode",
      wanted: "on",
      found: "off",
      consequence: "the server hands over no WAL",
      mend: "alter system set archive_mode = on; set archive_command as src/engine/postgresql/readme.md says; restart",
      mendable: false,
      severity: "critical",
    });
  }
  const timeoutMs = Number(setting(server, "archive_timeout")) * 1000;
  if (isArchiving && (timeoutMs === 0 || timeoutMs > policy.objectives.rpoMs)) {
    found.push({
      setting: "archive_timeout",
      wanted: `at most ${policy.objectives.rpoMs / 1000} s`,
      found: timeoutMs === 0 ? "0 (never)" : `${timeoutMs / 1000} s`,
      consequence: "a slow server hands over a segment only when it is full, later than the RPO allows",
      mend: `alter system set archive_timeout = ${Math.max(1, Math.floor(policy.objectives.rpoMs / 2000))}; select pg_reload_conf();`,
      mendable: true,
      severity: "critical",
    });
  }
  return found;
}

function slotDrift(policy: Policy, server: ServerSettings): readonly Drift[] {
  if (policy.log?.mode !== "stream") return [];
  const found: Drift[] = [];
  const { slot } = policy.log;
  if (server.slot === undefined) {
    found.push({
      setting: "slot",
      wanted: slot,
      found: "none",
      consequence: "the server may throw WAL away before the store has it",
      mend: `holdfast wal ${policy.name} makes it`,
      mendable: true,
      severity: "warning",
    });
  } else if (server.slot.walStatus === "lost") {
    found.push({
      setting: "slot",
      wanted: "reserved",
      found: "lost",
      consequence:
        "WAL is gone: instants since the last stored segment cannot be restored until there is a new base backup",
      mend: `select pg_drop_replication_slot('${slot}'); then holdfast wal and holdfast backup --full`,
      mendable: false,
      severity: "critical",
    });
  } else if (server.slot.slotType !== "physical") {
    found.push({
      setting: "slot",
      wanted: "physical",
      found: server.slot.slotType,
      consequence: "the slot belongs to somebody else",
      mend: "name another slot in the policy",
      mendable: false,
      severity: "critical",
    });
  }
  // In megabytes, as pg_settings has it.
  const keepMb = Number(setting(server, "max_slot_wal_keep_size"));
  if (keepMb === -1) {
    found.push({
      setting: "max_slot_wal_keep_size",
      wanted: "a limit below the free disk",
      found: "-1 (none)",
      consequence: "while the store is away WAL fills the server's disk until the server stops",
      mend: "alter system set max_slot_wal_keep_size = '64GB'; select pg_reload_conf();",
      mendable: false,
      severity: "warning",
    });
  } else if (keepMb * 1024 * 1024 < gibibyte) {
    found.push({
      setting: "max_slot_wal_keep_size",
      wanted: "1GB or more",
      found: `${keepMb}MB`,
      consequence: "a short outage of the store already loses WAL and breaks the chain",
      mend: "alter system set max_slot_wal_keep_size = '64GB'; select pg_reload_conf();",
      mendable: false,
      severity: "warning",
    });
  }
  return found;
}

function captureDrift(policy: Policy, server: ServerSettings): readonly Drift[] {
  if (policy.capture.fullCron === undefined) return [];
  if (server.major < 17) {
    return [
      {
        setting: "server_version",
        wanted: "17 or newer",
        found: String(server.major),
        consequence: "incremental captures are not possible",
        mend: "remove capture.fullCron from the policy, or upgrade the server",
        mendable: false,
        severity: "critical",
      },
    ];
  }
  if (setting(server, "summarize_wal") === "on") return [];
  return [
    {
      setting: "summarize_wal",
      wanted: "on",
      found: "off",
      consequence: "incremental captures fail",
      mend: "alter system set summarize_wal = on; select pg_reload_conf();",
      mendable: true,
      severity: "critical",
    },
  ];
}
