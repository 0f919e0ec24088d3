/** Real PostgreSQL servers for tests and the demo's disasters: started on a free port, killed, thrown away. */
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type StartedServer, startServer } from "../../src/engine/postgresql/server.ts";
import { openExec } from "../../src/exec/system.ts";
import { systemClock } from "../../src/time/clock.ts";
import { freePort } from "./ports.ts";

const root = join(import.meta.dirname, "../..");

export interface PostgresOptions {
  readonly major?: 15 | 17;
  readonly segmentBytes?: number;
  /** Given on the command line; an empty text leaves the setting to the server's files. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Full path of what runs in place of `postgres`, with its arguments. */
  readonly program?: string;
  /** A folder to work in; a new one below the temporary folder otherwise. */
  readonly folder?: string;
  /** A data directory to copy in place of a new initdb; its server must be stopped. */
  readonly template?: string;
}

export interface TestPostgres {
  readonly port: number;
  readonly major: number;
  readonly binDirectory: string;
  readonly dataDirectory: string;
  readonly folder: string;
  readonly socketDirectory: string;
  /** The first column of the first row. */
  ask(statement: string, database?: string): Promise<unknown>;
  run(statement: string, database?: string): Promise<void>;
  /** `kill -9` of the whole server. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops the server and removes its folder. */
  remove(): Promise<void>;
}

/** Folder of the programs; 17 is installed into the user's cache when it is not there. */
export function postgresPrograms(major: 15 | 17): string {
  const usual = `/usr/lib/postgresql/${major}/bin`;
  if (existsSync(join(usual, "postgres"))) return usual;
  return execFileSync("sh", [join(root, `.ci/postgresql-${major}.sh`)], { encoding: "utf8" }).trim();
}

const isRoot = process.getuid?.() === 0;

/** A folder that the server's user may enter. */
export function serverFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, "holdfast-pg-"));
  if (isRoot) {
    const uid = Number(execFileSync("id", ["-u", "postgres"], { encoding: "utf8" }));
    const gid = Number(execFileSync("id", ["-g", "postgres"], { encoding: "utf8" }));
    chownSync(folder, uid, gid);
  }
  return folder;
}

function asServer(argv: readonly string[]): [string, string[]] {
  return isRoot ? ["runuser", ["-u", "postgres", "--", ...argv]] : [argv[0] ?? "", [...argv.slice(1)]];
}

/** A new cluster, running, ready for replication over the loopback without a password. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const major = options.major ?? 15;
  const binDirectory = postgresPrograms(major);
  const folder = options.folder ?? serverFolder();
  const dataDirectory = join(folder, "data");
  const port = await freePort();
  const segmentMb = (options.segmentBytes ?? 16 * 1024 * 1024) / 1024 / 1024;
  const initdb = [
    join(binDirectory, "initdb"),
    "-D",
    dataDirectory,
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--data-checksums",
    `--wal-segsize=${segmentMb}`,
    "--no-sync",
  ];
  const [file, args] = asServer(
    options.template === undefined ? initdb : ["cp", "-a", options.template, dataDirectory],
  );
  execFileSync(file, args, { cwd: "/", stdio: ["ignore", "ignore", "inherit"] });
  const exec = openExec();
  const controller = new AbortController();
  let server: StartedServer | undefined;
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    hba_file: join(dataDirectory, "pg_hba.conf"),
    shared_buffers: "64MB",
    wal_level: "replica",
    max_wal_senders: "10",
    max_slot_wal_keep_size: "8GB",
    ...(major >= 17 ? { summarize_wal: "on" } : {}),
    ...options.settings,
  };
  const start = async (): Promise<void> => {
    server = await startServer({
      exec,
      clock: systemClock,
      signal: controller.signal,
      program: options.program ?? join(binDirectory, "postgres"),
      dataDirectory,
      user: "postgres",
      database: "postgres",
      settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== "")),
      until: "accepting",
      deadlineMs: 60_000,
    });
  };
  await start();
  const withDatabase = async <T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const stop = async (): Promise<void> => {
    await server?.stop("fast");
    server = undefined;
  };
  return {
    port,
    major,
    binDirectory,
    dataDirectory,
    folder,
    get socketDirectory() {
      return server?.connection.host ?? "";
    },
    ask: (statement, database = "postgres") =>
      withDatabase(
        database,
        async (client) => (await client.query({ text: statement, rowMode: "array" })).rows[0]?.[0],
      ),
    run: (statement, database = "postgres") =>
      withDatabase(database, async (client) => {
        await client.query(statement);
      }),
    kill: async () => {
      if (server === undefined) return;
      process.kill(-server.pid, "SIGKILL");
      await server.stop("immediate");
      server = undefined;
    },
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface WriteLoad {
  /** Acknowledged commits, oldest first: number of the row and when the server said it was committed. */
  readonly commits: readonly { readonly id: number; readonly atMs: number }[];
  stop(): Promise<void>;
}

/** Inserts rows one commit after the other into `load(id, at)` and records each acknowledged one. */
export async function startWriteLoad(postgres: TestPostgres, pauseMs = 5): Promise<WriteLoad> {
  await postgres.run(
    "create table if not exists load (id bigint primary key, at timestamptz not null, filler text)",
  );
  const commits: { id: number; atMs: number }[] = [];
  let isStopped = false;
  const client = new pg.Client({
    host: "127.0.0.1",
    port: postgres.port,
    user: "postgres",
    database: "postgres",
  });
  client.on("error", () => {
    isStopped = true;
  });
  await client.connect();
  const work = (async () => {
    for (let id = commits.length + 1; !isStopped; id += 1) {
      try {
        await client.query(
          "insert into load values ($1::bigint, clock_timestamp(), repeat(md5($1::bigint::text), 8))",
          [id],
        );
      } catch (error) {
        // A server that goes away ends the load; a statement it refuses is a fault of the test.
        if (error instanceof pg.DatabaseError && !/^(57P|08)/.test(error.code ?? "")) throw error;
        break;
      }
      commits.push({ id, atMs: Date.now() });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  return {
    commits,
    stop: async () => {
      isStopped = true;
      await work;
      await client.end().catch(() => undefined);
    },
  };
}
