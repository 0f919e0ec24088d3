/**
 * Holdfast killed with `kill -9` at random moments of backup, WAL push, prune and report. After each kill no
 * listed point lacks a byte; at the end the next runs converge, nothing acknowledged is missing and the
 * repository is sound. HOLDFAST_KILLS sets how many (200 in the published run), HOLDFAST_SEED which.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openSteps } from "../../src/cli/console.ts";
import { type WiredWorld, wire } from "../../src/cli/wire.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { silent } from "../../src/log.ts";
import { findPolicy } from "../../src/operate/find-policy.ts";
import { restore } from "../../src/operate/restore.ts";
import { auditLog } from "../../src/recovery/audit.ts";
import { seed } from "../seed.ts";
import { startPostgres, startWriteLoad, type TestPostgres } from "../servers/postgresql.ts";
import { pause } from "../servers/waiting.ts";
import { storedThrough } from "../servers/world.ts";
import { holdfast, startHoldfast } from "./holdfast.ts";

const kills = Number(process.env["HOLDFAST_KILLS"] ?? 40);
let state = seed;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-kills-"));
chmodSync(folder, 0o711);
const policies = join(folder, "checkout", "policies");
const remote = join(folder, "remote.git");
const shared = [
  "--policies",
  policies,
  "--state",
  join(folder, "state"),
  "--identity",
  join(folder, "key"),
  "--quiet",
];
let postgres: TestPostgres;
let slot = Date.parse("2026-01-01T00:00:00Z");

const git = (...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });

function documents(port: number, recipient: string): string {
  const policy = (name: string, more: string): string => `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: ${name}}
spec:
  component: postgresql
  owner: tests
  failureDomain: source
  connection: {host: 127.0.0.1, port: ${port}, user: postgres, sslMode: disable}
  schedule: {cron: "0 2 * * *", timeZone: Etc/UTC}
  capture: {method: base-backup, compression: zstd, level: 1}
  store: {name: vault, prefix: ${name}/}
  encryption: {recipients: [runner]}
  verification: standard
${more}---
`;
  return `${policy(
    "streamed",
    `  objectives: {rpo: 5m, rto: 1h, reach: 6d, pitrWindow: 1d}
  wal: {mode: stream, store: {name: vault, prefix: wal/}, retention: log, pushEvery: 1s, slot: holdfast_kills}
  retention: few
  canaryEvery: 1s
`,
  )}${policy(
    "pruned",
    `  objectives: {rpo: 26h, rto: 1h, reach: 1d}
  retention: two
  prune: {floor: 1, grace: 0s, maxShare: 1}
  canaryEvery: 0s
`,
  )}apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows:
  - {name: few, keep: {daily: 7}}
  - {name: two, keep: {last: 2}}
  - {name: log, keep: {days: 8}}
---
apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
checks: [{name: Backup exists, level: 0, every: 1d, automated: "yes"}]
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: vault}
spec: {type: directory, failureDomain: vault, path: ${join(folder, "store")}}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: tests}
keys: [{name: runner, recipient: ${recipient}, role: runner}]
---
apiVersion: holdfast.dev/v1
kind: Reconciler
metadata: {name: holdfast}
spec:
  cluster: tests
  repository: {url: "${remote}", branch: main, path: policies}
  reports: {cron: "0 6 * * 1", timeZone: Etc/UTC, path: reports, overdue: 8d}
`;
}

beforeAll(async () => {
  postgres = await startPostgres({ segmentBytes: 1024 * 1024 });
  await postgres.run("create table big as select i, md5(i::text) from generate_series(1, 100000) i");
  mkdirSync(policies, { recursive: true });
  mkdirSync(join(folder, "store"));
  const { identity, recipient } = await newIdentity();
  writeFileSync(join(folder, "key"), `${identity}\n`, { mode: 0o600 });
  writeFileSync(join(policies, "all.yaml"), documents(postgres.port, recipient));
  git("init", "--quiet", "--bare", "--initial-branch=main", remote);
  git("init", "--quiet", "--initial-branch=main", join(folder, "checkout"));
  git("-C", join(folder, "checkout"), "add", "--all");
  git("-C", join(folder, "checkout"), "commit", "--quiet", "-m", "policies");
  git("-C", join(folder, "checkout"), "push", "--quiet", remote, "main");
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await postgres?.remove();
});

async function open(): Promise<WiredWorld> {
  return wire({
    policies,
    state: join(folder, "looking"),
    identities: [join(folder, "key")],
    log: silent,
    steps: openSteps(true),
    signal: new AbortController().signal,
  });
}

/** Every listed point has each byte its manifest names; nothing is unreadable. */
async function requireSound(name: string, depth: "present" | "checksum"): Promise<number> {
  const world = await open();
  try {
    const repository = await world.repository(findPolicy(world, name));
    const catalogue = await repository.catalogue();
    expect(catalogue.unreadable).toEqual([]);
    for (const { manifest } of catalogue.points)
      expect(await repository.verifyObjects(manifest, depth)).toEqual([]);
    return catalogue.points.length;
  } finally {
    await world.close();
  }
}

const nextSlot = (): string => {
  slot += 3_600_000;
  return new Date(slot).toISOString();
};

