/** `holdfast run` as a process over a git remote: good commits, broken ones, removed policies, two of a kind, an end. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { freePort } from "../servers/ports.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { holdfast, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-reconciler-"));
chmodSync(folder, 0o711);
const remote = join(folder, "remote.git");
const clone = join(folder, "checkout");
const store = join(folder, "store");
const state = join(folder, "state");
const key = join(folder, "runner.key");
let postgres: TestPostgres;
let port = 0;
let running: RunningHoldfast;
let first = "";

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.run("create table payments as select 1 as id");
  mkdirSync(store);
  const [runner, escrow] = [await newIdentity(), await newIdentity()];
  writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
  first = await pushPolicies({
    remote,
    clone,
    store,
    port: postgres.port,
    runner: runner.recipient,
    escrow: escrow.recipient,
  });
  port = await freePort();
  running = start();
});
afterAll(async () => {
  running?.child.kill("SIGTERM");
  await running?.ended;
  await postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function start(): RunningHoldfast {
  return startHoldfast(
    ["run", "--repository", remote, "--state", state, "--identity", key, "--listen", `127.0.0.1:${port}`],
    { deadlineMs: 300_000 },
  );
}

function push(change: () => void, message: string): string {
  change();
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  git("add", "--all");
  git("commit", "--quiet", "--message", message);
  git("push", "--quiet", remote, "HEAD:main");
  return git("rev-parse", "HEAD");
}

interface Status {
  readonly state: string;
  readonly ok: boolean;
  readonly revision: string;
  readonly seenCommit: string;
  readonly lastAppliedAt?: string;
  readonly conditions: readonly { readonly kind: string; readonly message: string }[];
}

function status(): Status | undefined {
  try {
    return JSON.parse(readFileSync(join(state, "status.json"), "utf8"));
  } catch {
    return undefined;
  }
}

const policyPath = join(clone, "policies/postgresql.yaml");
const manifests = (): readonly string[] =>
  existsSync(join(store, "postgresql/manifests")) ? readdirSync(join(store, "postgresql/manifests")) : [];
const jobs = (): readonly string[] =>
  readdirSync(join(state, "jobs")).map((name) => name.replace("~", "/").replace(".json", ""));
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

it("applies the first commit, takes a point, and shows both", async () => {
  await until(() => status()?.revision === first && status()?.lastAppliedAt !== undefined, 60_000);
  expect(jobs()).toContain("postgresql/capture");
  await until(() => manifests().length === 1, 60_000);
  await until(async () => /backup_size_bytes\{[^}]*\} [1-9]/.test(await metrics()), 30_000);
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
});

it("applies a pushed commit within one poll", async () => {
  const pushedAtMs = Date.now();
  const commit = push(
    () => writeFileSync(policyPath, readFileSync(policyPath, "utf8").replace("0 2 * * *", "30 3 * * *")),
    "later",
  );
  await until(() => status()?.revision === commit, 15_000);
  console.log(
    `in force ${((Date.now() - pushedAtMs) / 1000).toFixed(1)} s after the push, polling every 2 s`,
  );
  await until(
    () => readFileSync(join(state, "jobs/postgresql~capture.json"), "utf8").includes("30 3 * * *"),
    15_000,
  );
});

it("keeps the last good policies under a broken commit and says so everywhere", async () => {
  const good = status()?.revision;
  const text = readFileSync(policyPath, "utf8");
  const broken = push(() => writeFileSync(policyPath, text.replace("rpo: 5m", "rpo: soon")), "broken");
  await until(() => status()?.seenCommit === broken, 15_000);
  expect(status()).toMatchObject({ state: "stalled", ok: false, revision: good });
  expect(status()?.conditions[0]).toMatchObject({
    kind: "policy-broken",
    message: expect.stringContaining("postgresql.yaml:"),
  });
  expect(readFileSync(join(state, "jobs/postgresql~capture.json"), "utf8")).toContain("30 3 * * *");
  expect(await metrics()).toMatch(/policy_broken[^\n]* 1/);
  // Nobody is helped by a restart: the policies in force go on.
  for (const path of ["healthz", "readyz"])
    expect((await fetch(`http://127.0.0.1:${port}/${path}`)).status).toBe(200);
  const shown = await holdfast([
    "status",
    "--policies",
    join(clone, "policies"),
    "--state",
    state,
    "--identity",
    key,
    "--quiet",
  ]);
  expect(shown.status).toBe(4);
  expect(shown.stdout).toContain("policy-broken");
  const mended = push(() => writeFileSync(policyPath, text), "mended");
  await until(() => status()?.seenCommit === mended && status()?.ok === true, 15_000);
});

it("refuses a second reconciler on the same folder", async () => {
  const second = await start().ended;
  expect(second.status).toBe(11);
  expect(second.stderr).toMatch(/locked/);
});

it("goes on after kill -9, with one receiver and no run done twice", async () => {
  const before = manifests();
  process.kill(-(running.child.pid ?? 0), "SIGKILL");
  await running.ended;
  running = start();
  const startedAt = new Date().toISOString();
  await until(() => (status()?.lastAppliedAt ?? "") > startedAt, 60_000);
  await until(
    async () =>
      (await postgres.ask(
        "select count(*)::int from pg_stat_replication where application_name like 'holdfast wal%'",
      )) === 1,
    60_000,
  );
  expect(manifests()).toEqual(before);
});

it("removes the jobs of a removed policy and no stored byte", async () => {
  const before = execFileSync(
    "sh",
    ["-c", `cd ${store} && find postgresql/data postgresql/manifests -type f | sort | xargs sha256sum`],
    { encoding: "utf8" },
  );
  const commit = push(() => rmSync(policyPath), "the policy goes");
  await until(() => status()?.revision === commit, 15_000);
  await until(() => !jobs().some((name) => name.startsWith("postgresql/")), 20_000);
  const after = execFileSync(
    "sh",
    ["-c", `cd ${store} && find postgresql/data postgresql/manifests -type f | sort | xargs sha256sum`],
    { encoding: "utf8" },
  );
  expect(after).toBe(before);
  expect(before.length).toBeGreaterThan(100);
});

it("stops cleanly on a signal and leaves nothing running", async () => {
  running.child.kill("SIGTERM");
  const ran = await running.ended;
  expect(ran.signal).toBeNull();
  expect(ran.stderr).not.toContain("bug:");
  const strays = execFileSync("sh", ["-c", `ps -eo args | grep '[h]oldfast-reconciler' || true`], {
    encoding: "utf8",
  });
  expect(strays).toBe("");
});
