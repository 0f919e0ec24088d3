/**
 * Damage of every kind to stored data, each on a copy of one healthy store: caught at the level that should
 * catch it, with the object named; and nothing is said of the undamaged one.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newIdentity } from "../../src/crypto/identity.ts";
import { HoldfastError } from "../../src/errors.ts";
import { backup } from "../../src/operate/backup.ts";
import { observe } from "../../src/operate/observe.ts";
import { prune } from "../../src/operate/prune.ts";
import { receive } from "../../src/operate/receive.ts";
import { restore } from "../../src/operate/restore.ts";
import { statusOf } from "../../src/operate/status.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy, ProofLevel } from "../../src/policy/model.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { openTestWorld, restoreFolder, storedThrough, type TestWorld } from "../servers/world.ts";

let postgres: TestPostgres;
let test: TestWorld;
let pristine = "";
let points: readonly string[] = [];
let otherPoint = "";
const targets = restoreFolder();
const table: string[] = [];

/** The second tenant: the same server under another name and prefix, without a log. */
function tenant(): Partial<Policy> {
  const { log: _, ...rest } = test.policy;
  return { ...rest, name: "other", store: { name: "primary", prefix: "other/" } };
}

beforeAll(async () => {
  postgres = await startPostgres({ segmentBytes: 1024 * 1024 });
  const stop = new AbortController();
  test = await openTestWorld(postgres, { signal: stop.signal, policy: { canaryEveryMs: 0 } });
  await postgres.run("create table t as select i, md5(i::text) from generate_series(1, 20000) i");
  const receiving = receive(test.world, test.policy, () => {}).catch(() => undefined);
  await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
  const slots = [Date.parse("2026-11-20T02:00:00Z"), Date.parse("2026-11-21T02:00:00Z")];
  const made: string[] = [];
  for (const slotAtMs of slots) {
    made.push((await backup(test.world, test.policy, { slotAtMs })).point);
    await postgres.run("insert into t select i, 'more' from generate_series(1, 3000) i");
    await postgres.run("select pg_switch_wal()");
  }
  points = made;
  const other = await otherWorld();
  otherPoint = (await backup(other.world, other.policy, { slotAtMs: slots[0] ?? 0 })).point;
  await storedThrough(postgres, test.policy);
  stop.abort();
  await receiving;
  pristine = `${test.storeFolder}-pristine`;
  execFileSync("cp", ["-a", test.storeFolder, pristine]);
});

afterAll(async () => {
  console.log(table.join("\n"));
  rmSync(targets, { recursive: true, force: true });
  await test?.close();
  await postgres?.remove();
});

async function otherWorld() {
  // A field set to undefined is not a missing one, so the policy is made anew.
  const world = await test.reopen(tenant());
  const found = world.set.policies[0];
  if (found === undefined) throw new Error("no policy");
  const { log: _, ...policy } = found;
  return { world, policy: policy as Policy };
}

/** A fresh copy of the healthy store, and a process that has never seen it. */
async function fresh() {
  rmSync(test.storeFolder, { recursive: true, force: true });
  execFileSync("cp", ["-a", pristine, test.storeFolder]);
  rmSync(join(test.folder, "state/cache"), { recursive: true, force: true });
  return test.reopen();
}

const inStore = (...parts: readonly string[]): string => join(test.storeFolder, ...parts);

function objectsOf(prefix: string, point: string): readonly string[] {
  const folder = inStore(prefix, "data", point);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("."))
    .map((name) => `${prefix}/data/${point}/${name}`);
}

function baseObject(prefix = "postgresql", point = points[1] ?? ""): string {
  const found = objectsOf(prefix, point).find((name) => name.includes("base.tar"));
  if (found === undefined) throw new Error(`no base.tar below ${prefix} ${point}`);
  return found;
}

function flip(key: string, share = 0.5): void {
  const bytes = readFileSync(inStore(key));
  const at = Math.floor(bytes.length * share);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(inStore(key), bytes);
}

function swap(a: string, b: string): void {
  const bytes = readFileSync(inStore(a));
  writeFileSync(inStore(a), readFileSync(inStore(b)));
  writeFileSync(inStore(b), bytes);
}

