/** The doctor, and the room a restore asks for, on a real PostgreSQL and a machine that can be made poor. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backup } from "../../../src/operate/backup.ts";
import { type Diagnosis, diagnose } from "../../../src/operate/doctor.ts";
import { explainRestore } from "../../../src/operate/explain-restore.ts";
import type { Machine } from "../../../src/operate/machine.ts";
import { restore } from "../../../src/operate/restore.ts";
import { verify } from "../../../src/operate/verify.ts";
import type { World } from "../../../src/operate/world.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { openWorld, policyFor, restoreFolder, type TestWorld } from "../../servers/world.ts";

describe("a machine that lacks something", () => {
  let postgres: TestPostgres;
  let test: TestWorld;
  const targets = restoreFolder();

  beforeAll(async () => {
    postgres = await startPostgres({ segmentBytes: 1024 * 1024 });
    const { log: _, ...policy } = policyFor(postgres);
    test = await openWorld(policy);
    await backup(test.world, test.policy, { slotAtMs: Date.parse("2026-11-20T02:00:00Z") });
  }, 60_000);
  afterAll(async () => {
    rmSync(targets, { recursive: true, force: true });
    await test.close();
    await postgres.remove();
  });

  const on = (changes: Partial<Machine>, world: World = test.world): World =>
    Object.assign(Object.create(world) as World, {
      machine: Object.assign(Object.create(world.machine) as Machine, changes),
    });
  const faults = async (world: World): Promise<readonly Diagnosis[]> =>
    (await diagnose(world)).filter((d) => !d.ok);

  it("finds nothing wrong where nothing is, and says what it has looked at", async () => {
    const found = await diagnose(test.world);
    expect(found.filter((d) => !d.ok)).toEqual([]);
    const names = found.map((d) => d.name);
    expect(names).toEqual(
      expect.arrayContaining(["programs", "key", "store primary/postgresql/", "catalogue", "room", "source"]),
    );
  });

  it("names a missing program, what stands still without it, and the line that installs it", async () => {
    const find: Machine["find"] = async (name, places) =>
      name === "pg_verifybackup" || name === "zstd" ? undefined : test.world.machine.find(name, places);
    expect(await faults(on({ find }))).toEqual([
      expect.objectContaining({
        detail: "'pg_verifybackup' is not on this machine; without it: no restores",
        next: expect.stringContaining("apt-get install postgresql-client"),
      }),
      ...(test.policy.capture.codec === "zstd"
        ? [expect.objectContaining({ next: "apt-get install zstd" })]
        : []),
    ]);
  });

  it("tells no key from a wrong one", async () => {
    expect(await faults(on({ recipients: async () => [] }))).toEqual([
      expect.objectContaining({ name: "key", detail: expect.stringContaining("no private key was given") }),
    ]);
    expect(await faults(on({ recipients: async () => ["age1other"] }))).toEqual([
      expect.objectContaining({ name: "key", detail: expect.stringContaining("is none of runner") }),
    ]);
  });

  it("says that a source does not answer, and goes on to the rest", async () => {
    const away: Partial<Policy> = { connection: { ...test.policy.connection, port: 1 } };
    const found = await faults(await test.reopen(away));
    expect(found.map((d) => d.name)).toEqual(["source"]);
    expect(found[0]?.next).not.toBe("");
  });

  it("sees before a drill that disk or memory are too small for it", async () => {
    const poor = on({ freeBytes: async () => 1000, freeMemoryBytes: () => 0 });
    const [room] = await faults(poor);
    expect(room).toMatchObject({
      name: "room",
      detail: expect.stringMatching(/of disk and .* has 1000 B free/),
    });
    const verdict = await verify(poor, test.policy, { level: 4 });
    expect(verdict.ok).toBe(false);
    expect(JSON.stringify(verdict.verdict.checks)).toContain("of disk and");
  });

  it("refuses a restore for which there is no room before the first byte, unless it is told to try", async () => {
    const poor = on({ freeBytes: async () => 1000 });
    const directory = join(targets, "restored");
    const options = { target: { kind: "latest" }, directory, start: false } as const;
    expect((await explainRestore(poor, test.policy, options)).shortages).toHaveLength(1);
    await expect(restore(poor, test.policy, options)).rejects.toMatchObject({ code: "no-room" });
    expect(existsSync(directory)).toBe(false);
    expect((await restore(poor, test.policy, { ...options, ignoreRoom: true })).ok).toBe(true);
  }, 60_000);
});
