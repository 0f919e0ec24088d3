/** Clusters with tablespaces, incremental chains, and logs with a segment missing. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RecoveryTarget } from "../../../src/engine/engine.ts";
import { backup } from "../../../src/operate/backup.ts";
import { receive } from "../../../src/operate/receive.ts";
import { restore } from "../../../src/operate/restore.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { type PostgresOptions, startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { pause, until } from "../../servers/waiting.ts";
import {
  openTestWorld,
  policyFor,
  restoreFolder,
  storedThrough,
  type TestWorld,
} from "../../servers/world.ts";

const targets = restoreFolder();
afterAll(() => rmSync(targets, { recursive: true, force: true }));
const digest = "select md5(string_agg(i || text, ',' order by i)) from numbers";
let restores = 0;

async function withServer(
  options: PostgresOptions,
  change: (policy: Policy) => Partial<Policy>,
  work: (postgres: TestPostgres, test: TestWorld) => Promise<void>,
): Promise<void> {
  const postgres = await startPostgres({ segmentBytes: 1024 * 1024, ...options });
  const stop = new AbortController();
  const test = await openTestWorld(postgres, { signal: stop.signal, policy: change(policyFor(postgres)) });
  const receiving = receive(test.world, test.policy, () => {}).catch(() => undefined);
  try {
    await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
    await work(postgres, test);
  } finally {
    stop.abort();
    await receiving;
    await test.close();
    await postgres.remove();
  }
}

async function answerOf(test: TestWorld, target: RecoveryTarget, question: string): Promise<unknown> {
  restores += 1;
  const directory = join(targets, String(restores));
  const world = await test.reopen();
  const outcome = await restore(world, test.policy, { target, directory, start: true });
  try {
    expect(outcome.checks.filter((c) => !c.ok)).toEqual([]);
    return await outcome.server?.ask(question, "postgres");
  } finally {
    await outcome.server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("PostgreSQL", () => {
  it("15 with two tablespaces comes back with both", async () => {
    await withServer(
      {},
      () => ({}),
      async (postgres, test) => {
        for (const name of ["one", "two"]) {
          const folder = join(postgres.folder, name);
          mkdirSync(folder);
          if (process.getuid?.() === 0) execFileSync("chown", ["postgres:", folder]);
          await postgres.run(`create tablespace ${name} location '${folder}'`);
        }
        await postgres.run(
          "create table numbers tablespace one as select i, md5(i::text) as text from generate_series(1, 3000) i",
        );
        await postgres.run("create index on numbers (text) tablespace two");
        await backup(test.world, test.policy, {});
        const before = await postgres.ask(digest);
        expect(await answerOf(test, { kind: "point" }, digest)).toBe(before);
        await postgres.run("insert into numbers values (0, 'later')");
        await storedThrough(postgres, test.policy);
        expect(await answerOf(test, { kind: "latest" }, digest)).toBe(await postgres.ask(digest));
      },
    );
  });

  it("17 restores a full capture and two incremental ones as one", async () => {
    const chained = (policy: Policy) => ({ capture: { ...policy.capture, fullCron: "0 2 * * 0" } });
    await withServer({ major: 17 }, chained, async (postgres, test) => {
      await postgres.run(
        "create table numbers as select i, md5(i::text) as text from generate_series(1, 3000) i",
      );
      await backup(test.world, test.policy, { full: true } as never);
      for (const round of [1, 2]) {
        await pause(1100);
        await postgres.run(
          `insert into numbers select i, 'later' from generate_series(${round}0000, ${round}0500) i`,
        );
        await backup(test.world, test.policy, {});
      }
      const repository = await test.world.repository(test.policy);
      const { points } = await repository.catalogue();
      expect(points.map((p) => p.manifest.capture).sort()).toEqual(["full", "incremental", "incremental"]);
      expect(await answerOf(test, { kind: "point" }, digest)).toBe(await postgres.ask(digest));
    });
  });

  it("15 with a segment missing names it, and still restores to before it", async () => {
    await withServer(
      {},
      () => ({}),
      async (postgres, test) => {
        await postgres.run(
          "create table numbers as select i, md5(i::text) as text from generate_series(1, 3000) i",
        );
        await backup(test.world, test.policy, {});
        const before = await postgres.ask(digest);
        const names: string[] = [];
        for (let round = 0; round < 4; round += 1) {
          await postgres.run("insert into numbers values (0, 'later')");
          names.push(String(await postgres.ask("select pg_walfile_name(pg_current_wal_lsn())")));
          await postgres.run("select pg_switch_wal()");
        }
        await postgres.run("insert into numbers values (0, 'last')");
        await storedThrough(postgres, test.policy);
        const victim = names[2] ?? "";
        const stored = readdirSync(test.storeFolder, { recursive: true, encoding: "utf8" });
        const files = stored.filter((path) => path.includes(victim));
        expect(files).not.toEqual([]);
        for (const path of files) rmSync(join(test.storeFolder, path));
        await expect(answerOf(test, { kind: "latest" }, digest)).rejects.toMatchObject({
          code: "wal-gap",
          message: expect.stringContaining(victim),
        });
        expect(await answerOf(test, { kind: "point" }, digest)).toBe(before);
      },
    );
  });
});
