/**
 * A server that speaks MongoDB's wire protocol, for tests: FerretDB with a folder of its own. MongoDB's own
 * server is used nowhere, because no registry has it; what only it can do is skipped by name.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import type { Policy } from "../../src/policy/model.ts";
import { whereIs } from "./on-path.ts";
import { freePort } from "./ports.ts";
import { until } from "./waiting.ts";
import { policyFor } from "./world.ts";

const root = join(import.meta.dirname, "../..");

/** The server's program, built when it is not there; undefined where it cannot be had. */
export function ferretProgram(): string | undefined {
  try {
    return execFileSync("sh", [join(root, ".ci/ferretdb.sh")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  } catch {
    return undefined;
  }
}

/** The vendor's own tool, where it is on PATH. */
export const realMongodump = whereIs("mongodump");

export interface TestMongo {
  readonly port: number;
  readonly uri: string;
  /** mongodump, mongorestore and mongod, real or stand-ins. */
  readonly toolDirectory: string;
  readonly client: MongoClient;
  /** `kill -9`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

export interface MongoOptions {
  readonly user?: { readonly name: string; readonly password: string };
  /** Without one there is neither a replica set nor an oplog. */
  readonly replicaSet?: string;
  /** Any free one when not given. */
  readonly port?: number;
}

/** A new server with an empty oplog, running. */
export async function startMongo(options: MongoOptions = { replicaSet: "rs0" }): Promise<TestMongo> {
  const program = ferretProgram();
  if (program === undefined) throw new Error("there is no FerretDB");
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mongo-"));
  const data = join(folder, "data");
  mkdirSync(data);
  const port = options.port ?? (await freePort());
  const address = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const auth =
    options.user === undefined
      ? {}
      : { auth: { username: options.user.name, password: options.user.password } };
  const client = new MongoClient(address, { ...auth, serverSelectionTimeoutMS: 3000 });
  let child: ReturnType<typeof spawn> | undefined;
  const start = async (): Promise<void> => {
    const started = spawn(
      program,
      [
        "--handler=sqlite",
        `--sqlite-url=file:${data}/`,
        `--state-dir=${folder}`,
        `--listen-addr=127.0.0.1:${port}`,
        "--telemetry=disable",
        "--debug-addr=-",
        "--log-level=ERROR",
        ...(options.replicaSet === undefined ? [] : [`--repl-set-name=${options.replicaSet}`]),
        ...(options.user === undefined
          ? []
          : ["--test-enable-new-auth", "--setup-database=admin", `--setup-username=${options.user.name}`]),
      ],
      {
        cwd: folder,
        stdio: "ignore",
        env: {
          PATH: process.env["PATH"] ?? "",
          ...(options.user === undefined ? {} : { FERRETDB_SETUP_PASSWORD: options.user.password }),
        },
      },
    );
    child = started;
    await until(async () => {
      const probe = new MongoClient(address, { ...auth, serverSelectionTimeoutMS: 300 });
      const answer = probe
        .connect()
        .then((c) => c.db("admin").command({ ping: 1 }))
        .then(
          () => true,
          () => false,
        );
      return answer.finally(() => probe.close().catch(() => undefined));
    });
  };
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      ending.once("exit", () => resolve());
      ending.kill("SIGKILL");
    });
  };
  await start();
  await client.connect();
  if (options.replicaSet !== undefined)
    await client.db("local").createCollection("oplog.rs", { capped: true, size: 256 * 1024 * 1024 });
  return {
    port,
    uri: address,
    toolDirectory: writeTools(join(folder, "tools"), program),
    client,
    kill,
    start,
    remove: async () => {
      await client.close().catch(() => undefined);
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * A folder with the three programs; `mongodump` is the vendor's own where there is one. `places` says where Node and
 * the sources of the stand-ins lie, when it is not here.
 */
export function writeTools(
  folder: string,
  ferret: string,
  places = { node: process.execPath, tools: join(import.meta.dirname, "mongo-tools") },
): string {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const script = (name: string, text: string): void =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  // The vendor's tools say their version in milliseconds, and ours would load a driver first.
  const standIn = (name: string): string =>
    `[ "$*" = --version ] && echo "${name} version: 100.0.0-standin" && exit 0
exec '${places.node}' '${join(places.tools, `${name}.ts`)}' "$@"`;
  script("mongodump", realMongodump === undefined ? standIn("mongodump") : `exec '${realMongodump}' "$@"`);
  script("mongorestore", standIn("mongorestore"));
  script("mongod", mongodScript(ferret));
  return folder;
}

/** mongod's few options, said to FerretDB. */
function mongodScript(ferret: string): string {
  return `
fork= data= bind= port=27017 log=/dev/null pidfile=/dev/null
while [ $# -gt 0 ]; do
  case $1 in
  --version) echo "db version v7.0.42"; exit 0 ;;
  --dbpath) data=$2; shift ;;
  --bind_ip) bind=$2; shift ;;
  --port) port=$2; shift ;;
  --logpath) log=$2; shift ;;
  --pidfilepath) pidfile=$2; shift ;;
  --fork) fork=yes ;;
  *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
case $bind in
/*) listen="--listen-addr= --listen-unix=$bind" ;;
*) listen="--listen-addr=$bind:$port" ;;
esac
set -- '${ferret}' --handler=sqlite "--sqlite-url=file:$data/" "--state-dir=$data" --telemetry=disable --debug-addr=- --log-level=ERROR $listen
[ -n "$fork" ] || exec "$@"
setsid "$@" >"$log" 2>&1 </dev/null &
echo $! >"$pidfile"
for _ in $(seq 100); do
  "$1" ping "--listen-addr=$bind:$port" >/dev/null 2>&1 && exit 0
  sleep 0.1
done
exit 1`;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A policy for `mongo`; without a log unless `changes` has one. */
export function mongoPolicy(
  mongo: Pick<TestMongo, "port" | "toolDirectory">,
  changes: Partial<Policy> = {},
): Policy {
  const { log: _log, ...usual } = policyFor({ port: mongo.port, binDirectory: mongo.toolDirectory });
  return {
    ...usual,
    name: "mongodb",
    component: "mongodb",
    connection: { host: "127.0.0.1", port: mongo.port },
    objectives: { rpoMs: 300_000, rtoMs: hourMs, reachMs: 13 * dayMs, pitrWindowMs: 0 },
    capture: {
      method: "mongodump",
      codec: "gzip",
      level: 1,
      options: { toolDirectory: mongo.toolDirectory },
    },
    store: { name: "primary", prefix: "mongodb/" },
    retention: { name: "mongodb", keep: { days: 14 } },
    assertions: [{ sql: '{"count": "items"} > 0', database: "shop" }],
    canaryEveryMs: 0,
    ...changes,
  };
}

/** The oplog kept between dumps, pushed fast. */
export const oplogSettings: NonNullable<Policy["log"]> = {
  mode: "stream",
  store: { name: "primary", prefix: "oplog/" },
  retention: { name: "oplog", keep: { days: 7 } },
  pushEveryMs: 200,
  slot: "",
};
