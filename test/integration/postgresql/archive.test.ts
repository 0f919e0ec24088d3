/** archive_command: the server is told "archived" only after the store has the segment. */
import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { receive } from "../../../src/operate/receive.ts";
import { startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { until } from "../../servers/waiting.ts";
import { openTestWorld, policyFor, restoreFolder, type TestWorld } from "../../servers/world.ts";

const client = join(import.meta.dirname, "../../../src/engine/postgresql/archive-client.ts");
const targets = restoreFolder();
const stop = new AbortController();
let postgres: TestPostgres;
let test: TestWorld;
let receiving: Promise<unknown>;
let socket: string;

beforeAll(async () => {
  postgres = await startPostgres({
    segmentBytes: 1024 * 1024,
    settings: { archive_mode: "on" },
  });
  const { log } = policyFor(postgres);
  if (log === undefined) throw new Error("the test policy keeps a log");
  test = await openTestWorld(postgres, {
    signal: stop.signal,
    policy: { log: { ...log, mode: "archive" }, canaryEveryMs: 0 },
  });
  receiving = receive(test.world, test.policy, () => {}).catch((error: unknown) => error);
  await test.world.withContext(test.policy, { keep: `log-${test.policy.name}` }, async (context) => {
    socket = join(context.workDirectory, "archive.sock");
  });
  await until(async () => (await answer("/nowhere/x")).stderr.includes("no WAL file"));
});
afterAll(async () => {
  stop.abort();
  await receiving;
  await test?.close();
  await postgres?.remove();
  rmSync(targets, { recursive: true, force: true });
});

function answer(path: string): Promise<{ readonly status: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [client, socket, path], (error, _stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

it("the same content twice is fine, other content under the name is refused", async () => {
  const folder = join(test.folder, "offered");
  mkdirSync(folder);
  const path = join(folder, "0000000900000000000000AA");
  writeFileSync(path, Buffer.alloc(1024 * 1024, 1));
  expect((await answer(path)).status).toBe(0);
  expect((await answer(path)).status).toBe(0);
  writeFileSync(path, Buffer.alloc(1024 * 1024, 2));
  expect(await answer(path)).toMatchObject({ status: 1, stderr: expect.stringContaining("data-damaged") });
  const strange = join(folder, "notes.txt");
  copyFileSync(path, strange);
  expect((await answer(strange)).status).toBe(1);
});

it.runIf(process.getuid?.() === 0)("the socket is the server's alone", () => {
  const canWrite = (user: string): boolean =>
    spawnSync("setpriv", [`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "test", "-w", socket])
      .status === 0;
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect([canWrite("postgres"), canWrite("65534")]).toEqual([true, false]);
});

it("a store that refuses makes the server keep the segment, and it is archived afterwards", async () => {
  const failed = async () => Number(await postgres.ask("select failed_count from pg_stat_archiver"));
  renameSync(test.storeFolder, `${test.storeFolder}-away`);
  writeFileSync(test.storeFolder, "a file where the store was");
  await postgres.run(
    `alter system set archive_command = '"${process.execPath}" "${client}" "${socket}" "%p"'`,
  );
  await postgres.run("select pg_reload_conf()");
  await postgres.run("create table numbers as select generate_series(1, 1000) as i");
  const wal = String(await postgres.ask("select pg_walfile_name(pg_current_wal_lsn())"));
  await postgres.run("select pg_switch_wal()");
  await until(async () => (await failed()) > 0);
  rmSync(test.storeFolder);
  renameSync(`${test.storeFolder}-away`, test.storeFolder);
  // The archiver pauses for a minute after three failures; a further segment wakes it.
  await until(async () => {
    await postgres.run("insert into numbers values (0)");
    await postgres.run("select pg_switch_wal()");
    return (await postgres.ask(`select last_archived_wal >= '${wal}' from pg_stat_archiver`)) === true;
  });
  const repository = await test.world.repository(test.policy);
  const stored = (await repository.log.archive()).segments.map((s) => s.name);
  expect(stored).toContain(wal);
});
