/** What a running server says of itself, read in one visit. */
import type pg from "pg";
import { askText } from "./connection.ts";

export interface ServerFacts {
  readonly version: string;
  readonly major: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly segmentBytes: number;
  readonly inRecovery: boolean;
  readonly databaseBytes: number;
  readonly tablespacesCount: number;
  readonly superuser: string;
  readonly dataChecksums: boolean;
  /** Settings that a restored server must have at least as high. */
  readonly settings: Readonly<Record<string, string>>;
}

const recoverySettings = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;

export async function readFacts(client: pg.Client): Promise<ServerFacts> {
  const settings = await client.query<{ name: string; setting: string }>(
    "select name, setting from pg_settings where name = any($1)",
    [["server_version", "server_version_num", "wal_segment_size", "data_checksums", ...recoverySettings]],
  );
  const setting = new Map(settings.rows.map((r) => [r.name, r.setting]));
  const control = await client.query<{ id: string; timeline: number }>(
    "select (select system_identifier from pg_control_system())::text as id, (select timeline_id from pg_control_checkpoint()) as timeline",
  );
  return {
    version: setting.get("server_version") ?? "",
    major: Math.floor(Number(setting.get("server_version_num") ?? 0) / 10_000),
    systemIdentifier: control.rows[0]?.id ?? "",
    timeline: Number(control.rows[0]?.timeline ?? 1),
    segmentBytes: Number(setting.get("wal_segment_size") ?? 0),
    inRecovery: (await askText(client, "select pg_is_in_recovery()")) === "true",
    databaseBytes: Number(
      await askText(
        client,
        // The size of a database one may not connect to is refused, and with it the whole statement.
        `select coalesce(sum(pg_database_size(oid)), 0) from pg_database where datallowconn
         and (has_database_privilege(oid, 'connect') or pg_has_role('pg_read_all_stats', 'usage'))`,
      ),
    ),
    tablespacesCount: Number(
      await askText(
        client,
        "select count(*) from pg_tablespace where spcname not in ('pg_default', 'pg_global')",
      ),
    ),
    superuser: await askText(client, "select rolname from pg_roles where oid = 10"),
    dataChecksums: setting.get("data_checksums") === "on",
    settings: Object.fromEntries(recoverySettings.map((name) => [name, setting.get(name) ?? ""])),
  };
}

/**
 * Files below the data directory, as a backup would take them. Undefined when the role may not list them
 * (`grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) to …`).
 */
export async function countFiles(client: pg.Client): Promise<number | undefined> {
  try {
    const count = await askText(
      client,
      `with recursive tree(path, isdir) as (
         select '.'::text, true
         union all
         select tree.path || '/' || entry, coalesce((pg_stat_file(tree.path || '/' || entry, true)).isdir, false)
         from tree, lateral pg_ls_dir(tree.path, true, false) as entry
         where tree.isdir and tree.path not in ('./pg_wal', './pg_replslot', './pg_stat_tmp')
       )
       select count(*) from tree where not isdir`,
    );
    return Number(count);
  } catch {
    return undefined;
  }
}
