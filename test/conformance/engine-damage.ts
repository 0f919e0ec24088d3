/**
 * Damage of every kind to what an engine has stored: each is caught at the level that has to catch it, with the
 * object named, and stops a restore; nothing is said of the healthy set. The kinds are data, so that an engine
 * can add its own. HOLDFAST_SEED chooses the objects, HOLDFAST_CLEAN_CHECKS how often the healthy set is judged.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keys } from "../../src/catalogue/keys.ts";
import type { Check } from "../../src/catalogue/manifest.ts";
import { readSecret } from "../../src/cli/secrets.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { HoldfastError } from "../../src/errors.ts";
import { backup } from "../../src/operate/backup.ts";
import { prune } from "../../src/operate/prune.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy, ProofLevel } from "../../src/policy/model.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { seed } from "../seed.ts";
import { directorySettings } from "../servers/settings.ts";
import { until } from "../servers/waiting.ts";
import { openWorld, restoreFolder, type TestWorld } from "../servers/world.ts";
import { type Damage, type DamageKind, damageKinds, type HealthySet, logPosition } from "./damage-kinds.ts";
import type { EngineFixture } from "./engine.ts";
import { seededRandom } from "./store.ts";

const cleanChecks = Number(process.env["HOLDFAST_CLEAN_CHECKS"] ?? 20);
const leastKinds = 12;

/** Call it beside `engineConformance`, with the same fixture; `ownKinds` are damage that only this component knows. */
export function engineDamage(
  name: string,
  open: () => Promise<EngineFixture>,
  ownKinds: readonly DamageKind[] = [],
): void {
  describe(`damage to what ${name} has stored (seed ${seed})`, () => {
    let fixture: EngineFixture;
    let test: TestWorld;
    let store: Store;
    let set: HealthySet;
    const targets = restoreFolder();
    const caught: string[] = [];
    let restores = 0;

    beforeAll(async () => {
      fixture = await open();
      test = await openWorld(
        { ...fixture.policy, canaryEveryMs: 0 },
        fixture.store === undefined ? {} : { store: fixture.store },
      );
      store = await openStore(fixture.store ?? directorySettings(test.storeFolder), "write", readSecret);
      set = await healthySet(fixture, test, store);
    }, 300_000);
    afterAll(async () => {
      console.log(caught.join("\n"));
      rmSync(targets, { recursive: true, force: true });
      await store?.close();
      await test?.close();
      await fixture?.close();
    });

    /** A process that has never seen the store. */
    const fresh = (): ReturnType<TestWorld["reopen"]> => {
      rmSync(join(test.folder, "state/cache"), { recursive: true, force: true });
      return test.reopen();
    };

    it(`says nothing of the healthy set in ${cleanChecks} checks`, async () => {
      const levels: readonly ProofLevel[] = [0, 1, 2, 2, 3];
      for (let i = 0; i < cleanChecks; i += 1) {
        const world = await fresh();
        const point = i % 2 === 0 ? set.newer.id : set.older.id;
        const level = levels[i % levels.length] ?? 0;
        const { ok, verdict } = await verify(world, test.policy, { level, point });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(ok).toBe(true);
        const { complete, remarks, unreadable } = await (await world.repository(test.policy)).catalogue();
        expect([complete, remarks, unreadable]).toEqual([true, [], []]);
        await world.close();
      }
    }, 600_000);

    it.each([...damageKinds, ...ownKinds])(
      "$kind is caught",
      async (kind) => {
        const damage = kind.of(set);
        if (damage === undefined) return;
        await withDamage(store, set, damage, async () => {
          const found = await judge(await fresh(), test.policy, kind, damage);
          expect(
            damage.names.some((named) => found.includes(named)),
            found,
          ).toBe(true);
          caught.push(`${kind.kind} | level ${kind.level} | ${found.slice(0, 160)}`);
          if (!kind.stopsRestore || fixture.isEncrypted === false) return;
          restores += 1;
          const directory = join(targets, String(restores));
          const refused = restore(await fresh(), test.policy, {
            target: { kind: "point" },
            point: damage.point,
            directory,
            start: false,
          });
          await expect(refused).rejects.toMatchObject({ name: "HoldfastError", exitStatus: 5 });
        });
      },
      120_000,
    );

    it("a lost piece of the log behind the point stops a restore to the end, or fails it, by name", async () => {
      if (fixture.endLogPiece === undefined) return;
      const need = set.newer.log;
      const behind = set.segments.filter(
        (s) => !s.partial && s.branch === need?.branch && s.sequence > need.lastSequence,
      );
      const lost = behind.at(-2);
      if (lost === undefined) throw new Error("the log has no piece behind the point that could be lost");
      const damage = { point: set.newer.id, writes: new Map([[lost.key, undefined]]), names: [lost.name] };
      await withDamage(store, set, damage, async () => {
        const directory = join(targets, "gap");
        const said = await restore(await fresh(), test.policy, {
          target: { kind: "latest" },
          directory,
          start: false,
        }).then(
          (outcome) => failedChecks(outcome.checks),
          (error: unknown) => (error instanceof HoldfastError ? `${error.code}: ${error.message}` : ""),
        );
        expect(said).toContain(logPosition(lost));
        caught.push(`a lost piece of the log behind the point | restore | ${said.slice(0, 160)}`);
      });
    }, 120_000);

    it("the wrong key opens nothing and is told from damage", async () => {
      if (fixture.isEncrypted === false) return;
      const stranger = `${(await newIdentity()).identity}\n`;
      const right = readFileSync(test.identityFile);
      try {
        writeFileSync(test.identityFile, stranger);
        await expect(verify(await fresh(), test.policy, { level: 3 })).rejects.toMatchObject({
          code: "key-wrong",
          exitStatus: 12,
        });
      } finally {
        writeFileSync(test.identityFile, right);
      }
      caught.push("the wrong key | level 3 | key-wrong, exit status 12, no verdict");
    });

    it("a marker of another cluster freezes every write and delete", async () => {
      const key = `${set.prefix}holdfast.json`;
      const marker = set.bytes.get(key)?.toString("utf8") ?? "";
      const foreign = marker.replace(/"cluster":"[^"]*"/, '"cluster":"somebody-else"');
      expect(foreign).not.toBe(marker);
      const damage = { point: "", writes: new Map([[key, Buffer.from(foreign)]]), names: [] };
      await withDamage(store, set, damage, async () => {
        const world = await fresh();
        await expect(backup(world, test.policy, {})).rejects.toMatchObject({ code: "store-identity" });
        const outcome = await prune(world, test.policy, true).catch((error: unknown) => error);
        if (outcome instanceof HoldfastError)
          expect(["store-identity", "guard-refused"]).toContain(outcome.code);
        else expect((outcome as Awaited<ReturnType<typeof prune>>).removed).toEqual([]);
      });
      caught.push("a marker of another cluster | backup, prune | store-identity, nothing deleted");
    });

    it("a verdict about another manifest proves nothing", async () => {
      const world = await fresh();
      await verify(world, test.policy, { level: 2, point: set.newer.id });
      const prefix = keys.verdicts(set.prefix);
      const verdicts: string[] = [];
      for await (const { key } of store.list(prefix)) verdicts.push(key);
      expect(verdicts.length).toBeGreaterThan(0);
      const proven = async (): Promise<number> => {
        const again = await fresh();
        const { points } = await (await again.repository(test.policy)).catalogue();
        return points.flatMap((p) => p.verdicts).filter((v) => v.ok).length;
      };
      expect(await proven()).toBeGreaterThan(0);
      for (const key of verdicts) {
        const text = Buffer.from((await store.get(key)).bytes).toString("utf8");
        const other = text.replace(/"manifestSha256":"[0-9a-f]{64}"/, `"manifestSha256":"${"0".repeat(64)}"`);
        await store.put(key, Buffer.from(other));
      }
      expect(await proven()).toBe(0);
      caught.push("a verdict about another manifest | catalogue | does not count as proof");
    });

    it(`has caught ${leastKinds} kinds or more`, () => {
      expect(caught.length).toBeGreaterThanOrEqual(leastKinds);
    });
  });
}

