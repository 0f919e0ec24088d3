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

interface FactsRow {
  readonly settings: Readonly<Record<string, string>>;
  readonly id: string;
  readonly timeline: number;
  readonly recovery: boolean;
  readonly bytes: string;
  readonly tablespaces: number;
  readonly superuser: string | null;
}

/** In one question: each would be a way to the server and back before the tool begins. */
const question = `select
  (select json_object_agg(name, setting) from pg_settings where name = any($1)) as settings,
  (select system_identifier from pg_control_system())::text as id,
  (select timeline_id from pg_control_checkpoint()) as timeline,
  pg_is_in_recovery() as recovery,
  -- The size of a database one may not connect to is refused, and with it the whole statement.
  (select coalesce(sum(pg_database_size(oid)), 0) from pg_database where datallowconn
     and (has_database_privilege(oid, 'connect') or pg_has_role('pg_read_all_stats', 'usage')))::text as bytes,
  (select count(*) from pg_tablespace where spcname not in ('pg_default', 'pg_global'))::int as tablespaces,
  (select rolname from pg_roles where oid = 10) as superuser`;

export async function readFacts(client: pg.Client): Promise<ServerFacts> {
  const names = [
    "server_version",
    "server_version_num",
    "wal_segment_size",
    "data_checksums",
    ...recoverySettings,
  ];
  const { rows } = await client.query<FactsRow>(question, [names]);
  const row = rows[0];
  const setting = (name: string): string => row?.settings[name] ?? "";
  return {
    version: setting("server_version"),
    major: Math.floor(Number(setting("server_version_num")) / 10_000),
    systemIdentifier: row?.id ?? "",
    timeline: Number(row?.timeline ?? 1),
    segmentBytes: Number(setting("wal_segment_size")),
    inRecovery: row?.recovery === true,
    databaseBytes: Number(row?.bytes ?? 0),
    tablespacesCount: Number(row?.tablespaces ?? 0),
    superuser: row?.superuser ?? "",
    dataChecksums: setting("data_checksums") === "on",
    settings: Object.fromEntries(recoverySettings.map((name) => [name, setting(name)])),
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
