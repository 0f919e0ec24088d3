/** Jobs that dump a database: what each vendor's tool says about the server. */
import type { ComponentKind } from "../component.ts";
import { credentialOf, type Sighting, type SourceReading, type Tool } from "./reading.ts";
import { unknown, type Word } from "./shell.ts";
import { flagOf, isInside, parseAddress, portOf, qualified, shaped, variableOf } from "./values.ts";

interface Names {
  readonly flags: readonly string[];
  readonly variables: readonly string[];
}

interface Database {
  readonly component: ComponentKind;
  readonly method: string;
  readonly title: string;
  readonly programs: RegExp;
  readonly images?: RegExp;
  readonly isBackup: (args: readonly Word[]) => boolean;
  readonly host: Names;
  readonly port: Names;
  /** What the policy's `connection` calls the port. */
  readonly portField: string;
  readonly user: Names;
  readonly needsUser?: true;
  readonly password: Names;
  readonly address: Names;
  readonly schemes: RegExp;
  readonly more?: (sighting: Sighting, query: URLSearchParams) => Readonly<Record<string, unknown>>;
  /** What is not the same afterwards. */
  readonly differs: string;
}

const says =
  (...wanted: readonly RegExp[]) =>
  (args: readonly Word[]): boolean =>
    wanted.every((pattern) => args.some(({ text }) => pattern.test(text)));
const named = (flags: readonly string[], variables: readonly string[]): Names => ({ flags, variables });

const postgresql = {
  component: "postgresql",
  method: "base-backup",
  host: named(["-h", "--host"], ["PGHOST", "POSTGRES_HOST"]),
  port: named(["-p", "--port"], ["PGPORT", "POSTGRES_PORT"]),
  portField: "port",
  user: named(["-U", "--username"], ["PGUSER", "POSTGRES_USER"]),
  needsUser: true,
  password: named([], ["PGPASSWORD", "POSTGRES_PASSWORD"]),
  address: named(["-d", "--dbname"], ["DATABASE_URL", "POSTGRES_URL"]),
  schemes: /^postgres(?:ql)?$/,
} as const;

const databases: readonly Database[] = [
  {
    ...postgresql,
    title: "pg_dump",
    programs: /^(?:pg_dump|pg_dumpall)$/,
    images: /(?:postgres|pg)[\w-]*-?(?:backup|dump)|pgdump/i,
    isBackup: () => true,
    differs:
      "pg_dump takes one database as SQL, Holdfast the whole server with its WAL; the user needs REPLICATION and pg_monitor",
  },
  {
    ...postgresql,
    title: "pg_basebackup",
    programs: /^pg_basebackup$/,
    isBackup: () => true,
    differs: "the job keeps no WAL; add spec.wal for any instant between two backups",
  },
  {
    ...postgresql,
    title: "pgBackRest",
    programs: /^pgbackrest$/,
    host: named(["--pg1-host"], ["PGBACKREST_PG1_HOST", "PGHOST"]),
    port: named(["--pg1-port"], ["PGBACKREST_PG1_PORT", "PGPORT"]),
    user: named(["--pg1-user"], ["PGBACKREST_PG1_USER", "PGUSER"]),
    isBackup: says(/^backup$/),
    differs: "WAL that pgBackRest archives stays with it; add spec.wal for Holdfast's own",
  },
  {
    ...postgresql,
    title: "WAL-G",
    programs: /^wal-[ge]$/,
    isBackup: says(/^backup-push$/),
    differs: "WAL that WAL-G archives stays with it; add spec.wal for Holdfast's own",
  },
  {
    component: "redis",
    method: "rdb",
    title: "redis-cli",
    programs: /^(?:redis|valkey)-cli$/,
    images: /redis[\w-]*-?backup/i,
    isBackup: says(/^(?:--rdb|--rdb=.*|bgsave|save)$/i),
    host: named(["-h"], ["REDIS_HOST"]),
    port: named(["-p"], ["REDIS_PORT"]),
    portField: "port",
    user: named(["--user"], ["REDIS_USER", "REDIS_USERNAME"]),
    password: named(["-a", "--pass"], ["REDISCLI_AUTH", "REDIS_PASSWORD"]),
    address: named(["-u"], ["REDIS_URL"]),
    schemes: /^rediss?$/,
    more: ({ args }) => (args.some(({ text }) => text === "--tls") ? { tls: true } : {}),
    differs: "Holdfast takes the snapshot through replication",
  },
  {
    component: "mongodb",
    method: "mongodump",
    title: "mongodump",
    programs: /^mongodump$/,
    images: /mongo(?:db)?[\w-]*-?(?:backup|dump)/i,
    isBackup: () => true,
    host: named(["-h", "--host"], ["MONGO_HOST", "MONGODB_HOST"]),
    port: named(["--port"], ["MONGO_PORT", "MONGODB_PORT"]),
    portField: "port",
    user: named(["-u", "--username"], ["MONGO_USER", "MONGODB_USER", "MONGO_USERNAME", "MONGODB_USERNAME"]),
    password: named(["-p", "--password"], ["MONGO_PASSWORD", "MONGODB_PASSWORD"]),
    address: named(["--uri"], ["MONGO_URI", "MONGODB_URI", "MONGO_URL"]),
    schemes: /^mongodb$/,
    more: mongoMore,
    differs: "Holdfast dumps every database",
  },
  {
    component: "clickhouse",
    method: "clickhouse-backup",
    title: "clickhouse-backup",
    programs: /^clickhouse-backup$/,
    images: /clickhouse-backup/i,
    isBackup: says(/^(?:create|create_remote|upload|server)$/),
    host: named([], ["CLICKHOUSE_HOST"]),
    // What clickhouse-backup calls its port is the native one.
    port: named([], ["CLICKHOUSE_PORT"]),
    portField: "nativePort",
    user: named([], ["CLICKHOUSE_USERNAME", "CLICKHOUSE_USER"]),
    password: named([], ["CLICKHOUSE_PASSWORD"]),
    address: named([], []),
    schemes: /^$/,
    differs:
      "Holdfast asks the server over HTTP (connection.port, 8123 unless told) and needs clickhouse-backup where its runs are",
  },
];

