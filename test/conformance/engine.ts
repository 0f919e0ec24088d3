/** What every engine must keep, whatever it backs up. Each engine's own file gives it a real server. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { instant } from "../../src/catalogue/instant.ts";
import { componentFacts } from "../../src/component.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import type { RunningServer } from "../../src/engine/engine.ts";
import type { Logger } from "../../src/log.ts";
import { backup } from "../../src/operate/backup.ts";
import { coverageOf, lookAround } from "../../src/operate/look-around.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy, StoreSettings } from "../../src/policy/model.ts";
import { handScript } from "../../src/report/hand-script.ts";
import { itemName } from "../../src/state/coverage.ts";
import { freePort } from "../servers/ports.ts";
import { openWorld, restoreFolder, type TestWorld, type TestWorldOptions } from "../servers/world.ts";

const decryptor = join(import.meta.dirname, "../../docs/restore-without-holdfast.py");

export interface EngineFixture {
  /** For the source server, without a change log or with one that needs no receiver for a restore to the point. */
  readonly policy: Policy;
  /** Where the points go; a folder store when absent. */
  readonly store?: StoreSettings;
  /** Values that must stand nowhere, such as the password of `policy.connection`. */
  readonly secrets: readonly string[];
  /** False where the vendor's tool writes to the store by itself, and our encryption cannot wrap it. */
  readonly isEncrypted?: boolean;
  /** Adds, changes and removes data at the source. */
  write(): Promise<void>;
  /** What the source holds; equal exactly when the data are equal. Canaries do not count. */
  fingerprint(): Promise<string>;
  /** The same of a restored server. */
  fingerprintOf(server: RunningServer): Promise<string>;
  /**
   * Changes to the policy by which the program that captures is a shell script; `"$REAL"` in it is the real
   * one. Absent where no program captures.
   */
  withTool?(script: string): Promise<Partial<Policy>>;
  /** Changes to the policy by which the source cannot be reached. */
  readonly unreachable: Partial<Policy>;
  /** What the vendor's own commands have brought up on `port` out of `directory`; absent for a carried-by-tool store. */
  readonly byHand?: {
    readonly environment?: Readonly<Record<string, string>>;
    fingerprint(directory: string, port: number): Promise<string>;
    stop(directory: string, port: number): Promise<void>;
  };
  /** Work that must run beside the captures, such as a log receiver; undefined for none. */
  beside?(test: TestWorld): { stop(): Promise<void> };
  /** Makes the log begin a new piece, after which the receiver stores the one before whole. Absent without a log. */
  endLogPiece?(): Promise<void>;
  close(): Promise<void>;
}

