/** ClickHouse's chains, and what the shared suites do not ask of the engine: on ClickHouse's own BACKUP and RESTORE. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../src/catalogue/manifest.ts";
import { readSecret } from "../../src/cli/secrets.ts";
import { compareTables } from "../../src/engine/clickhouse/compare.ts";
import { connectionFrom } from "../../src/engine/clickhouse/connection.ts";
import { sumsOf } from "../../src/engine/clickhouse/hashes.ts";
import { backup } from "../../src/operate/backup.ts";
import { prune } from "../../src/operate/prune.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy, StoreSettings } from "../../src/policy/model.ts";
import {
  clickhousePolicy,
  clickhouseTools,
  contentsOf,
  fillClickhouse,
  ordersSql,
  passwordVariable,
  startClickhouse,
  type TestClickhouse,
} from "../servers/clickhouse.ts";
import { type S3Server, s3ServerProgram, startS3Server } from "../servers/s3-server.ts";
import { s3Settings } from "../servers/settings.ts";
import { openWorld, restoreFolder, type TestWorld } from "../servers/world.ts";

const tools = clickhouseTools();
const dayMs = 86_400_000;
const password = "chains-and-$ums";

if (tools === undefined) {
  describe("ClickHouse's chains", () => it.skip("the server cannot be had here", () => {}));
} else {
  describe("ClickHouse's chains", () => {
    let server: TestClickhouse;
    let bucket: S3Server;
    const targets = restoreFolder();
    const open: TestWorld[] = [];
    let worlds = 0;

    beforeAll(async () => {
      process.env[passwordVariable] = password;
      server = await startClickhouse(tools, password);
      await fillClickhouse(server, 5000);
      bucket = await startS3Server("seaweedfs");
      process.env["HOLDFAST_TEST_CH_ID"] = bucket.accessKeyId;
      process.env["HOLDFAST_TEST_CH_SECRET"] = bucket.secretAccessKey;
    }, 120_000);
    afterEach(async () => {
      for (const test of open.splice(0)) await test.close();
    });
    afterAll(async () => {
      rmSync(targets, { recursive: true, force: true });
      for (const name of [passwordVariable, "HOLDFAST_TEST_CH_ID", "HOLDFAST_TEST_CH_SECRET"])
        delete process.env[name];
      await bucket?.stop();
      await server?.stop();
    });

    const chained = (changes: Partial<Policy> = {}): Policy => {
      const policy = clickhousePolicy(server, tools);
      worlds += 1;
      return {
        ...policy,
        capture: { ...policy.capture, fullCron: "0 1 1 * *" },
        schedule: { kind: "cron", cron: "0 1 * * *", timeZone: "Etc/UTC" },
        store: { name: "primary", prefix: `clickhouse/${worlds}/` },
        ...changes,
      };
    };
    const worldOf = async (policy: Policy, store?: StoreSettings): Promise<TestWorld> => {
      const test = await openWorld(policy, store === undefined ? {} : { store });
      open.push(test);
      return test;
    };
    const inBucket = (): StoreSettings => {
      const keys = {
        accessKeyId: { env: "HOLDFAST_TEST_CH_ID" },
        secretAccessKey: { env: "HOLDFAST_TEST_CH_SECRET" },
      };
      return {
        ...s3Settings(bucket.endpoint, bucket.bucket, "primary"),
        credentials: { write: keys, read: keys, delete: keys },
      };
    };
    /** One full point and as many increments, a day apart; what the source held at each. */
    const chain = async (test: TestWorld, increments: number) => {
      const held: { readonly point: string; readonly contents: string }[] = [];
      let slotAtMs = Date.parse("2026-11-01T01:00:00Z");
      // A merge in the background writes old rows anew, and an increment with it is as large as a full point.
      await server.run("SYSTEM STOP MERGES shop.orders");
      for (let n = 0; n <= increments; n += 1) {
        const contents = await contentsOf(server.connection);
        const outcome = await backup(test.world, test.policy, { slotAtMs });
        expect(outcome.capture).toBe(n === 0 ? "full" : "incremental");
        held.push({ point: outcome.point, contents });
        await server.run(ordersSql(1_000_000 * (n + 1) + worlds * 10_000, 200));
        // A mutation writes every part anew, so the increment after it is as large as a full one.
        if (n === increments - 1) {
          await server.run("SYSTEM START MERGES shop.orders");
          await server.run(`ALTER TABLE shop.orders DELETE WHERE id = ${n} SETTINGS mutations_sync = 1`);
        }
        slotAtMs += dayMs;
      }
      return held;
    };
    const restored = async (test: TestWorld, point: string, name: string): Promise<string> => {
      const outcome = await restore(test.world, test.policy, {
        target: { kind: "point" },
        point,
        directory: join(targets, name),
        start: true,
      });
      try {
        expect(outcome.checks.filter((c) => !c.ok)).toEqual([]);
        const connection = await connectionFrom({ secret: readSecret }, outcome.server?.connection ?? {});
        return await contentsOf(connection);
      } finally {
        await outcome.server?.stop();
      }
    };

    for (const place of ["a folder", "a bucket"]) {
      it(`restores a full point and five increments in ${place}, each equal, and gives up no parent`, async () => {
        const test = await worldOf(chained(), place === "a bucket" ? inBucket() : undefined);
        const held = await chain(test, 5);
        const { points } = await (await test.world.repository(test.policy)).catalogue();
        expect(points.map((p) => p.manifest.parents.length)).toEqual([0, 1, 2, 3, 4, 5]);
        const sizes = points.map((p) => p.manifest.sizeBytes);
        for (const sizeBytes of sizes.slice(1, -1)) expect(sizeBytes).toBeLessThan(sizes[0] ?? 0);
        for (const { point, contents } of held)
          expect(await restored(test, point, `${place}-${point}`)).toBe(contents);
        const newest = held.at(-1)?.point ?? "";
        const { ok, verdict } = await verify(test.world, test.policy, { level: 4, point: newest });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(ok).toBe(true);
        // The keep table wants the newest alone, and everything it stands on stays.
        const greedy = await test.reopen({
          retention: { name: "one", keep: { last: 1 } },
          prune: { floor: 1, graceMs: 0, maxShare: 1 },
        });
        const [policy] = greedy.set.policies;
        if (policy === undefined) throw new Error("there is no policy");
        for (let turn = 0; turn < 2; turn += 1) {
          const outcome = await prune(greedy, policy, true);
          expect([outcome.tombstoned, outcome.removed]).toEqual([[], []]);
        }
        expect((await (await greedy.repository(policy)).catalogue()).points).toHaveLength(6);
        await greedy.close();
      }, 240_000);
    }

    it("names the parent that is gone, and makes a full point next", async () => {
      const test = await worldOf(chained());
      const held = await chain(test, 2);
      const [full, , newest] = held;
      for (const entry of readdirSync(test.storeFolder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (entry.isFile() && path.includes(full?.point ?? "-")) rmSync(path);
      }
      rmSync(join(test.folder, "state/cache"), { recursive: true, force: true });
      const again = await test.reopen();
      await expect(
        restore(again, test.policy, {
          target: { kind: "point" },
          point: newest?.point ?? "",
          directory: join(targets, "orphan"),
          start: false,
        }),
      ).rejects.toThrow(full?.point ?? "-");
      const next = await backup(again, test.policy, { slotAtMs: Date.parse("2026-11-09T01:00:00Z") });
      expect(next.capture).toBe("full");
      await again.close();
    }, 120_000);

    describe("what RESTORE lets through", () => {
      /** Restores a point whose stored files somebody has changed; what was said of it, all of it. */
      const saidOf = async (name: string, change: (file: (of: RegExp) => string) => void) => {
        const test = await worldOf({ ...chained(), canaryEveryMs: 0 });
        const { point } = await backup(test.world, test.policy, {
          slotAtMs: Date.parse("2026-11-01T01:00:00Z"),
        });
        const files = readdirSync(test.storeFolder, { recursive: true, withFileTypes: true })
          .filter((e) => e.isFile())
          .map((e) => join(e.parentPath, e.name));
        change((of) => {
          const found = files.find((path) => of.test(path));
          if (found === undefined) throw new Error(`no ${of} among ${files.join(" ")}`);
          return found;
        });
        const directory = join(targets, name);
        const target = { kind: "point" } as const;
        const { ok, checks } = await restore(test.world, test.policy, {
          target,
          point,
          directory,
          start: false,
        });
        expect(ok).toBe(false);
        return Object.fromEntries(checks.filter((c) => !c.ok).map((c) => [c.name, c.detail]));
      };
      const altered = (path: string, alter: (text: string) => string): void => {
        const bytes = readFileSync(path, "latin1");
        expect(alter(bytes)).not.toBe(bytes);
        expect(alter(bytes)).toHaveLength(bytes.length);
        writeFileSync(path, alter(bytes), "latin1");
      };

      const makeTable = async (name: string, factor: number): Promise<void> => {
        await server.run(
          `CREATE TABLE shop.${name} (id UInt64, value UInt64 CODEC(NONE)) ENGINE = MergeTree ORDER BY id`,
        );
        await server.run(`INSERT INTO shop.${name} SELECT number, number * ${factor} FROM numbers(1000)`);
      };

      it("a column of another type, in a file without a sum, is found by what the source's part held", async () => {
        await makeTable("typed", 3);
        try {
          const said = await saidOf("typed", (file) => {
            altered(file(/\/shop\/typed\/[^/]+\/columns\.txt$/), (text) =>
              text.replace("`value` UInt64", "`value` UInt32"),
            );
          });
          expect(said["counts and hashes"]).toContain("shop.typed: its parts are not those of the source");
        } finally {
          await server.run("DROP TABLE shop.typed SYNC");
        }
      }, 60_000);

      it("a bit flipped in a column is found by reading, and by the part's own sums", async () => {
        const said = await saidOf("flipped", (file) => {
          const column = file(/\/shop\/orders\/[^/]+\/(price|data)\.bin$/);
          const bytes = readFileSync(column);
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
          writeFileSync(column, bytes);
        });
        expect(said["every column read"]).toContain("shop.orders");
        expect(said["files of every part"]).toContain("shop.orders");
      }, 60_000);

      it("a file that no query reads is found by the part's own sums", async () => {
        const said = await saidOf("unread", (file) => {
          altered(file(/\/shop\/orders\/[^/]+\/minmax_id\.idx$/), (text) =>
            text.replace(/.$/s, (c) => String.fromCharCode(c.charCodeAt(0) ^ 1)),
          );
        });
        expect(JSON.stringify(said)).toContain("shop.orders");
      }, 60_000);

      it("a part that is whole and another's is found by nothing but the source's own hash", async () => {
        await makeTable("mine", 3);
        await makeTable("others", 5);
        try {
          const said = await saidOf("others", (file) => {
            for (const name of ["data.bin", "checksums.txt"]) {
              const [mine, others] = ["mine", "others"].map((table) =>
                file(new RegExp(`/shop/${table}/[^/]+/${name.replace(".", "\\.")}$`)),
              );
              altered(mine ?? "", () => readFileSync(others ?? "", "latin1"));
            }
          });
          expect(said).toEqual({
            "counts and hashes": expect.stringContaining("shop.mine: its parts are not those of the source"),
          });
        } finally {
          for (const name of ["mine", "others"]) await server.run(`DROP TABLE shop.${name} SYNC`);
        }
      }, 60_000);
    });

    it("compares points of before, which hold a sum per column", async () => {
      const options = { signal: new AbortController().signal, timeoutMs: 60_000 };
      const orders = { database: "shop", name: "orders" };
      const sums = await sumsOf(server.connection, orders, options);
      const judge = (recorded: object) => {
        const engine = {
          databases: ["shop"],
          engines: { "shop.orders": "MergeTree" },
          tables: { "shop.orders": recorded },
        };
        return compareTables(server.connection, { engine } as unknown as Manifest, options);
      };
      expect((await judge(sums)).map((c) => c.ok)).toEqual([true, true, true]);
      const other = { ...sums, columns: { ...sums.columns, price: "1" } };
      expect((await judge(other)).find((c) => !c.ok)?.detail).toContain("other values in price");
    }, 60_000);

    it("takes what is written meanwhile or not, and can always say which parts it has", async () => {
      const test = await worldOf(chained());
      let writing = true;
      let n = 0;
      const load = (async () => {
        for (; writing; n += 1) {
          await server.run(ordersSql(50_000_000 + 100 * n, 100));
          if (n % 5 === 4) await server.run("OPTIMIZE TABLE shop.orders");
        }
      })();
      // Merges race with the reading of their parts, so one capture shows little.
      const taken: string[] = [];
      for (let day = 0; day < 8; day += 1) {
        const slotAtMs = Date.parse("2026-11-01T01:00:00Z") + day * dayMs;
        taken.push((await backup(test.world, test.policy, { slotAtMs, full: true })).point);
      }
      writing = false;
      await load;
      const { points } = await (await test.world.repository(test.policy)).catalogue();
      const recorded = points.map(
        (p) => (p.manifest.engine["tables"] as Record<string, { rows?: number }>)["shop.orders"]?.rows,
      );
      console.log(
        `${n} inserts beside 8 backups; rows recorded: ${recorded.map((r) => r ?? "not compared").join(", ")}`,
      );
      expect(n).toBeGreaterThan(0);
      // The server knows a part for some minutes after it was merged, so none goes by unseen.
      for (const rows of recorded) expect(rows).toBeGreaterThan(4000);
      for (const point of taken.slice(-2)) {
        const { ok, verdict } = await verify(test.world, test.policy, { level: 4, point });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(ok).toBe(true);
      }
    }, 120_000);

    it("makes no point of a server without a table, nor of tables nobody has", async () => {
      const test = await worldOf(chained());
      const { capture } = test.policy;
      const none = {
        ...test.policy,
        capture: { ...capture, options: { ...capture.options, tables: ["no.such*"] } },
      };
      await expect(backup(test.world, none, {})).rejects.toMatchObject({ code: "empty-backup" });
      const some = {
        ...none,
        capture: { ...capture, options: { ...capture.options, tables: ["shop.or*"] } },
      };
      const { point } = await backup(test.world, some, { slotAtMs: Date.parse("2026-11-01T01:00:00Z") });
      const [stored] = (await (await test.world.repository(some)).catalogue()).points;
      if (stored === undefined) throw new Error("no point");
      const script = (await test.world.engine(some)).byHand([stored.manifest]).commands.join("\n");
      const login = join(test.folder, "login");
      writeFileSync(login, `user = "default:${password}"\n`);
      const CLICKHOUSE_URL = `http://127.0.0.1:${server.connection.port}`;
      const env = { PATH: process.env["PATH"] ?? "", CLICKHOUSE_URL, CURL_CONFIG: login };
      execFileSync("sh", ["-e", "-c", script], { env, stdio: "pipe" });
      const tables = await server.ask("SELECT name FROM system.tables WHERE database = 'shop_restored'");
      expect(tables).toEqual([["orders"]]);
      await server.run("DROP DATABASE shop_restored SYNC");
      const { ok, verdict } = await verify(test.world, some, { level: 4, point });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(ok).toBe(true);
    }, 60_000);

    it("counts only its own canary, and finds it in the restore", async () => {
      const test = await worldOf(chained({ canaryEveryMs: 500 }));
      const at = await test.world.withContext(test.policy, {}, async (context) =>
        (await test.world.engine(test.policy)).canary(context),
      );
      const { point } = await backup(test.world, test.policy, {
        slotAtMs: Date.parse("2026-11-01T01:00:00Z"),
      });
      const { verdict } = await verify(test.world, test.policy, { level: 4, point });
      expect(verdict.measured.lastCanaryAt).toBe(at);
      await server.run("DROP DATABASE holdfast SYNC");
    }, 60_000);
  });
}

if (s3ServerProgram("seaweedfs") === undefined) console.warn("no SeaweedFS: the chain in a bucket fails");
