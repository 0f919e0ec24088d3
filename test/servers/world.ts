/** A real world on a real server and a folder store, without the command line around it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSteps, type Steps } from "../../src/cli/console.ts";
import { buildWorld, type WiredWorld } from "../../src/cli/wire.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { type Logger, silent } from "../../src/log.ts";
import type { Policy, PolicySet, StoreSettings } from "../../src/policy/model.ts";
import type { TestPostgres } from "./postgresql.ts";
import { directorySettings } from "./settings.ts";
import { until } from "./waiting.ts";

export interface TestWorld {
  readonly world: WiredWorld;
  readonly policy: Policy;
  readonly folder: string;
  readonly storeFolder: string;
  readonly identityFile: string;
  /** The same world opened anew, as another process would; the signal given at first does not reach it. */
  reopen(changes?: Partial<Policy>, signal?: AbortSignal): Promise<WiredWorld>;
  close(): Promise<void>;
}

export interface TestWorldOptions {
  readonly policy?: Partial<Policy>;
  readonly store?: StoreSettings;
  readonly signal?: AbortSignal;
  readonly log?: Logger;
  readonly steps?: Steps;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A policy for `postgres` with everything on; `changes` replace whole fields. */
export function policyFor(
  postgres: Pick<TestPostgres, "port" | "binDirectory">,
  changes: Partial<Policy> = {},
): Policy {
  return {
    name: "postgresql",
    component: "postgresql",
    owner: "tests",
    suspended: false,
    connection: {
      host: "127.0.0.1",
      port: postgres.port,
      user: "postgres",
      database: "postgres",
      sslMode: "disable",
    },
    failureDomain: "source",
    objectives: { rpoMs: 300_000, rtoMs: hourMs, reachMs: 30 * dayMs, pitrWindowMs: 7 * dayMs },
    schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" },
    capture: {
      method: "base-backup",
      codec: "zstd",
      level: 1,
      options: { toolDirectory: postgres.binDirectory },
    },
    log: {
      mode: "stream",
      store: { name: "primary", prefix: "wal/" },
      retention: { name: "wal", keep: { days: 7 } },
      pushEveryMs: 2000,
      slot: "holdfast_test",
    },
    store: { name: "primary", prefix: "postgresql/" },
    encryption: { recipients: ["runner"] },
    retention: { name: "full", keep: { daily: 7, weekly: 4, monthly: 12, yearly: 1 } },
    prune: { floor: 2, graceMs: dayMs, maxShare: 0.1 },
    verification: {
      name: "standard",
      checks: [{ name: "restored", level: 4, everyMs: 7 * dayMs, automated: "yes" }],
      minimumSizeRatio: 0.8,
      escrowEveryMs: 180 * dayMs,
    },
    assertions: [{ sql: "select count(*) > 0 from pg_class", database: "postgres" }],
    canaryEveryMs: 500,
    onDrift: "report",
    deadlineMs: hourMs,
    ...changes,
  };
}

/** A world around `postgres`; see {@link openWorld}. */
export function openTestWorld(postgres: TestPostgres, options: TestWorldOptions = {}): Promise<TestWorld> {
  return openWorld(policyFor(postgres, options.policy), options);
}

/** A world whose only policy is the given one, with a key pair, a state folder and a folder store of its own. */
export async function openWorld(
  policy: Policy,
  options: Omit<TestWorldOptions, "policy"> = {},
): Promise<TestWorld> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-world-"));
  chmodSync(folder, 0o711);
  const storeFolder = join(folder, "store");
  mkdirSync(storeFolder);
  const { identity, recipient } = await newIdentity();
  const identityFile = join(folder, "runner.key");
  writeFileSync(identityFile, `${identity}\n`, { mode: 0o600 });
  const worlds: WiredWorld[] = [];
  const open = async (signal: AbortSignal, changes: Partial<Policy> = {}): Promise<WiredWorld> => {
    const set: PolicySet = {
      policies: [{ ...policy, ...changes }],
      stores: [options.store ?? directorySettings(storeFolder, "primary")],
      keys: [{ name: "runner", recipient, role: "runner" }],
      retention: [],
      checklists: [],
      alerts: [],
      receivers: [],
      waivers: [],
    };
    const world = await buildWorld(
      {
        policies: "",
        state: join(folder, "state"),
        identities: [identityFile],
        log: options.log ?? silent,
        steps: options.steps ?? openSteps(true),
        signal,
      },
      set,
      "0123456789abcdef0123456789abcdef01234567",
    );
    worlds.push(world);
    return world;
  };
  const world = await open(options.signal ?? new AbortController().signal);
  const reopen = (changes?: Partial<Policy>, signal = new AbortController().signal) => open(signal, changes);
  return {
    world,
    policy,
    folder,
    storeFolder,
    identityFile,
    reopen,
    close: async () => {
      for (const opened of worlds) await opened.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until the slot says the store has everything written so far. */
export async function storedThrough(postgres: TestPostgres, policy: Policy): Promise<void> {
  const lsn = String(await postgres.ask("select pg_current_wal_flush_lsn()::text"));
  const slot = policy.log?.slot ?? "";
  await until(
    async () =>
      (await postgres.ask(
        `select restart_lsn >= '${lsn}'::pg_lsn from pg_replication_slots where slot_name = '${slot}'`,
      )) === true,
  );
}

/** A folder for restores; the user who runs restored servers can enter it. */
export function restoreFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-restores-"));
  chmodSync(folder, 0o711);
  return folder;
}