export const databaseTools: readonly Tool[] = databases.map((database) => ({
  title: database.title,
  programs: database.programs,
  ...(database.images === undefined ? {} : { images: database.images }),
  isBackup: database.isBackup,
  read: (sighting) => read(database, sighting),
}));

function read(database: Database, sighting: Sighting): SourceReading {
  const { args, command, workload } = sighting;
  const said = ({ flags, variables }: Names): string | undefined =>
    flagOf(args, flags) ?? variableOf(command, variables);
  const address = parseAddress(
    // pg_dump takes the address as a word of its own as well.
    said(database.address) ?? args.find(({ text }) => /^[a-z]+:\/\//.test(text))?.text,
  );
  const isUsable = address !== undefined && database.schemes.test(address.scheme);
  const missing: string[] = [];
  const findings: string[] = [database.differs];
  if (address?.scheme.endsWith("+srv")) missing.push("the servers' names: they are found by DNS alone");
  if (isUsable && address.hasMore) findings.push("of several servers the first is taken");

  const hostText = said(database.host) ?? (isUsable ? address.host : undefined);
  const host = shaped("host", hostText?.split(/[,:]/)[0]);
  if (host === undefined) missing.push(reasonOf("the server's host", hostText));
  else if (isInside(host)) missing.push(`a host: '${host}' is inside the job's own pod`);
  const portText = said(database.port) ?? (isUsable ? address.port : undefined) ?? hostText?.split(":")[1];
  const port = portOf(portText);
  if (portText !== undefined && port === undefined)
    findings.push("its port could not be read; the usual one is taken");
  const userText = said(database.user) ?? (isUsable ? address.user : undefined);
  const user = shaped("user", userText);
  if (user === undefined && database.needsUser) missing.push(reasonOf("the user", userText));
  else if (user === undefined && userText !== undefined) findings.push("its user could not be read; say it");

  const passed = address?.hasPassword === true ? "" : flagOf(args, database.password.flags);
  const password = credentialOf(sighting, "PASSWORD", database.password.variables, passed);
  const more = database.more?.(sighting, new URLSearchParams(isUsable ? address.query : "")) ?? {};
  return {
    component: database.component,
    method: database.method,
    connection: {
      host: host === undefined ? "" : qualified(host, workload),
      ...(port === undefined ? {} : { [database.portField]: port }),
      ...(user === undefined ? {} : { user }),
      ...(password.from === undefined ? {} : { passwordFrom: password.from }),
      ...(isUsable && address.scheme === "rediss" ? { tls: true } : {}),
      ...more,
    },
    missing,
    findings: [...findings, ...password.findings],
  };
}

function reasonOf(what: string, text: string | undefined): string {
  if (text === undefined) return `${what}: the job does not say it in plain words`;
  return text.includes(unknown)
    ? `${what}: it is known when the job runs only`
    : `${what}: it has no shape of one`;
}

function mongoMore({ args }: Sighting, query: URLSearchParams): Readonly<Record<string, unknown>> {
  const authDatabase = shaped(
    "name",
    flagOf(args, ["--authenticationDatabase"]) ?? query.get("authSource") ?? undefined,
  );
  const replicaSet = shaped("name", query.get("replicaSet") ?? undefined);
  const isTls = args.some(({ text }) => /^--(?:ssl|tls)$/.test(text)) || query.get("tls") === "true";
  return {
    ...(authDatabase === undefined ? {} : { authDatabase }),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(isTls ? { tls: true } : {}),
  };
}