/** What the first failed checks or the error say. */
async function judge(
  world: Awaited<ReturnType<TestWorld["reopen"]>>,
  policy: Policy,
  { level }: DamageKind,
  { point }: Damage,
): Promise<string> {
  try {
    const { ok, verdict } = await verify(world, policy, { level, point });
    expect(ok).toBe(false);
    return failedChecks(verdict.checks);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(error.exitStatus, String(error)).toBe(5);
    return `${error.code}: ${error.message}`;
  }
}

function failedChecks(checks: readonly Check[]): string {
  const failed = checks.filter((c) => !c.ok);
  return failed.map((c) => `${c.name}: ${c.detail}`).join("; ");
}

async function write(store: Store, key: string, bytes: Buffer | undefined): Promise<void> {
  if (bytes === undefined) return store.remove([key]);
  const upload = store.upload(key);
  if (bytes.length > 0) await upload.write(Buffer.from(bytes));
  await upload.complete();
}

/** Does the damage, then the work, then puts every object back. */
async function withDamage(
  store: Store,
  set: HealthySet,
  damage: Damage,
  work: () => Promise<void>,
): Promise<void> {
  const undo = await damage.act?.();
  try {
    for (const [key, bytes] of damage.writes) await write(store, key, bytes);
    await work();
  } finally {
    for (const key of damage.writes.keys()) await write(store, key, set.bytes.get(key));
    await undo?.();
  }
}

