/**
 * The faults, each done to a real server, file or process, and the alerts that have to come of it. A new alert
 * gets a row here: the last test asks for one of every rule.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsOf, withClient } from "../../src/engine/redis/connection.ts";
import { setBack } from "../servers/set-back-clock.ts";
import { until } from "../servers/waiting.ts";
import { cachePassword, latePolicies } from "./alert-policies.ts";
import { type AlertWorld, manifests, signal } from "./alert-world.ts";

export interface Fault {
  readonly cause: string;
  /** Policy by rule; empty for what is of the reconciler itself. */
  readonly alerts: Readonly<Record<string, string>>;
  /** It is there when the world begins, so its alerts may come before the others. */
  readonly fromTheStart?: true;
  /** Resolves with the instant of the fault, milliseconds; from there to the receiver is measured. */
  make(world: AlertWorld): Promise<number>;
  /** After it the rules named by `ends` must end. */
  mend?(world: AlertWorld): Promise<void>;
  readonly ends?: readonly string[];
}

/** What the last backup of the yearbook lacks of a day. */
const restOfDaySeconds = 45;
const daySeconds = 86_400;
const newPassword = "of-today";

const password: Fault = {
  cause: "the server's password was changed",
  alerts: { BackupFailed: "cache", BackupMissingBySchedule: "cache" },
  make: ({ cache }) => cache.ask((client) => setPassword(client, newPassword)),
  mend: async ({ cache }) => {
    const connection = { ...settingsOf({ port: cache.port }), password: newPassword };
    await withClient(connection, (client) => setPassword(client, cachePassword));
  },
  ends: ["BackupFailed", "BackupMissingBySchedule"],
};

async function setPassword(
  client: { command(...args: readonly string[]): Promise<unknown> },
  text: string,
): Promise<number> {
  await client.command("CONFIG", "SET", "requirepass", text);
  return Date.now();
}

const deleted: Fault = {
  cause: "somebody deleted nearly all keys",
  alerts: { BackupTooSmall: "sessions" },
  make: ({ sessions }) =>
    sessions.ask(async (client) => {
      await client.command("FLUSHALL");
      await client.command("SET", "the", "last");
      return Date.now();
    }),
};

const slow: Fault = {
  cause: "a restore took longer than the 100 ms of the policy",
  alerts: { RTOMissed: "orders" },
  make: async ({ run }) => {
    // It restores, and says that it took too long.
    await run(["verify", "orders", "--level", "4"], {}, 5);
    return Date.now();
  },
};

const flipped: Fault = {
  cause: "a byte of a stored object was flipped",
  alerts: { VerificationFailed: "orders" },
  make: async (world) => {
    const atMs = flipByte(storedObject(world));
    await world.run(["verify", "orders", "--level", "2"], {}, 5);
    return atMs;
  },
  mend: async (world) => {
    flipByte(storedObject(world));
    await world.run(["verify", "orders", "--level", "2"]);
  },
  ends: ["VerificationFailed"],
};

/** The largest object of the orders. */
function storedObject({ store }: AlertWorld): string {
  const data = join(store, "orders/data");
  const files = readdirSync(data, { recursive: true, encoding: "utf8" }).map((name) => join(data, name));
  const sized = files.map((path) => ({ path, stat: statSync(path) })).filter(({ stat }) => stat.isFile());
  const largest = sized.reduce((most, file) => (file.stat.size > most.stat.size ? file : most));
  return largest.path;
}

function flipByte(path: string): number {
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
  return Date.now();
}

const forgotten: Fault = {
  cause: "somebody deleted the oldest point",
  alerts: { ReachMissed: "archive" },
  make: async ({ store }) => {
    const oldest = manifests(store, "archive")[0] ?? "";
    rmSync(join(store, `archive/manifests/${oldest}.json`));
    rmSync(join(store, `archive/data/${oldest}`), { recursive: true });
    return Date.now();
  },
};

const gone: Fault = {
  cause: "its server went away a day ago, less some seconds, and its slot has come",
  alerts: { BackupMissing: "yearbook" },
  make: async (world) => {
    const { archive, archiveClock, folder, run } = world;
    const behindSeconds = daySeconds - restOfDaySeconds;
    archiveClock.setBack(behindSeconds);
    const yesterday = { ...setBack(behindSeconds), HOLDFAST_POLICIES: join(folder, "all-policies") };
    await run(["backup", "yearbook"], yesterday);
    const isOverAtMs = Date.now() + restOfDaySeconds * 1000;
    await run(["verify", "yearbook", "--level", "2"], yesterday);
    await archive.stop();
    const slot = new Date(Date.now() + 70_000);
    const late = latePolicies(world.places, `${slot.getUTCMinutes()} ${slot.getUTCHours()} * * *`);
    await world.commit(late, "the wiki and the yearbook");
    return isOverAtMs;
  },
};

