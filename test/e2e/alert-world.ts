/**
 * A world in which all is well and everything can be broken: real servers, a policy repository, a reconciler
 * that began four days ago, and an Alertmanager with somebody at its end.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newIdentity } from "../../src/crypto/identity.ts";
import { freePort } from "../servers/ports.ts";
import { postgresPrograms, serverFolder, startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import {
  type AlertReceiver,
  type MonitoringServer,
  startAlertmanager,
  startReceiver,
} from "../servers/prometheus.ts";
import { fillRedis, startRedis, type TestRedis } from "../servers/redis.ts";
import { type ProgramWithClock, programWithClock, setBack } from "../servers/set-back-clock.ts";
import { until } from "../servers/waiting.ts";
import {
  type AlertPlaces,
  alertPolicies,
  cachePassword,
  latePolicies,
  pastPolicies,
  watched,
} from "./alert-policies.ts";
import { holdfast, type Ran, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

const daySeconds = 86_400;
const patienceMs = 120_000;

export interface AlertWorld {
  readonly folder: string;
  readonly store: string;
  readonly state: string;
  readonly places: AlertPlaces;
  readonly cache: TestRedis;
  readonly sessions: TestRedis;
  /** The PostgreSQL of orders, ledger and journal. */
  readonly orders: TestPostgres;
  /** That of archive and yearbook, whose clock can be moved. */
  readonly archive: TestPostgres;
  readonly archiveClock: ProgramWithClock;
  readonly receiver: AlertReceiver;
  readonly alertmanager: MonitoringServer;
  /** Of the reconciler's metrics. */
  readonly port: number;
  /** The reconciler that runs now. */
  reconciler: RunningHoldfast;
  /** When the reconciler of today was started. */
  startedAtMs: number;
  /** One verb by hand on the reconciler's machine, with further environment. @throws on another exit status */
  run(args: readonly string[], env?: Readonly<Record<string, string>>, status?: number): Promise<Ran>;
  /** Pushes the policies and waits until they are in force and the world was looked at. */
  commit(policies: Readonly<Record<string, string>>, message: string): Promise<void>;
  startReconciler(env?: Readonly<Record<string, string>>): RunningHoldfast;
  /** Process of the WAL receiver that the reconciler keeps for the policy. */
  receiverOf(policy: string): number | undefined;
  close(): Promise<void>;
}

interface Status {
  readonly revision: string;
  readonly lastAppliedAt?: string;
}

