/** Looking back on a real PostgreSQL and a real Redis, with the policies in git; and a restore to what it says. */
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoServer } from "../../src/cli/demo/component.ts";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { redisInDemo } from "../../src/cli/demo/redis.ts";
import { freePort } from "../../src/cli/demo/source-server.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import type { PolicyAt, TimeTravel } from "../../src/health/time-travel.ts";
import type { RestoreAllOutcome } from "../../src/operate/restore-all.ts";
import type { VerifyAllOutcome } from "../../src/operate/verify-all.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { pause, until } from "../servers/waiting.ts";
import { holdfast, type Ran, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

let folder: string;
let clone: string;
let redis: DemoServer;
let postgres: TestPostgres;
let receiver: RunningHoldfast;
/** After both captures, before the change of policies and the proof. */
let then: string;
let before: string;

const options = () => ({
  cwd: clone,
  env: { HOLDFAST_POLICIES: "policies", HOLDFAST_IDENTITY: join(folder, "runner.key") },
});
const run = (...args: string[]): Promise<Ran> => holdfast(args, options());
const git = (...args: string[]) =>
  execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
    encoding: "utf8",
  }).trim();
async function at(instant: string): Promise<TimeTravel & { readonly status: number | null }> {
  const { stdout, status } = await run("at", instant, "--format", "json");
  return { ...(JSON.parse(stdout) as TimeTravel), status };
}
const row = (travel: TimeTravel, name: string): PolicyAt | undefined =>
  travel.policies.find((p) => p.policy === name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-at-"));
  // The restored server runs as another user.
  await chmod(folder, 0o711);
  clone = join(folder, "clone");
  postgres = await startPostgres({ major: 15, segmentBytes: 1024 * 1024 });
  redis = await redisInDemo.start(join(folder, "redis"), new AbortController().signal, () => freePort());
  const [runner, escrow] = [await newIdentity(), await newIdentity()];
  await writeFile(join(folder, "runner.key"), runner.identity, { mode: 0o600 });
  await pushPolicies({
    remote: join(folder, "remote.git"),
    clone,
    store: join(folder, "store"),
    port: postgres.port,
    runner: runner.recipient,
    escrow: escrow.recipient,
    others: new Map([["redis", redis.policy]]),
  });
  before = git("rev-parse", "HEAD");
  await postgres.run("create table payments as select 1 as id");
  receiver = startHoldfast(["wal", "postgresql"], options());
  await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
  expect((await run("backup", "postgresql")).status).toBe(0);
  expect((await run("backup", "redis")).status).toBe(0);
  await pause(1500);
  await postgres.run("insert into payments values (2)");
  then = new Date().toISOString();
  await pause(1500);
  await postgres.run("insert into payments values (3)");
  // From here on everything is later than the instant.
  await until(async () => (await run("at", then)).status === 0);
  expect((await run("verify", "redis", "--level", "2")).status).toBe(0);
  const path = join(clone, "policies/retention.yaml");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace("name: standard, keep: {daily: 7", "name: standard, keep: {daily: 8"));
  git("commit", "--quiet", "-am", "keep eight");
});
afterAll(async () => {
  receiver?.child.kill("SIGTERM");
  await receiver?.ended;
  await redis?.stop();
  await postgres?.remove();
  await rm(folder, { recursive: true, force: true });
});

