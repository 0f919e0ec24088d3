/** Looks at the source server: who it is, what it lacks, how far its WAL is behind. */
import type pg from "pg";
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { Drift, LogFlow, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { connectionOf, withClient } from "./connection.ts";
import { driftOf } from "./drift.ts";
import { readFacts } from "./facts.ts";
import { programsOf, programVersion } from "./programs.ts";

const watched = [
  "wal_level",
  "max_wal_senders",
  "fsync",
  "full_page_writes",
  "archive_mode",
  "archive_command",
  "archive_library",
  "archive_timeout",
  "max_replication_slots",
  "max_slot_wal_keep_size",
  "summarize_wal",
] as const;

interface SlotRow {
  readonly wal_status: string | null;
  readonly slot_type: string;
  readonly retained: string | null;
}

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  return factsFrom(context, async () => {
    const connection = await connectionOf(context);
    return await withClient(connection, (client) => look(context, client, connection.user));
  });
}

async function look(context: EngineContext, client: pg.Client, user: string): Promise<SourceFacts> {
  const { policy } = context;
  const facts = await readFacts(client);
  const { rows } = await client.query<{ name: string; setting: string }>(
    "select name, setting from pg_settings where name = any($1)",
    [watched],
  );
  const settings = new Map(rows.map((r) => [r.name, r.setting]));
  const roles = await client.query<{ can: boolean }>(
    "select rolreplication or rolsuper as can from pg_roles where rolname = $1",
    [user],
  );
  const slot = policy.log?.mode === "stream" ? await readSlot(client, policy, facts.inRecovery) : undefined;
  const drift = driftOf(policy, {
    major: facts.major,
    settings,
    ...(slot === undefined ? {} : { slot: { walStatus: slot.wal_status ?? "", slotType: slot.slot_type } }),
    canReplicate: roles.rows[0]?.can === true,
    dataChecksums: facts.dataChecksums,
  });
  const { tools, missing } = await lookForTools(context, facts.major);
  const keepMb = Number(settings.get("max_slot_wal_keep_size") ?? -1);
  return {
    policy: policy.name,
    reachable: true,
    detail: "",
    version: facts.version,
    identity: facts.systemIdentifier,
    tools,
    drift: [...missing, ...drift],
    ...(slot === undefined ? {} : { log: flowOf(slot, keepMb) }),
  };
}

async function readSlot(
  client: pg.Client,
  policy: Policy,
  inRecovery: boolean,
): Promise<SlotRow | undefined> {
  const now = inRecovery ? "pg_last_wal_replay_lsn()" : "pg_current_wal_lsn()";
  const { rows } = await client.query<SlotRow>(
    `select wal_status, slot_type, pg_wal_lsn_diff(${now}, restart_lsn)::text as retained
     from pg_replication_slots where slot_name = $1`,
    [policy.log?.slot ?? ""],
  );
  return rows[0];
}

/** The receiver moves the slot to what the store has, unfinished segments included; the rest is behind. */
function flowOf(slot: SlotRow, keepMb: number): LogFlow {
  const retainedBytes = Math.max(0, Number(slot.retained ?? 0));
  return {
    behindBytes: retainedBytes,
    retainedBytes,
    ...(keepMb < 0 ? {} : { limitBytes: keepMb * 1024 * 1024 }),
    lost: slot.wal_status === "lost",
    idle: retainedBytes === 0,
  };
}

async function lookForTools(
  context: EngineContext,
  major: number,
): Promise<{ readonly tools: Record<string, string>; readonly missing: readonly Drift[] }> {
  const programs = programsOf(context, major);
  const tools: Record<string, string> = {};
  const missing: Drift[] = [];
  const wanted = ["pg_basebackup", "pg_receivewal", "pg_verifybackup", "postgres"];
  for (const name of wanted) {
    try {
      tools[name] = await programVersion(context, await programs.path(name));
      const found = Number.parseInt(tools[name], 10);
      if (found >= major) continue;
      missing.push(
        toolDrift(name, major, tools[name], "an older program cannot read what a newer server writes"),
      );
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      missing.push(toolDrift(name, major, "none", error.message));
    }
  }
  return { tools, missing };
}

function toolDrift(name: string, major: number, found: string, consequence: string): Drift {
  return {
    setting: name,
    wanted: `version ${major}`,
    found,
    consequence,
    mend: `apt-get install postgresql-${major}`,
    mendable: false,
    severity: "critical",
  };
}