/** Names of whole segments that the newest point needs, and one that lies after it. */
function walKeys(): readonly string[] {
  const folder = inStore("wal/log/00000001");
  return readdirSync(folder)
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort()
    .map((name) => `wal/log/00000001/${name}`);
}

/** The segment in which the newest base backup begins. */
function neededSegment(): string {
  const manifest = JSON.parse(readFileSync(inStore(`postgresql/manifests/${points[1]}.json`), "utf8"));
  const name = `00000001${"0".repeat(8)}${manifest.log.firstSequence.toString(16).toUpperCase().padStart(8, "0")}`;
  return `wal/log/00000001/${name}`;
}

interface Case {
  readonly kind: string;
  readonly damage: () => void | Promise<void>;
  readonly level: ProofLevel;
  /** What the first failed check or the error must say. */
  readonly says: () => RegExp;
  readonly point?: () => string;
}

const escaped = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));

const cases: readonly Case[] = [
  {
    kind: "one bit flipped in a base backup",
    damage: () => flip(baseObject()),
    level: 2,
    says: () => escaped(baseObject()),
  },
  {
    kind: "one bit flipped in an object's header",
    damage: () => flip(baseObject(), 0.0001),
    level: 2,
    says: () => escaped(baseObject()),
  },
  {
    kind: "an object cut short",
    damage: () => truncateSync(inStore(baseObject()), 1000),
    level: 0,
    says: () => escaped(baseObject()),
  },
  {
    kind: "an object removed",
    damage: () => unlinkSync(inStore(baseObject())),
    level: 0,
    says: () => /base\.tar.*missing/,
  },
  {
    kind: "an object emptied",
    damage: () => truncateSync(inStore(baseObject()), 0),
    level: 0,
    says: () => escaped(baseObject()),
  },
  {
    kind: "two points' objects swapped",
    damage: () => swap(baseObject(), baseObject("postgresql", points[0])),
    level: 2,
    says: () => escaped(baseObject()),
  },
  {
    kind: "two tenants' objects swapped",
    damage: () => swap(baseObject(), baseObject("other", otherPoint)),
    level: 2,
    says: () => escaped(baseObject()),
  },
  {
    kind: "two tenants' manifests swapped",
    damage: () => swap(`postgresql/manifests/${points[0]}.json`, `other/manifests/${otherPoint}.json`),
    level: 0,
    point: () => points[0] ?? "",
    says: () => /manifest of point .* cannot be used/,
  },
  {
    kind: "an older manifest put over a newer one",
    damage: () =>
      writeFileSync(
        inStore(`postgresql/manifests/${points[1]}.json`),
        readFileSync(inStore(`postgresql/manifests/${points[0]}.json`)),
      ),
    level: 0,
    point: () => points[1] ?? "",
    says: () => /manifest of point .* cannot be used/,
  },
  {
    kind: "a manifest edited after the fact",
    damage: () => {
      const path = inStore(`postgresql/manifests/${points[0]}.json`);
      writeFileSync(path, readFileSync(path, "utf8").replace(/"filesCount":\d+/, '"filesCount":1'));
    },
    level: 0,
    says: () => /was changed after it was written/,
  },
  {
    kind: "a manifest that is no JSON",
    damage: () => truncateSync(inStore(`postgresql/manifests/${points[1]}.json`), 100),
    level: 0,
    point: () => points[1] ?? "",
    says: () => /cannot be used/,
  },
  {
    kind: "a WAL segment of the point dropped",
    damage: () => unlinkSync(inStore(neededSegment())),
    level: 0,
    says: () => escaped(neededSegment().split("/").at(-1) ?? ""),
  },
  {
    kind: "one bit flipped in a WAL segment of the point",
    damage: () => flip(neededSegment()),
    level: 3,
    says: () => escaped(neededSegment()),
  },
  {
    kind: "two WAL segments swapped",
    damage: () => swap(neededSegment(), walKeys().at(-1) ?? ""),
    level: 3,
    says: () => /wal\/log\/00000001/,
  },
];