/** @param open brings a server up with some data in it */
export function engineConformance(
  name: string,
  open: () => Promise<EngineFixture>,
  /** False for an engine that starts none of the vendor's programs to capture. */
  capturesWithTool = true,
): void {
  describe(`engine ${name}`, () => {
    let fixture: EngineFixture;
    let opened: { readonly test: TestWorld; readonly beside: { stop(): Promise<void> } | undefined }[] = [];
    const targets = restoreFolder();
    const logged: string[] = [];
    const stepped: string[] = [];
    let slotAtMs = Date.parse("2026-11-20T00:00:00Z");
    let restores = 0;
    let worlds = 0;

    beforeAll(async () => {
      fixture = await open();
    }, 180_000);
    afterAll(async () => {
      rmSync(targets, { recursive: true, force: true });
      await fixture.close();
    });
    afterEach(async () => {
      for (const { test, beside } of opened) {
        await beside?.stop();
        await test.close();
      }
      opened = [];
    });

    const world = async (
      changes: Partial<Policy> = {},
      options: Omit<TestWorldOptions, "policy"> = {},
    ): Promise<TestWorld> => {
      const write = (message: string, facts?: object): void => {
        logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
      };
      const log: Logger = { debug: write, info: write, warn: write, error: write };
      const steps = {
        step: (text: string) => void stepped.push(text),
        progress: () => {},
        finish: () => {},
      };
      worlds += 1;
      // Worlds that share a bucket keep their points apart.
      const { store } = fixture.policy;
      const place = fixture.store === undefined ? store : { ...store, prefix: `${store.prefix}${worlds}/` };
      const test = await openWorld(
        { ...fixture.policy, store: place, ...changes },
        { log, steps, ...(fixture.store === undefined ? {} : { store: fixture.store }), ...options },
      );
      opened.push({ test, beside: fixture.beside?.(test) });
      return test;
    };
    const nextSlot = (): number => {
      slotAtMs += 3_600_000;
      return slotAtMs;
    };
    const capture = (test: TestWorld, changes: Partial<Policy> = {}) =>
      backup(test.world, { ...test.policy, ...changes }, { slotAtMs: nextSlot(), full: true });
    const points = async (test: TestWorld) =>
      (await (await test.world.repository(test.policy)).catalogue()).points;

    it("probes the source without changing it", async () => {
      const test = await world();
      const before = await fixture.fingerprint();
      const facts = await test.world.withContext(test.policy, {}, async (context) =>
        (await test.world.engine(test.policy)).probe(context),
      );
      expect(facts).toMatchObject({ policy: test.policy.name, reachable: true, detail: "" });
      expect(facts.version).toMatch(/\d/);
      expect(facts.identity).not.toBe("");
      expect(await fixture.fingerprint()).toBe(before);
    });

    it("says of an unreachable source that it is, and captures nothing from it", async () => {
      const test = await world(fixture.unreachable);
      const facts = await test.world.withContext(test.policy, {}, async (context) =>
        (await test.world.engine(test.policy)).probe(context),
      );
      expect(facts.reachable).toBe(false);
      expect(facts.detail).not.toBe("");
      await expect(capture(test)).rejects.toMatchObject({
        code: expect.stringMatching(/^(source-unreachable|tool-failed)$/),
      });
      expect(await points(test)).toEqual([]);
    });

    it("lists what the source holds in the component's own words, and nothing of a source that is away", async () => {
      const test = await world();
      const { inventory } = await test.world.engine(test.policy);
      if (inventory === undefined) return;
      const before = await fixture.fingerprint();
      const [look] = (await lookAround(test.world)).looks;
      if (look === undefined || "cause" in look) throw new Error(`it could not look: ${look?.cause}`);
      expect(look.server).not.toBe("");
      expect(look.unseen).toEqual([]);
      const names = look.items.map(itemName);
      expect(new Set(names).size).toBe(names.length);
      const { holds } = componentFacts(test.policy.component);
      expect(look.items.filter((i) => !holds.includes(i.kind))).toEqual([]);
      expect(look.items.some((i) => inventory.misses(test.policy, i) === undefined)).toBe(true);
      for (const secret of fixture.secrets) expect(JSON.stringify(look)).not.toContain(secret);
      expect(await fixture.fingerprint()).toBe(before);
      const away = await world(fixture.unreachable);
      const looks = await lookAround(away.world);
      expect(looks.looks).toEqual([
        { policy: test.policy.name, component: test.policy.component, cause: expect.stringMatching(/./) },
      ]);
      expect(coverageOf(away.world, looks)).toMatchObject({ items: [], unknown: [{}] });
      for (const secret of fixture.secrets) expect(JSON.stringify(looks)).not.toContain(secret);
    }, 120_000);

    it("restores what it captured, equal, and proves it to level 4", async () => {
      const test = await world();
      const before = await fixture.fingerprint();
      const outcome = await capture(test);
      await fixture.write();
      expect(await fixture.fingerprint()).not.toBe(before);
      expect(outcome).toMatchObject({ outcome: "captured", capture: "full" });
      expect(outcome.sizeBytes).toBeGreaterThan(0);
      expect(outcome.filesCount).toBeGreaterThan(0);
      const [point] = await points(test);
      expect(point?.manifest.restoreNeeds.diskBytes).toBeGreaterThan(0);
      restores += 1;
      const restored = await restore(test.world, test.policy, {
        target: { kind: "point" },
        point: outcome.point,
        directory: join(targets, String(restores)),
        start: true,
      });
      try {
        expect(restored.checks.filter((c) => !c.ok)).toEqual([]);
        if (restored.server === undefined) throw new Error("no server was started");
        expect(await fixture.fingerprintOf(restored.server)).toBe(before);
      } finally {
        await restored.server?.stop();
      }
      for (const level of [2, 3, 4] as const) {
        const { ok, verdict } = await verify(test.world, test.policy, { level, point: outcome.point });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(ok).toBe(true);
      }
      expect(stepped.length).toBeGreaterThan(0);
    }, 180_000);

    it("comes back to any instant behind a point where the policy has no log, and to none before it", async () => {
      const test = await world();
      if (componentFacts(test.policy.component).keepsVersions === true) return;
      const { log: _, ...policy } = test.policy;
      const before = await fixture.fingerprint();
      const outcome = await backup(test.world, policy, { slotAtMs: nextSlot(), full: true });
      const consistentMs = Date.parse((await points(test))[0]?.manifest.consistentAt ?? "");
      const to = (ms: number, start: boolean) => {
        restores += 1;
        return restore(test.world, policy, {
          target: { kind: "time", at: instant(ms) },
          point: outcome.point,
          directory: join(targets, String(restores)),
          start,
        });
      };
      const { checks, server } = await to(consistentMs + 3_600_000, true);
      try {
        expect(checks.filter((c) => !c.ok)).toEqual([]);
        if (server === undefined) throw new Error("no server was started");
        expect(await fixture.fingerprintOf(server)).toBe(before);
      } finally {
        await server?.stop();
      }
      await expect(to(consistentMs - 60_000, false)).rejects.toMatchObject({ code: "target-unreachable" });
    }, 180_000);

    it("does one slot once, and nothing while another run of the policy is under way", async () => {
      const test = await world();
      const first = await capture(test);
      const again = await backup(test.world, test.policy, { slotAtMs, full: true });
      expect(again).toMatchObject({ outcome: "already", point: first.point });
      const lease = await (await test.world.repository(test.policy)).lock("run", "another run");
      await expect(capture(test)).rejects.toMatchObject({ code: "locked" });
      await lease.release();
      expect(await points(test)).toHaveLength(1);
    }, 60_000);

    it("finds a flipped byte in every stored object, and tells it from a wrong key", async () => {
      const test = await world();
      if (fixture.store !== undefined) return;
      const { point } = await capture(test);
      const [stored] = await points(test);
      const objects = stored?.manifest.artifacts.flatMap((a) => a.objects) ?? [];
      expect(objects.length).toBeGreaterThan(0);
      for (const { key, sizeBytes } of objects) {
        const path = objectPath(test.storeFolder, key);
        const healthy = readFileSync(path);
        const damaged = Buffer.from(healthy);
        const at = Math.floor(sizeBytes * 0.7);
        damaged[at] = (damaged[at] ?? 0) ^ 0x10;
        writeFileSync(path, damaged);
        const { ok, verdict } = await verify(test.world, test.policy, { level: 2, point });
        expect([ok, verdict.level], key).toEqual([false, 1]);
        expect(JSON.stringify(verdict.checks)).toContain(key);
        writeFileSync(path, healthy);
      }
      expect((await verify(test.world, test.policy, { level: 3, point })).ok).toBe(true);
      if (fixture.isEncrypted === false) return;
      writeFileSync(test.identityFile, `${(await newIdentity()).identity}\n`);
      const stranger = await test.reopen();
      await expect(verify(stranger, test.policy, { level: 3, point })).rejects.toMatchObject({
        code: expect.stringMatching(/^key-/),
      });
    }, 180_000);

    for (const { what, script } of capturesWithTool ? toolFaults : []) {
      it(`makes no point of a tool that ${what}`, async () => {
        if (fixture.withTool === undefined) throw new Error(`${name} names no program it captures with`);
        const test = await world(await fixture.withTool(script));
        const failed = capture(test);
        await expect(failed).rejects.toMatchObject({
          code: expect.stringMatching(
            /^(tool-failed|empty-backup|source-unreachable|tool-version|data-damaged)$/,
          ),
        });
        await expect(failed).rejects.toThrow(/./);
        expect(await points(test)).toEqual([]);
        if (fixture.store === undefined) expect(dataObjects(test.storeFolder)).toEqual([]);
      }, 60_000);
    }

    for (const afterMs of [0, 60, 200, 500]) {
      it(`leaves no process and no point when it is aborted after ${afterMs} ms`, async () => {
        const stop = new AbortController();
        const before = childrenOf(process.pid);
        const test = await world({}, { signal: stop.signal });
        const settled = capture(test).then(
          () => "captured",
          () => "aborted",
        );
        setTimeout(() => stop.abort(), afterMs);
        const end = await settled;
        const reader = await test.reopen();
        const { points } = await (await reader.repository(test.policy)).catalogue();
        expect(points).toHaveLength(end === "captured" ? 1 : 0);
        await opened.at(-1)?.beside?.stop();
        opened = opened.map((o) => (o.test === test ? { ...o, beside: undefined } : o));
        const deadline = Date.now() + 30_000;
        const left = (): readonly number[] => childrenOf(process.pid).filter((pid) => !before.includes(pid));
        while (left().length > 0 && Date.now() < deadline) await new Promise((r) => setTimeout(r, 20));
        expect(left().map((pid) => commandLine(pid))).toEqual([]);
      }, 60_000);
    }

    it("shows no secret in an argument, a log, a step, a manifest or a stored byte", async () => {
      expect(fixture.secrets.length).toBeGreaterThan(0);
      const test = await world();
      const seen = new Set<string>();
      const own = new Set(processes());
      const sampling = setInterval(() => {
        for (const pid of processes()) if (!own.has(pid)) seen.add(commandLine(pid));
      }, 2);
      try {
        const { point } = await capture(test);
        await verify(test.world, test.policy, { level: 4, point });
      } finally {
        clearInterval(sampling);
      }
      const [stored] = await points(test);
      const texts = [...seen, ...logged, ...stepped, JSON.stringify(stored)];
      if (fixture.store === undefined) {
        for (const path of filesUnder(test.storeFolder)) texts.push(readFileSync(path, "latin1"));
      }
      for (const secret of fixture.secrets) {
        expect(texts.filter((text) => text.includes(secret)).map((t) => t.slice(0, 200))).toEqual([]);
      }
      await expect(capture(test, fixture.unreachable)).rejects.toSatisfy(
        (error) => !fixture.secrets.some((secret) => String(error).includes(secret)),
      );
    }, 180_000);

    it("says how a person restores the point with the vendor's own programs, and that works", async () => {
      const test = await world();
      const before = await fixture.fingerprint();
      await capture(test);
      const [point] = await points(test);
      if (point === undefined) throw new Error("no point");
      const recipe = (await test.world.engine(test.policy)).byHand([point.manifest]);
      expect(recipe.commands.length).toBeGreaterThan(0);
      const names = point.manifest.artifacts.map((a) => a.name);
      for (const { artifact, path } of recipe.decode) {
        expect(names).toContain(artifact);
        expect(path).not.toMatch(/^\/|\.\./);
      }
      for (const secret of fixture.secrets) expect(JSON.stringify(recipe)).not.toContain(secret);
      if (fixture.byHand === undefined) return;
      const directory = join(targets, "by-hand");
      const port = await freePort();
      const script = handScript({
        recipe,
        chain: [point.manifest],
        store: { ...test.world.set.stores[0], type: "directory", path: test.storeFolder } as StoreSettings,
        prefix: test.policy.store.prefix,
      });
      const environment = {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        DIR: directory,
        KEY: test.identityFile,
        DECRYPTOR: decryptor,
        PORT: String(port),
        ...fixture.byHand.environment,
      };
      execFileSync("sh", ["-e", "-c", script], { env: environment, stdio: "pipe", timeout: 120_000 });
      try {
        expect(await fixture.byHand.fingerprint(directory, port)).toBe(before);
      } finally {
        await fixture.byHand.stop(directory, port);
      }
    }, 180_000);
  });
}

/** `$REAL` is the real program, `$@` its arguments; calls for a version go through. */
const toolFaults: readonly { readonly what: string; readonly script: string }[] = [
  { what: "fails after its last byte", script: `"$REAL" "$@" || exit $?; echo "late trouble" >&2; exit 3` },
  { what: "is cut in the middle of its stream", script: `"$REAL" "$@" | head -c 2000; exit 1` },
  { what: "dies by a signal", script: `"$REAL" "$@" | head -c 2000; kill -9 $$` },
  { what: "prints nothing and says that all went well", script: "exit 0" },
];

function objectPath(storeFolder: string, key: string): string {
  const path = filesUnder(storeFolder).find((p) => p.endsWith(`/${key}`));
  if (path === undefined) throw new Error(`no object ${key}`);
  return path;
}

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name));
}

function dataObjects(storeFolder: string): readonly string[] {
  return filesUnder(storeFolder).filter((p) => p.includes("/data/") && statSync(p).size > 0);
}

function processes(): readonly number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function childrenOf(pid: number): readonly number[] {
  const children = processes().filter((p) => parentOf(p) === pid);
  return children.flatMap((child) => [child, ...childrenOf(child)]);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[1]);
  } catch {
    return undefined;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