/** Two points with changes between them, the log behind them, and one point of another policy. */
async function healthySet(fixture: EngineFixture, test: TestWorld, store: Store): Promise<HealthySet> {
  const beside = fixture.beside?.(test);
  const slots = [Date.parse("2026-11-20T02:00:00Z"), Date.parse("2026-11-21T02:00:00Z")];
  for (const slotAtMs of slots) {
    await backup(test.world, test.policy, { slotAtMs, full: true });
    await fixture.write();
  }
  const repository = await test.world.repository(test.policy);
  const points = async () => (await repository.catalogue()).points;
  const [older, newer] = (await points()).map((p) => p.manifest);
  if (older === undefined || newer === undefined) throw new Error("there are no two points");
  const segments = async () => (await repository.catalogue()).log?.segments ?? [];
  if (fixture.endLogPiece !== undefined) {
    const isBehind = (s: { readonly partial: boolean; readonly sequence: number }): boolean =>
      !s.partial && s.sequence > (newer.log?.lastSequence ?? 0);
    while ((await segments()).filter(isBehind).length < 3) {
      await fixture.write();
      const before = (await segments()).filter(isBehind).length;
      await fixture.endLogPiece();
      await until(async () => (await segments()).filter(isBehind).length > before);
    }
  }
  // Beside the policy's own; a bucket may hold something else around both.
  const parent = test.policy.store.prefix.replace(/[^/]+\/$/, "");
  const strangerPrefix = `${parent}other/`;
  const changed = await test.reopen({
    name: "other",
    store: { ...test.policy.store, prefix: strangerPrefix },
  });
  const [found] = changed.set.policies;
  if (found === undefined) throw new Error("there is no policy");
  const { log: _, ...other } = found;
  await backup(changed, other, { slotAtMs: slots[1] ?? 0, full: true });
  const [stranger] = (await (await changed.repository(other)).catalogue()).points;
  if (stranger === undefined) throw new Error("the other policy has no point");
  await beside?.stop();
  const bytes = new Map<string, Buffer>();
  for await (const { key } of store.list(parent)) bytes.set(key, await buffer(await store.read(key)));
  const stored = [...(await segments())].sort((a, b) => a.sequence - b.sequence);
  return {
    older,
    newer,
    stranger: stranger.manifest,
    prefix: test.policy.store.prefix,
    strangerPrefix,
    bytes,
    segments: stored,
    isEncrypted: fixture.isEncrypted !== false,
    random: seededRandom(seed),
  };
}
