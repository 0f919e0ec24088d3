/** The demo's source: a fresh PostgreSQL on the loopback under a steady writing load. */
import { chown, mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Connection, withClient } from "../../engine/postgresql/connection.ts";
import { serverUser } from "../../engine/postgresql/programs.ts";
import { type StartedServer, startServer } from "../../engine/postgresql/server.ts";
import { HoldfastError } from "../../errors.ts";
import { openExec } from "../../exec/system.ts";
import { systemClock } from "../../time/clock.ts";

const majors = [17, 16, 15] as const;

export interface SourceServer {
  readonly major: number;
  /** `15.20`, or what the program says of itself where that is no number. */
  readonly version: string;
  readonly connection: Connection;
  run(statement: string): Promise<void>;
  /** First column of the first row, as text. */
  ask(statement: string): Promise<string>;
  /** `kill -9`, and its disk is gone. */
  destroy(): Promise<void>;
  /** Runs on the restored data directory, where the lost one was. */
  replace(dataDirectory: string): Promise<void>;
  stop(): Promise<void>;
}

/** Chooses where a server listens; `usual` is where its kind usually does. */
export type ChoosePort = (usual: number) => Promise<number>;

/** `wanted` where it is free, any other otherwise. */
export async function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => (wanted === 0 ? reject(error) : resolve(freePort())));
    probe.listen(wanted, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** @throws tool-missing without PostgreSQL's server programs */
export async function startSource(
  folder: string,
  signal: AbortSignal,
  choosePort: ChoosePort = () => freePort(),
): Promise<SourceServer> {
  const exec = openExec();
  const places = majors.map((m) => `/usr/lib/postgresql/${m}/bin`);
  const initdb = await exec.find("initdb", places);
  if (initdb === undefined) {
    throw new HoldfastError("tool-missing", "PostgreSQL's server programs are not on this machine", {
      hint: "npm run demo installs them; or apt-get install postgresql",
    });
  }
  const programs = initdb.slice(0, initdb.lastIndexOf("/"));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (serverUser !== undefined) {
    const number = async (flag: string) =>
      Number((await exec.run({ argv: ["id", flag, serverUser ?? ""] })).stdout);
    await chown(folder, await number("-u"), await number("-g"));
    // The folder itself is the user's own now; one above it may be closed, as root's home is.
    await exec.run({ argv: ["test", "-w", folder], cwd: "/", user: serverUser }).catch((cause: unknown) => {
      throw new HoldfastError("usage", `user '${serverUser}' cannot enter '${folder}'`, {
        hint: "name a folder with --keep that everybody may pass through, such as one below /var/tmp",
        cause,
      });
    });
  }
  const data = join(folder, "data");
  const user = serverUser === undefined ? {} : { user: serverUser };
  await exec.run(
    {
      argv: [
        initdb,
        "-D",
        data,
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-sync",
      ],
      cwd: "/",
      ...user,
    },
    { deadlineMs: 60_000 },
  );
  const version = (await exec.run({ argv: [join(programs, "postgres"), "--version"] })).stdout;
  const port = await choosePort(5432);
  const run = (dataDirectory: string): Promise<StartedServer> =>
    startServer({
      exec,
      clock: systemClock,
      signal,
      program: join(programs, "postgres"),
      dataDirectory,
      user: "postgres",
      database: "postgres",
      settings: {
        port: String(port),
        listen_addresses: "127.0.0.1",
        hba_file: join(dataDirectory, "pg_hba.conf"),
        wal_level: "replica",
        max_slot_wal_keep_size: "8GB",
        shared_buffers: "64MB",
      },
      until: "accepting",
      deadlineMs: 30_000,
    });
  let server = await run(data);
  const connection: Connection = {
    host: "127.0.0.1",
    port,
    user: "postgres",
    database: "postgres",
    sslMode: "disable",
  };
  return {
    major: Number(/(\d+)\./.exec(version)?.[1] ?? 0),
    version: /\d+(?:\.\d+)+/.exec(version)?.[0] ?? version.trim(),
    connection,
    run: (statement) =>
      withClient(connection, async (client) => {
        await client.query(statement);
      }),
    ask: (statement) =>
      withClient(connection, async (client) => {
        const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
        return String(rows[0]?.[0] ?? "");
      }),
    destroy: async () => {
      process.kill(-server.pid, "SIGKILL");
      await server.stop("immediate");
      await rm(folder, { recursive: true, force: true });
    },
    replace: async (dataDirectory) => {
      server = await run(dataDirectory);
    },
    stop: () => server.stop("immediate"),
  };
}

export interface Load {
  /** Commits the server has acknowledged, and the instant of the last one. */
  readonly acknowledged: { count: number; lastAtMs: number };
  stop(): Promise<void>;
}

/** One commit after the other, about a hundred a second, until it is stopped or the server is gone. */
export function startLoad(connection: Connection): Load {
  const acknowledged = { count: 0, lastAtMs: 0 };
  let isStopped = false;
  const done = withClient(connection, async (client) => {
    await client.query(
      "create table if not exists payments (id bigint primary key, at timestamptz not null, note text)",
    );
    while (!isStopped) {
      await client.query(
        "insert into payments values ($1::bigint, clock_timestamp(), repeat(md5($1::bigint::text), 20))",
        [acknowledged.count + 1],
      );
      acknowledged.count += 1;
      acknowledged.lastAtMs = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
  }).catch(() => undefined);
  return {
    acknowledged,
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}