const neverDrilled: Fault = {
  cause: "a policy came that nobody has proved",
  alerts: { NeverProved: "wiki" },
  // It came with the yearbook.
  make: async () => Date.now(),
};

const postponed: Fault = {
  cause: "somebody made the job of its proof a yearly one",
  alerts: { JobDrift: "yearbook", DrillStale: "yearbook" },
  make: async ({ state }) => {
    const path = join(state, "jobs/yearbook~verify-2.json");
    const stored = JSON.parse(readFileSync(path, "utf8"));
    stored.job.schedule.cron = "0 0 1 1 *";
    writeFileSync(path, JSON.stringify(stored));
    return Date.now();
  },
};

const removed: Fault = {
  cause: "a stored WAL segment between two base backups was removed",
  alerts: { WALGap: "journal" },
  make: async (world) => {
    const { orders, store, run } = world;
    const segments: string[] = [];
    for (let at = 0; at < 3; at += 1) {
      await orders.run(`insert into payments values (${at})`);
      segments.push(String(await orders.ask("select pg_walfile_name(pg_current_wal_lsn())")));
      await orders.run("select pg_switch_wal()");
    }
    const path = join(store, "wal/journal/log/00000001", segments[1] ?? "");
    await run(["backup", "journal"]);
    await until(() => statSync(path, { throwIfNoEntry: false }) !== undefined);
    rmSync(path);
    return Date.now();
  },
};

/** Megabytes of WAL the server keeps after the fault. One receiver is left more than half of it behind, one more than all. */
const keptMb = 16;

const hanging: Fault = {
  cause: "the receivers hang, and somebody made the server keep less WAL",
  alerts: { SourceDrift: "ledger", SlotAtRisk: "ledger", SlotLost: "journal", RPOMissed: "ledger" },
  make: async (world) => {
    const { orders } = world;
    await orders.run(`alter system set max_slot_wal_keep_size = '${keptMb}MB'`);
    await orders.run("select pg_reload_conf()");
    hang(world, "journal");
    await writeWal(world, "journal", keptMb * 0.6);
    // One that lags hangs when it has caught up, so that what follows is the same for both.
    await until(async () => (await keptMegabytes(world, "ledger")) < 1);
    hang(world, "ledger");
    const atMs = Date.now();
    await writeWal(world, "ledger", keptMb * 0.6);
    await orders.run("checkpoint");
    const lost = "select wal_status = 'lost' from pg_replication_slots where slot_name = 'holdfast_journal'";
    await until(async () => (await orders.ask(lost)) === true);
    return atMs;
  },
};

function hang({ receiverOf }: AlertWorld, policy: string): void {
  const pid = receiverOf(policy);
  if (pid === undefined) throw new Error(`'${policy}' has no receiver that could hang`);
  signal(pid, "SIGSTOP");
}

async function keptMegabytes({ orders }: AlertWorld, policy: string): Promise<number> {
  const bytes = `select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 from pg_replication_slots where slot_name = 'holdfast_${policy}'`;
  return Number(await orders.ask(bytes)) / 1024 ** 2;
}

/** After it the slot of the policy keeps so many megabytes. */
async function writeWal(world: AlertWorld, policy: string, megabytes: number): Promise<void> {
  await world.orders.run("create table if not exists filler (text text)");
  await until(async () => {
    await world.orders.run(
      "insert into filler select repeat(md5(i::text), 32) from generate_series(1, 1000) i",
    );
    return (await keptMegabytes(world, policy)) >= megabytes;
  });
}

const refused: Fault = {
  cause: "the remote has refused every report since the start",
  alerts: { ReportSilent: "" },
  fromTheStart: true,
  make: async (world) => world.startedAtMs,
};

const untried: Fault = {
  cause: "the escrow key lies in the safe, and nobody has opened a backup with it",
  alerts: { EscrowUnproven: "orders" },
  fromTheStart: true,
  make: async (world) => world.startedAtMs,
};

/** The policies that come with the second stage restart the receivers, which must not hang before. */
export const stages: readonly (readonly Fault[])[] = [
  [refused, untried, password, deleted, forgotten],
  [slow, gone],
  [flipped, neverDrilled, postponed],
  [removed],
  [hanging],
];

/** The last, after which nothing else can be seen. */
export const killedReconciler: Fault = {
  cause: "the reconciler was killed",
  alerts: { HoldfastSilent: "" },
  make: async (world) => {
    // What hangs would be waited for when it starts again.
    for (const policy of ["journal", "ledger"]) signal(world.receiverOf(policy), "SIGCONT");
    signal(world.reconciler.child.pid, "SIGKILL");
    await world.reconciler.ended;
    return Date.now();
  },
  mend: async (world) => {
    world.reconciler = world.startReconciler();
  },
  ends: ["HoldfastSilent"],
};