describe("holdfast at", () => {
  it("says the policies in force, what comes back, and how well proved then and now", async () => {
    const travel = await at(then);
    expect(travel).toMatchObject({ status: 0, ok: true, revision: before });
    expect(row(travel, "postgresql")).toMatchObject({ inForce: "same", restore: { stateAt: then } });
    expect(row(travel, "redis")).toMatchObject({
      inForce: "changed",
      changed: ["retention"],
      restore: { proofThen: { level: -1 }, proofNow: { level: 2 } },
    });
    expect(travel.together).toMatchObject({ at: then });
    const ofRedis = row(travel, "redis")?.restore?.stateAt;
    expect(travel.together?.sameInstantAt).toBe(ofRedis);
    const apart = (Date.parse(then) - Date.parse(ofRedis ?? "")) / 1000;
    expect(travel.together?.spreadSeconds).toBe(apart);
    expect(apart).toBeGreaterThan(1);
    expect(travel.warnings.join()).toContain("not of one instant");
    expect(row(await at(new Date().toISOString()), "redis")?.inForce).toBe("same");
  });

  it("gives an instant to which both really can be restored", async () => {
    const { together } = await at(then);
    const instant = together?.sameInstantAt ?? "";
    const [one, two] = [join(folder, "restored-postgresql"), join(folder, "restored-redis")];
    const first = await run("restore", "postgresql", "--at", instant, "--to", one, "--start");
    expect(first.status, first.stderr).toBe(0);
    const second = await run("restore", "redis", "--at", instant, "--to", two, "--start");
    expect(second.status, second.stderr).toBe(0);
  });

  it("brings back the whole stack to one instant with one command, in order", async () => {
    const to = join(folder, "everything");
    const first = await run("restore", "--all", "--at", then, "--print", "--format", "json");
    expect(JSON.parse(first.stdout)).toMatchObject({
      at: then,
      leftOut: [],
      policies: [{ policy: "postgresql", stateAt: then }, { policy: "redis" }],
    });
    const ran = await run("restore", "--all", "--at", then, "--to", to, "--start", "--format", "json");
    expect(ran.status, ran.stderr).toBe(0);
    const outcome = JSON.parse(ran.stdout) as RestoreAllOutcome;
    expect(outcome).toMatchObject({ ok: true, at: then });
    expect(outcome.policies.map((p) => [p.policy, p.ok, p.directory])).toEqual([
      ["postgresql", true, join(to, "postgresql")],
      ["redis", true, join(to, "redis")],
    ]);
    const again = await run("restore", "--all", "--at", then, "--to", to);
    expect(again.status).not.toBe(0);
    expect(again.stdout).toContain("0 of 2 are back");
    expect((await run("restore", "--all", "postgresql", "--to", to)).status).toBe(2);
    expect((await run("restore", "--all", "--lsn", "0/1", "--to", to)).status).toBe(2);
    expect((await run("restore", "--to", to)).status).toBe(2);
  });

  it("proves the whole stack at level 6 while every server stands, and one bad byte undoes it for all", async () => {
    const ran = await run("verify", "--all", "--seed", "7", "--format", "json");
    expect(ran.status, ran.stdout).toBe(0);
    const outcome = JSON.parse(ran.stdout) as VerifyAllOutcome;
    expect(outcome.verdicts.map((v) => [v.policy, v.level, v.ok])).toEqual([
      ["postgresql", 6, true],
      ["redis", 6, true],
    ]);
    expect(outcome.verdicts[0]?.checks.at(-1)?.detail).toContain("2 of 2 stood at once");
    expect(outcome.verdicts[0]?.measured.rtoSeconds).toBeGreaterThan(0);
    const listed = JSON.parse((await run("list", "redis", "--format", "json")).stdout);
    expect(listed.points[0]).toMatchObject({ proof: 6 });

    const damaged = join(folder, "damaged");
    execFileSync("cp", ["-r", join(folder, "store"), damaged]);
    const objects = execFileSync("find", [damaged, "-path", "*/redis/data/*", "-type", "f"], {
      encoding: "utf8",
    });
    const victim = objects.trim().split("\n")[0] ?? "";
    const bytes = await readFile(victim);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    const policies = join(folder, "damaged-policies");
    execFileSync("cp", ["-r", join(clone, "policies"), policies]);
    execFileSync("sh", ["-c", `sed -i "s#${join(folder, "store")}#${damaged}#" ${policies}/*.yaml`]);
    await chmod(victim, 0o600);
    await writeFile(victim, bytes);
    const bad = await run("verify", "--all", "--seed", "7", "--policies", policies, "--format", "json");
    expect(bad.status, bad.stdout + bad.stderr).toBe(5);
    const judged = JSON.parse(bad.stdout) as VerifyAllOutcome;
    expect(judged.verdicts.map((v) => [v.policy, v.level, v.ok])).toEqual([
      ["postgresql", 5, false],
      ["redis", 1, false],
    ]);
    expect(judged.verdicts[0]?.checks.at(-1)?.detail).toContain("redis did not come back");
    expect((await run("verify", "--all", "redis")).status).toBe(2);
    expect((await run("verify", "redis", "--level", "6")).stderr).toContain("holdfast verify --all");
  });

  it("ends with 5 for an instant before everything, and knows that it does not know the policies", async () => {
    const travel = await at("2020-01-01T00:00:00Z");
    expect(travel).toMatchObject({ status: 5, ok: false, revision: null, together: null });
    expect(travel.policies.map((p) => [p.inForce, p.points])).toEqual([
      ["unknown", []],
      ["unknown", []],
    ]);
    expect(travel.warnings[0]).toContain("the history of the policies begins later");
  });

  it("says that the policies of then are unknown outside git", async () => {
    execFileSync("cp", ["-r", join(clone, "policies"), join(folder, "plain")]);
    const ran = await run("at", then, "--policies", join(folder, "plain"));
    expect(ran.status).toBe(0);
    expect(ran.stdout).toContain("policies of then unknown");
    expect(ran.stdout).toContain("is in no git repository");
  });

  it("shows the others while one store is away, and ends with 10", async () => {
    const away = join(folder, "away");
    execFileSync("cp", ["-r", join(clone, "policies"), away]);
    const secret = "{env: HOLDFAST_AT_TEST}";
    const credentials = `{accessKeyIdFrom: ${secret}, secretAccessKeyFrom: ${secret}}`;
    await writeFile(
      join(away, "away.yaml"),
      `apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: away}
spec:
  type: s3
  failureDomain: away
  endpoint: http://127.0.0.1:1
  region: us-east-1
  bucket: away
  credentials: {read: ${credentials}, write: ${credentials}, delete: ${credentials}}
`,
    );
    const text = await readFile(join(away, "redis.yaml"), "utf8");
    await writeFile(
      join(away, "redis.yaml"),
      text.replace("{name: vault, prefix: redis/}", "{name: away, prefix: redis/}"),
    );
    const { cwd, env } = options();
    const ran = await holdfast(["at", then, "--policies", away, "--format", "json"], {
      cwd,
      env: { ...env, HOLDFAST_AT_TEST: "x" },
    });
    const travel = JSON.parse(ran.stdout) as TimeTravel;
    expect(ran.status, ran.stderr).toBe(10);
    expect(travel).toMatchObject({ ok: false, together: null });
    expect(row(travel, "postgresql")?.restore?.stateAt).toBe(then);
    expect(row(travel, "redis")).toMatchObject({ restore: null });
    expect(row(travel, "redis")?.failure).toContain("away");
  });
});
