/**
 * The server is killed and its disk is gone at random moments under load. What the store had at that very
 * instant is restored: the receiver's own spool is not used, as if its machine had burnt down as well.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseLsn } from "../../../src/engine/postgresql/wal.ts";
import { backup } from "../../../src/operate/backup.ts";
import { receive } from "../../../src/operate/receive.ts";
import { restore } from "../../../src/operate/restore.ts";
import { seed } from "../../seed.ts";
import { startPostgres, startWriteLoad } from "../../servers/postgresql.ts";
import { pause, until } from "../../servers/waiting.ts";
import { openTestWorld, restoreFolder } from "../../servers/world.ts";

const rounds = 20;

/** mulberry32 */
function random(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Round {
  readonly behindMs: number;
  readonly acknowledged: number;
  readonly survived: number;
  /** Bytes the slot had acknowledged and the restored server lacks; 0 or less is good. */
  readonly slotMissingBytes: number;
  readonly acknowledgedLsn: string;
}

const targets = restoreFolder();
afterAll(() => rmSync(targets, { recursive: true, force: true }));

async function disaster(round: number, template: string, next: () => number): Promise<Round> {
  const postgres = await startPostgres({ segmentBytes: 1024 * 1024, template });
  const stopReceiver = new AbortController();
  const test = await openTestWorld(postgres, { signal: stopReceiver.signal });
  try {
    const receiving = receive(test.world, test.policy, () => {}).catch((error: unknown) => error);
    const slotLsn = async (): Promise<string> =>
      String(await postgres.ask("select max(restart_lsn)::text from pg_replication_slots"));
    await until(async () => (await slotLsn()) !== "null");
    await backup(test.world, test.policy, {});
    const load = await startWriteLoad(postgres, Math.floor(next() * 8));
    const killAfterMs = 1000 + next() * 3000;
    const switchesSegments = next() < 0.5;
    let acknowledgedLsn = await slotLsn();
    const startedAtMs = Date.now();
    while (Date.now() - startedAtMs < killAfterMs) {
      acknowledgedLsn = await slotLsn();
      if (switchesSegments && next() < 0.1) await postgres.run("select pg_switch_wal()");
      await pause(Math.min(50, Math.max(0, killAfterMs - (Date.now() - startedAtMs))));
    }
    const killedAtMs = Date.now();
    await postgres.kill();
    execFileSync("cp", ["-a", test.storeFolder, `${test.storeFolder}-at-kill`]);
    rmSync(postgres.dataDirectory, { recursive: true, force: true });
    await load.stop();
    stopReceiver.abort();
    await receiving;
    renameSync(test.storeFolder, `${test.storeFolder}-afterwards`);
    renameSync(`${test.storeFolder}-at-kill`, test.storeFolder);

    return await survivors(
      {
        postgres,
        test,
        directory: join(targets, String(round)),
      },
      load.commits,
      killedAtMs,
      acknowledgedLsn,
    );
  } finally {
    stopReceiver.abort();
    await test.close();
    await postgres.remove();
  }
}

const pageBytes = 8192;

/**
 * Bytes of whole records the slot had acknowledged and the restored server lacks. A server that writes a full page
 * before its record is complete sends that page, so an acknowledged position on a page's edge can lie inside a record,
 * of which no client was told. @see walsender.c, XLogSendPhysical; xlog.c, XLogBackgroundFlush
 */
function missingBytes(acknowledged: number, end: number): number {
  const missing = acknowledged - end;
  const isInsideRecord = acknowledged % pageBytes === 0 && missing < 2 * pageBytes;
  return isInsideRecord ? Math.min(missing, 0) : missing;
}

async function survivors(
  given: {
    readonly postgres: Awaited<ReturnType<typeof startPostgres>>;
    readonly test: Awaited<ReturnType<typeof openTestWorld>>;
    readonly directory: string;
  },
  commits: readonly { readonly id: number; readonly atMs: number }[],
  killedAtMs: number,
  acknowledgedLsn: string,
): Promise<Round> {
  const { test, directory } = given;
  const world = await test.reopen();
  const outcome = await restore(world, test.policy, {
    target: { kind: "latest" },
    directory,
    start: true,
  });
  try {
    const ask = async (statement: string) => Number(await outcome.server?.ask(statement, "postgres"));
    const hasTable = await ask("select (to_regclass('load') is not null)::int");
    const survived = hasTable === 1 ? await ask("select count(*) from load") : 0;
    const newest = hasTable === 1 ? await ask("select coalesce(max(id), 0) from load") : 0;
    expect(newest, "rows are a prefix without a hole").toBe(survived);
    const last = commits.findLast((c) => c.id <= survived);
    const history = readFileSync(join(directory, "data/pg_wal/00000002.history"), "utf8");
    const end = parseLsn(/\t([0-9A-F]+\/[0-9A-F]+)\t/.exec(history)?.[1] ?? "") ?? 0;
    return {
      behindMs: killedAtMs - (last?.atMs ?? commits[0]?.atMs ?? killedAtMs),
      acknowledged: commits.length,
      survived,
      slotMissingBytes: missingBytes(parseLsn(acknowledgedLsn) ?? 0, end),
      acknowledgedLsn,
    };
  } finally {
    await outcome.server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("a server killed and its disk removed", () => {
  it(`at ${rounds} random moments, no WAL the slot has acknowledged is missing`, async () => {
    console.log(`HOLDFAST_SEED=${seed}`);
    const next = random(seed);
    const fresh = await startPostgres({ segmentBytes: 1024 * 1024 });
    await fresh.stop();
    const results: Round[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) {
        results.push(await disaster(round, fresh.dataDirectory, next));
      }
    } finally {
      await fresh.remove();
    }
    const behind = results.map((r) => r.behindMs).sort((a, b) => a - b);
    const at = (share: number): number => behind[Math.ceil(share * behind.length) - 1] ?? Number.NaN;
    const lost = results.map((r) => r.acknowledged - r.survived);
    console.log(
      `behind the kill: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${behind.at(-1)} ms; ` +
        `commits not in the store: ${lost.join(" ")}; ` +
        `slot ahead of the store in ${results.filter((r) => r.slotMissingBytes > 0).length} of ${rounds} rounds`,
    );
    expect(results.filter((r) => r.slotMissingBytes > 0)).toEqual([]);
    expect(results.every((r) => r.acknowledged > 0)).toBe(true);
    expect(at(0.99)).toBeLessThan(5000);
  });
});
