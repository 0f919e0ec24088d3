/** The whole way on real servers: capture, WAL, restores to every kind of target, equal content. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecoveryTarget } from "../../../src/engine/engine.ts";
import { backup } from "../../../src/operate/backup.ts";
import { receive } from "../../../src/operate/receive.ts";
import { restore } from "../../../src/operate/restore.ts";
import { verify } from "../../../src/operate/verify.ts";
import { startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { pause, until } from "../../servers/waiting.ts";
import { openTestWorld, restoreFolder, storedThrough, type TestWorld } from "../../servers/world.ts";

const targets = restoreFolder();
afterAll(() => rmSync(targets, { recursive: true, force: true }));

describe.each([15, 17] as const)("PostgreSQL %i", (major) => {
  let postgres: TestPostgres;
  let test: TestWorld;
  const stopReceiver = new AbortController();
  let receiving: Promise<void>;
  let restores = 0;

  beforeAll(async () => {
    postgres = await startPostgres({ major, segmentBytes: 1024 * 1024 });
    test = await openTestWorld(postgres, { signal: stopReceiver.signal });
    await postgres.run(
      "create table numbers as select i, md5(i::text) as text from generate_series(1, 5000) i",
    );
    receiving = receive(test.world, test.policy, () => {});
    receiving.catch(() => undefined);
    await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
  });
  afterAll(async () => {
    stopReceiver.abort();
    await receiving?.catch(() => undefined);
    await test?.close();
    await postgres?.remove();
  });

  /** Restores and returns the answers of the restored server. */
  async function restored(target: RecoveryTarget, questions: readonly string[]): Promise<readonly unknown[]> {
    restores += 1;
    const world = await test.reopen();
    const outcome = await restore(world, test.policy, {
      target,
      directory: join(targets, `${major}-${restores}`),
      start: true,
    });
    try {
      expect(outcome.checks.filter((c) => !c.ok)).toEqual([]);
      const answers: unknown[] = [];
      for (const question of questions) answers.push(await outcome.server?.ask(question, "postgres"));
      return answers;
    } finally {
      await outcome.server?.stop();
    }
  }

  it("captures and restores equal content, to the point, a time, a position, a name and the end", async () => {
    const outcome = await backup(test.world, test.policy, {});
    expect(outcome.outcome).toBe("captured");
    const digest = "select md5(string_agg(i || text, ',' order by i)) from numbers";
    const before = await postgres.ask(digest);
    await pause(1500);
    const time = new Date(
      Number(await postgres.ask("select extract(epoch from clock_timestamp()) * 1000")),
    ).toISOString();
    await pause(300);
    await postgres.run("insert into numbers select i, 'late' from generate_series(5001, 5100) i");
    const lsn = String(await postgres.ask("select pg_current_wal_flush_lsn()::text"));
    await postgres.run("select pg_create_restore_point('before the drop')");
    await postgres.run("insert into numbers values (9999, 'after the name')");
    await postgres.run("drop table numbers");
    await postgres.run("create table last_words as select 1 as one");
    await storedThrough(postgres, test.policy);

    expect(await restored({ kind: "point" }, [digest])).toEqual([before]);
    expect(await restored({ kind: "time", at: time }, [digest])).toEqual([before]);
    expect(await restored({ kind: "lsn", lsn }, ["select count(*)::int from numbers"])).toEqual([5100]);
    expect(
      await restored({ kind: "name", name: "before the drop" }, ["select count(*)::int from numbers"]),
    ).toEqual([5100]);
    expect(
      await restored({ kind: "latest" }, [
        "select to_regclass('numbers') is null",
        "select one from last_words",
      ]),
    ).toEqual([true, 1]);
  });

  it("proves itself up to level 5", async () => {
    const world = await test.reopen();
    for (const level of [0, 1, 2, 3, 4, 5] as const) {
      const { verdict } = await verify(world, test.policy, { level });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(verdict.ok).toBe(true);
      if (level >= 4) expect(verdict.measured.rtoSeconds).toBeGreaterThan(0);
      if (level >= 4) expect(verdict.measured.rpoSeconds).toBeLessThan(10);
    }
  });

  it("refuses a folder with something in it", async () => {
    await expect(
      restore(test.world, test.policy, { target: { kind: "latest" }, directory: test.folder, start: false }),
    ).rejects.toMatchObject({
      code: "target-not-empty",
    });
  });
});