/** Starts a verb and kills its whole group after a random share of `durationMs`; true when it was still alive. */
async function killed(args: readonly string[], durationMs: number): Promise<boolean> {
  const run = startHoldfast([...args, ...shared]);
  await pause(random() * durationMs);
  const wasAlive = run.child.exitCode === null;
  try {
    process.kill(-(run.child.pid ?? 0), "SIGKILL");
  } catch {
    // It had ended by itself.
  }
  await run.ended;
  return wasAlive;
}

async function timed(args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const run = await holdfast([...args, ...shared]);
  expect(run.stderr, args.join(" ")).not.toContain("bug:");
  expect([0, 4], `${args.join(" ")}: ${run.stderr}`).toContain(run.status);
  return performance.now() - startedMs;
}

it("backup, prune and report", async () => {
  const share = Math.max(1, Math.floor(kills / 4));
  let hits = 0;
  const backupMs = await timed(["backup", "pruned", "--slot", nextSlot()]);
  for (let i = 0; i < share; i += 1) {
    if (await killed(["backup", "pruned", "--slot", nextSlot()], backupMs * 1.1)) hits += 1;
    await requireSound("pruned", i % 10 === 0 ? "checksum" : "present");
  }
  await timed(["backup", "pruned", "--slot", nextSlot()]);
  let there = await requireSound("pruned", "checksum");
  while (there < 8) {
    await timed(["backup", "pruned", "--slot", nextSlot()]);
    there += 1;
  }
  const pruneMs = await timed(["prune", "pruned"]);
  for (let i = 0; i < share; i += 1) {
    if (i % 3 === 0) await timed(["backup", "pruned", "--slot", nextSlot()]);
    if (await killed(["prune", "pruned", "--apply"], pruneMs * 1.3)) hits += 1;
    expect(await requireSound("pruned", "present")).toBeGreaterThanOrEqual(2);
  }
  await timed(["prune", "pruned", "--apply"]);
  await timed(["prune", "pruned", "--apply"]);
  expect(await requireSound("pruned", "checksum")).toBe(2);
  const reportMs = await timed(["report", "--commit"]);
  for (let i = 0; i < share; i += 1) {
    if (await killed(["report", "--commit"], reportMs * 1.1)) hits += 1;
    expect(git("-C", remote, "fsck", "--strict", "--no-dangling")).toBe("");
    const names = git("-C", remote, "ls-tree", "-r", "--name-only", "main", "reports/").trim().split("\n");
    expect(names.some((n) => n.endsWith(".md")) && names.some((n) => n.endsWith(".json"))).toBe(true);
  }
  await timed(["report", "--commit"]);
  console.log(`${hits} of ${share * 3} kills hit a living run of backup, prune or report`);
  expect(hits).toBeGreaterThan(share);
  // What the kills left behind is found, and nothing else.
  const world = await open();
  const repository = await world.repository(findPolicy(world, "pruned"));
  await repository.sweep(Date.now() + 2 * 86_400_000, 86_400_000, true);
  expect(await repository.sweep(Date.now() + 2 * 86_400_000, 86_400_000, false)).toEqual([]);
  await world.close();
  expect(await requireSound("pruned", "checksum")).toBe(2);
});

it("the WAL receiver under load", async () => {
  const share = Math.max(1, Math.floor(kills / 4));
  const first = startHoldfast(["wal", "streamed", ...shared]);
  await timed(["backup", "streamed", "--slot", nextSlot()]);
  process.kill(-(first.child.pid ?? 0), "SIGKILL");
  await first.ended;
  const load = await startWriteLoad(postgres, 2);
  let hits = 0;
  for (let i = 0; i < share; i += 1) {
    if (i % 4 === 0) await postgres.run("select pg_switch_wal()");
    if (await killed(["wal", "streamed"], 1800)) hits += 1;
  }
  await load.stop();
  expect(hits).toBe(share);
  const last = startHoldfast(["wal", "streamed", ...shared]);
  const world = await open();
  try {
    const policy = findPolicy(world, "streamed");
    await storedThrough(postgres, policy);
    process.kill(-(last.child.pid ?? 0), "SIGKILL");
    await last.ended;
    const repository = await world.repository(policy);
    const { log } = await repository.catalogue();
    if (log === undefined) throw new Error("no log");
    expect(
      auditLog({ archive: log, nameOf: (b, s) => `${b} ${s}`, nowMs: Date.now(), lateAfterMs: 0 }).gaps,
    ).toEqual([]);
    const outcome = await restore(world, policy, {
      target: { kind: "latest" },
      directory: join(folder, "restored"),
      start: true,
    });
    const rows = Number(await outcome.server?.ask("select count(*)::int from load", "postgres"));
    await outcome.server?.stop();
    expect(rows).toBe(load.commits.length);
    console.log(
      `${hits} kills of the receiver; ${rows} of ${load.commits.length} acknowledged commits restored`,
    );
  } finally {
    await world.close();
  }
  const strays = execFileSync("sh", ["-c", "ps -eo args | grep '[p]g_receivewal.*holdfast-kills' || true"], {
    encoding: "utf8",
  });
  expect(strays).toBe("");
});
