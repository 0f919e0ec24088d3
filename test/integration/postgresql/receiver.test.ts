/** The receiver against what happens to it: a store that is away, a server that restarts, a promotion. */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { type Logger, silent } from "../../../src/log.ts";
import { backup } from "../../../src/operate/backup.ts";
import { receive } from "../../../src/operate/receive.ts";
import { restore } from "../../../src/operate/restore.ts";
import { auditLog } from "../../../src/recovery/audit.ts";
import { freePort } from "../../servers/ports.ts";
import { serverFolder, startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { pause, until } from "../../servers/waiting.ts";
import { openTestWorld, restoreFolder, storedThrough, type TestWorld } from "../../servers/world.ts";

const mebibyte = 1024 * 1024;
const targets = restoreFolder();
afterAll(() => rmSync(targets, { recursive: true, force: true }));
let cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  cleanups = [];
});

interface Stage {
  readonly postgres: TestPostgres;
  readonly test: TestWorld;
  readonly stop: AbortController;
  readonly receiving: Promise<unknown>;
}

async function stage(
  settings: Readonly<Record<string, string>> = {},
  onWarning: (message: string) => void = () => {},
): Promise<Stage> {
  const postgres = await startPostgres({ segmentBytes: mebibyte, settings });
  cleanups.push(() => postgres.remove());
  const stop = new AbortController();
  const log: Logger = { ...silent, warn: onWarning };
  const test = await openTestWorld(postgres, { signal: stop.signal, policy: { canaryEveryMs: 0 }, log });
  cleanups.push(() => test.close());
  const receiving = receive(test.world, test.policy, () => {}).catch((error: unknown) => error);
  cleanups.push(async () => {
    stop.abort();
    await receiving;
  });
  await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
  await postgres.run("create table t (id int)");
  return { postgres, test, stop, receiving };
}

/** Fills some segments. */
async function write(postgres: TestPostgres, from: number, to: number): Promise<void> {
  await postgres.run(`insert into t select i from generate_series(${from}, ${to}) i`);
  await postgres.run("select pg_switch_wal()");
}

async function gapsOf(test: TestWorld): Promise<readonly unknown[]> {
  const repository = await (await test.reopen()).repository(test.policy);
  const archive = (await repository.catalogue()).log;
  if (archive === undefined) throw new Error("no log");
  return auditLog({ archive, nameOf: (b, s) => `${b} ${s}`, nowMs: Date.now(), lateAfterMs: 0 }).gaps;
}

async function serverTime(postgres: TestPostgres): Promise<number> {
  return Number(await postgres.ask("select extract(epoch from clock_timestamp()) * 1000"));
}

async function latestCount(test: TestWorld, name: string): Promise<unknown> {
  const outcome = await restore(await test.reopen(), test.policy, {
    target: { kind: "latest" },
    directory: join(targets, name),
    start: true,
  });
  try {
    return await outcome.server?.ask("select count(*)::int from t", "postgres");
  } finally {
    await outcome.server?.stop();
  }
}