export async function openAlertWorld(): Promise<AlertWorld> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-alerts-"));
  chmodSync(folder, 0o711);
  const at = (name: string) => join(folder, name);
  const [remote, clone, store, state, key] = ["remote.git", "clone", "store", "state", "runner.key"].map(
    at,
  ) as [string, string, string, string, string];
  const pastFolder = serverFolder();
  const archiveClock = programWithClock(join(postgresPrograms(15), "postgres"), pastFolder);
  archiveClock.setBack(4 * daySeconds);
  const [orders, archive, cache, sessions, receiver, runner, escrow, port] = await Promise.all([
    startPostgres({ segmentBytes: 1024 * 1024, settings: { max_slot_wal_keep_size: "" } }),
    startPostgres({ segmentBytes: 1024 * 1024, folder: pastFolder, program: archiveClock.path }),
    startRedis({ password: cachePassword }),
    startRedis(),
    startReceiver(),
    newIdentity(),
    newIdentity(),
    freePort(),
  ]);
  const alertmanager = await startAlertmanager(
    at("alertmanager"),
    `http://127.0.0.1:${receiver.port}/alertmanager`,
  );
  writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
  mkdirSync(store);
  const places: AlertPlaces = {
    remote,
    store,
    runner: runner.recipient,
    escrow: escrow.recipient,
    alertmanagerPort: alertmanager.port,
    receiverPort: receiver.port,
    cachePort: cache.port,
    sessionsPort: sessions.port,
    ordersPort: orders.port,
    archivePort: archive.port,
  };
  openRepository(remote, clone);
  const push = (policies: Readonly<Record<string, string>>, message: string): string => {
    for (const [name, text] of Object.entries(policies))
      writeFileSync(join(clone, "policies", `${name}.yaml`), text);
    git(clone, "add", "--all");
    git(clone, "commit", "--quiet", "--message", message);
    git(clone, "push", "--quiet", remote, "HEAD:main");
    return git(clone, "rev-parse", "HEAD");
  };
  const readStatus = (): Status | undefined => readJson<Status>(join(state, "status.json"));
  const isInForce = (commit: string, sinceAt: string) => () => {
    const { revision, lastAppliedAt = "" } = readStatus() ?? {};
    return revision === commit && lastAppliedAt > sinceAt;
  };
  const environment = {
    HOLDFAST_POLICIES: join(clone, "policies"),
    HOLDFAST_STATE: state,
    HOLDFAST_IDENTITY: key,
    CACHE_PASSWORD: cachePassword,
  };
  const startReconciler = (env: Readonly<Record<string, string>> = {}): RunningHoldfast =>
    startHoldfast(["run", "--repository", remote, "--listen", `127.0.0.1:${port}`], {
      env: { ...environment, ...env },
      deadlineMs: 900_000,
    });

  async function begin(): Promise<void> {
    const all = alertPolicies(places);
    await orders.run("create table payments as select i as id from generate_series(1, 1000) i");
    // On the command line it could not be changed while the server runs.
    await orders.run("alter system set max_slot_wal_keep_size = '8GB'");
    await orders.run("select pg_reload_conf()");
    await archive.run("create table papers as select 1 as id");
    await Promise.all([cache, sessions].map((redis) => redis.ask((client) => fillRedis(client, 1000))));
    push(pick(all, pastPolicies), "four days ago");
    await liveInThePast();
    archiveClock.setBack(0);
    const since = new Date().toISOString();
    const commit = push(all, "today");
    world.startedAtMs = Date.now();
    world.reconciler = startReconciler();
    await until(isInForce(commit, since), patienceMs);
    await until(() => watched.every((name) => manifests(store, name).length > 0), patienceMs);
    // Its newest was four days old.
    await until(() => manifests(store, "archive").length === 2, patienceMs);
    for (const name of watched) await world.run(["verify", name, "--level", "2"]);
    await world.commit({ retention: `# Looked at.\n${all["retention"]}` }, "so that the proofs are seen");
    await until(async () => (await metrics(port)).includes("\nholdfast_all_well 1\n"), patienceMs);
  }

  /** The first policy is put in force and its first point taken while the clock shows four days ago. */
  async function liveInThePast(): Promise<void> {
    const past = startReconciler(setBack(4 * daySeconds));
    world.reconciler = past;
    const runs = join(state, "runs/archive~capture");
    const isTaken = () =>
      names(runs).some((n) => readJson<{ outcome: string }>(join(runs, n))?.outcome === "succeeded");
    await until(isTaken, patienceMs);
    past.child.kill("SIGTERM");
    await past.ended;
  }

  const world: AlertWorld = {
    folder,
    store,
    state,
    places,
    cache,
    sessions,
    orders,
    archive,
    archiveClock,
    receiver,
    alertmanager,
    port,
    reconciler: undefined as unknown as RunningHoldfast,
    startedAtMs: Number.NaN,
    run: async (args, env = {}, status = 0) => {
      const ran = await holdfast([...args, "--quiet"], { env: { ...environment, ...env } });
      if (ran.status === status) return ran;
      throw new Error(`holdfast ${args.join(" ")} ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
    },
    commit: async (policies, message) => {
      const since = new Date().toISOString();
      await until(isInForce(push(policies, message), since), patienceMs);
    },
    startReconciler,
    receiverOf: (policy) => readJson<{ pid: number }>(join(state, `residents/${policy}~log.json`))?.pid,
    close: async () => {
      const { reconciler } = world;
      for (const name of watched) signal(world.receiverOf(name), "SIGCONT");
      reconciler?.child.kill("SIGTERM");
      await reconciler?.ended;
      await Promise.all([orders.remove(), archive.remove(), cache.stop(), sessions.stop()]);
      await alertmanager.stop();
      await receiver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await begin();
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}

/** The whole group of a process, if it is there. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It is gone.
  }
}

/** The rules `holdfast alerts` prints for every policy there will be. */
export async function printedRules({ folder, places, run }: AlertWorld): Promise<string> {
  const policies = join(folder, "all-policies");
  mkdirSync(policies);
  const texts = { ...alertPolicies(places), ...latePolicies(places, "0 2 * * *") };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(policies, `${name}.yaml`), text);
  return (await run(["alerts", "--policies", policies])).stdout;
}

/** A bare repository that takes no reports, and an empty clone. */
function openRepository(remote: string, clone: string): void {
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
  writeFileSync(
    join(remote, "hooks/update"),
    '#!/bin/sh\n[ "$1" = refs/heads/reports ] && echo "this branch is protected" >&2 && exit 1\nexit 0\n',
    { mode: 0o755 },
  );
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", clone]);
  mkdirSync(join(clone, "policies"));
}

function git(clone: string, ...args: readonly string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
  return execFileSync("git", ["-C", clone, ...identity, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function pick<T>(texts: Readonly<Record<string, T>>, wanted: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(texts).filter(([name]) => wanted.includes(name)));
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Points by the names of their manifests, oldest first. */
export function manifests(store: string, policy: string): readonly string[] {
  return names(join(store, policy, "manifests")).map((name) => name.replace(".json", ""));
}

export async function metrics(port: number): Promise<string> {
  return fetch(`http://127.0.0.1:${port}/metrics`).then(
    (response) => response.text(),
    () => "",
  );
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}