describe("damage", () => {
  it("is reported nowhere on the undamaged set", async () => {
    const world = await fresh();
    for (const level of [0, 1, 2, 3, 4] as const) {
      for (const point of points) {
        const { verdict } = await verify(world, test.policy, { level, point });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(verdict.ok).toBe(true);
      }
    }
    const repository = await world.repository(test.policy);
    const catalogue = await repository.catalogue();
    expect([catalogue.complete, catalogue.remarks, catalogue.unreadable]).toEqual([true, [], []]);
  });

  it.each(cases)("$kind is caught", async ({ kind, damage, level, says, point }) => {
    const world = await fresh();
    await damage();
    let said = "";
    try {
      const { ok, verdict } = await verify(world, test.policy, {
        level,
        ...(point === undefined ? {} : { point: point() }),
      });
      expect(ok).toBe(false);
      said = verdict.checks
        .filter((c) => !c.ok)
        .map((c) => `${c.name}: ${c.detail}`)
        .join("; ");
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      expect(error.exitStatus).toBe(5);
      said = `${error.code}: ${error.message}`;
    }
    expect(said).toMatch(says());
    table.push(`${kind} | level ${level} | ${said.slice(0, 150)}`);
  });

  it("a dropped WAL segment behind the point stops a restore, by name", async () => {
    const world = await fresh();
    const dropped =
      walKeys().find(
        (key) =>
          key > neededSegment() &&
          walKeys().indexOf(key) < walKeys().length - 1 &&
          key > `wal/log/00000001/${lastNeeded()}`,
      ) ?? "";
    expect(existsSync(inStore(dropped))).toBe(true);
    unlinkSync(inStore(dropped));
    await expect(
      restore(world, test.policy, {
        target: { kind: "latest" },
        directory: join(targets, "gap"),
        start: false,
      }),
    ).rejects.toMatchObject({
      code: "wal-gap",
      message: expect.stringContaining(dropped.split("/").at(-1) ?? ""),
    });
    table.push(
      `a WAL segment behind the point dropped | restore | wal-gap names ${dropped.split("/").at(-1)}`,
    );
  });

  it("the wrong key opens nothing and is told from damage", async () => {
    await fresh();
    const right = readFileSync(test.identityFile);
    try {
      writeFileSync(test.identityFile, `${(await newIdentity()).identity}\n`);
      const world = await test.reopen();
      await expect(verify(world, test.policy, { level: 3 })).rejects.toMatchObject({
        code: "key-wrong",
        exitStatus: 12,
      });
    } finally {
      writeFileSync(test.identityFile, right);
    }
    table.push("the wrong key | level 3 | key-wrong, exit status 12, no verdict");
  });

  it("a marker of another cluster freezes every delete", async () => {
    const world = await fresh();
    const path = inStore("postgresql/holdfast.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"cluster":"[^"]*"/, '"cluster":"somebody-else"'));
    const outcome = await prune(world, test.policy, true).catch((error: unknown) => error);
    if (outcome instanceof HoldfastError) expect(["store-identity", "guard-refused"]).toContain(outcome.code);
    else {
      expect((outcome as Awaited<ReturnType<typeof prune>>).plan.refusals.map((r) => r.guard)).toContain(
        "store-identity",
      );
      expect((outcome as Awaited<ReturnType<typeof prune>>).removed).toEqual([]);
    }
    await expect(backup(world, test.policy, {})).rejects.toMatchObject({ code: "store-identity" });
    table.push("a marker of another cluster | prune, backup | store-identity, nothing deleted");
  });

  it("a verdict about another manifest proves nothing", async () => {
    const world = await fresh();
    await verify(world, test.policy, { level: 4, point: points[1] ?? "" });
    const folder = inStore(`postgresql/verdicts/${points[1]}`);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      writeFileSync(
        path,
        readFileSync(path, "utf8").replace(
          /"manifestSha256":"[0-9a-f]{64}"/,
          `"manifestSha256":"${"0".repeat(64)}"`,
        ),
      );
    }
    const again = await test.reopen();
    const { healths } = statusOf(again, await observe(again, undefined));
    expect(healths[0]?.proof).not.toBe("proved");
    expect(healths[0]?.proven).toBeUndefined();
    table.push("a verdict about another manifest | status | does not count as proof");
  });
});

function lastNeeded(): string {
  const manifest = JSON.parse(readFileSync(inStore(`postgresql/manifests/${points[1]}.json`), "utf8"));
  return `00000001${"0".repeat(8)}${manifest.log.lastSequence.toString(16).toUpperCase().padStart(8, "0")}`;
}