describe("the receiver", () => {
  it("acknowledges nothing while the store is away, and catches up after", async () => {
    const warnings: string[] = [];
    const { postgres, test } = await stage({}, (message) => void warnings.push(message));
    await backup(test.world, test.policy, {});
    await storedThrough(postgres, test.policy);
    const slotAt = () => postgres.ask("select restart_lsn::text from pg_replication_slots");
    const away = `${test.storeFolder}-away`;
    renameSync(test.storeFolder, away);
    writeFileSync(test.storeFolder, "a file where the folder was");
    // What the store had before it went may still be acknowledged; after the first failure nothing more.
    await write(postgres, 1, 5000);
    await until(() => warnings.includes("the receiver starts again"));
    const before = await slotAt();
    for (let i = 1; i < 4; i += 1) await write(postgres, i * 5000 + 1, i * 5000 + 5000);
    await pause(4000);
    expect(await slotAt()).toBe(before);
    rmSync(test.storeFolder);
    renameSync(away, test.storeFolder);
    await storedThrough(postgres, test.policy);
    expect(await gapsOf(test)).toEqual([]);
    expect(await latestCount(test, "outage")).toBe(20_000);
  });

  it("goes on after the server was killed and started again", async () => {
    const { postgres, test } = await stage();
    await backup(test.world, test.policy, {});
    await write(postgres, 1, 5000);
    await postgres.kill();
    await pause(1000);
    await postgres.start();
    await write(postgres, 5001, 10_000);
    await storedThrough(postgres, test.policy);
    expect(await gapsOf(test)).toEqual([]);
    expect(await latestCount(test, "restart")).toBe(10_000);
  });

  it("says loudly that the slot has lost WAL", async () => {
    const { postgres, test, stop, receiving } = await stage({
      max_slot_wal_keep_size: "2MB",
      max_wal_size: "4MB",
      min_wal_size: "2MB",
    });
    await storedThrough(postgres, test.policy);
    stop.abort();
    await receiving;
    await until(async () => {
      await write(postgres, 1, 20_000);
      await postgres.run("checkpoint");
      return (await postgres.ask("select wal_status from pg_replication_slots")) === "lost";
    }, 60_000);
    const again = await openTestWorld(postgres, { policy: { canaryEveryMs: 0 } });
    cleanups.push(() => again.close());
    await expect(receive(again.world, again.policy, () => {})).rejects.toMatchObject({
      code: "wal-gap",
      hint: expect.stringContaining("pg_drop_replication_slot"),
    });
    const facts = await again.world.withContext(again.policy, {}, async (context) =>
      (await again.world.engine(again.policy)).probe(context),
    );
    expect(facts.log?.lost).toBe(true);
    expect(facts.drift.some((d) => d.setting === "slot" && d.severity === "critical")).toBe(true);
  });

  it("does not mix the WAL of two servers in one spool", async () => {
    const { test, stop, receiving } = await stage();
    stop.abort();
    await receiving;
    const other = await startPostgres({ segmentBytes: mebibyte });
    cleanups.push(() => other.remove());
    const world = await test.reopen({ connection: { ...test.policy.connection, port: other.port } });
    const policy = world.set.policies[0];
    if (policy === undefined) throw new Error("no policy");
    await expect(receive(world, policy, () => {})).rejects.toMatchObject({ code: "guard-refused" });
  });

  it("says loudly that the slot was dropped and what comes next is gone", async () => {
    const { postgres, test, stop, receiving } = await stage({ max_wal_size: "4MB", min_wal_size: "2MB" });
    await postgres.run("insert into t values (0)");
    await storedThrough(postgres, test.policy);
    stop.abort();
    await receiving;
    await postgres.run(`select pg_drop_replication_slot('${test.policy.log?.slot}')`);
    for (let i = 0; i < 12; i += 1) {
      await write(postgres, 1, 8000);
      await postgres.run("checkpoint");
    }
    const again = new AbortController();
    cleanups.push(async () => again.abort());
    const world = await test.reopen({}, again.signal);
    await expect(receive(world, test.policy, () => {})).rejects.toMatchObject({
      code: "wal-gap",
      message: expect.stringMatching(/no longer has WAL segment 00000001[0-9A-F]{16}/),
    });
  });

  it("goes on after a restore to an earlier instant, and restores again", async () => {
    const { postgres, test, stop, receiving } = await stage();
    await backup(test.world, test.policy, {});
    await postgres.run("insert into t select generate_series(1, 100)");
    await pause(1200);
    const at = await serverTime(postgres);
    await pause(300);
    for (let i = 0; i < 6; i += 1) await write(postgres, 1, 8000);
    await postgres.run("insert into t values (0)");
    await storedThrough(postgres, test.policy);
    stop.abort();
    await receiving;
    await postgres.stop();
    const directory = join(targets, "rewound");
    await restore(await test.reopen(), test.policy, {
      target: { kind: "time", at: instant(at) },
      directory,
      start: false,
    });
    const rewound = await startPostgres({ segmentBytes: mebibyte, template: join(directory, "data") });
    cleanups.push(() => rewound.remove());
    await until(async () => (await rewound.ask("select pg_is_in_recovery()")) === false);
    const again = new AbortController();
    const world = await test.reopen(
      { connection: { ...test.policy.connection, port: rewound.port } },
      again.signal,
    );
    const policy = world.set.policies[0];
    if (policy === undefined) throw new Error("no policy");
    const receivingAgain = receive(world, policy, () => {}).catch((error: unknown) => error);
    cleanups.push(async () => {
      again.abort();
      await receivingAgain;
    });
    await until(async () => (await rewound.ask("select count(*)::int from pg_replication_slots")) === 1);
    await rewound.run("create table precious as select 1 as one");
    await pause(1200);
    const beforeDrop = await serverTime(rewound);
    await pause(300);
    await rewound.run("drop table precious");
    await storedThrough(rewound, policy);
    const outcome = await restore(await test.reopen(), test.policy, {
      target: { kind: "time", at: instant(beforeDrop) },
      directory: join(targets, "rewound-again"),
      start: true,
    });
    try {
      expect(await outcome.server?.ask("select one from precious", "postgres")).toBe(1);
      expect(await outcome.server?.ask("select count(*)::int from t", "postgres")).toBe(100);
    } finally {
      await outcome.server?.stop();
    }
    expect(await latestCount(test, "rewound-latest")).toBe(100);
  });

  it("follows a promotion, and a restore goes across it", async () => {
    const { postgres, test, stop, receiving } = await stage();
    await backup(test.world, test.policy, {});
    await write(postgres, 1, 5000);
    const folder = serverFolder();
    cleanups.push(async () => rmSync(folder, { recursive: true, force: true }));
    const data = join(folder, "data");
    const asServer = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--"] : [];
    const run = (...argv: readonly string[]) =>
      execFileSync(argv[0] ?? "", argv.slice(1), { cwd: "/", stdio: ["ignore", "ignore", "inherit"] });
    run(
      ...asServer,
      join(postgres.binDirectory, "pg_basebackup"),
      "-h",
      "127.0.0.1",
      "-p",
      String(postgres.port),
      "-U",
      "postgres",
      "-D",
      data,
      "-R",
      "-X",
      "stream",
      "--checkpoint=fast",
    );
    const port = await freePort();
    const ctl = (...rest: readonly string[]) =>
      run(
        ...asServer,
        join(postgres.binDirectory, "pg_ctl"),
        "-D",
        data,
        "-w",
        "-l",
        join(folder, "log"),
        ...rest,
      );
    ctl(
      "-o",
      `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c hba_file=${data}/pg_hba.conf`,
      "start",
    );
    cleanups.push(async () => ctl("-m", "immediate", "stop"));
    await storedThrough(postgres, test.policy);
    await pause(1000);
    await postgres.kill();
    stop.abort();
    await receiving;
    ctl("promote");
    const promoted: TestPostgres = {
      ...postgres,
      port,
      ask: (q) => askAt(port, q),
      run: async (q) => void (await askAt(port, q)),
    };
    const again = new AbortController();
    const world = await test.reopen({ connection: { ...test.policy.connection, port } }, again.signal);
    const policy = world.set.policies[0];
    if (policy === undefined) throw new Error("no policy");
    const receivingAgain = receive(world, policy, () => {}).catch((error: unknown) => error);
    cleanups.push(async () => {
      again.abort();
      await receivingAgain;
    });
    await until(async () => (await promoted.ask("select count(*)::int from pg_replication_slots")) === 1);
    await write(promoted, 5001, 9000);
    await storedThrough(promoted, policy);
    await until(() => existsSync(join(test.storeFolder, "wal/log/00000002.history")));
    expect(await gapsOf(test)).toEqual([]);
    expect(await latestCount(test, "promotion")).toBe(9000);
  });
});

async function askAt(port: number, statement: string): Promise<unknown> {
  const { withClient } = await import("../../../src/engine/postgresql/connection.ts");
  return withClient(
    { host: "127.0.0.1", port, user: "postgres", database: "postgres", sslMode: "disable" },
    async (client) => {
      const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
      return rows[0]?.[0];
    },
  );
}
