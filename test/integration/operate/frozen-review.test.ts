/** What was reviewed is what is applied: a real Redis, real points, and a change whose review was saved before. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoServer } from "../../../src/cli/demo/component.ts";
import { pushPolicies } from "../../../src/cli/demo/policy-repository.ts";
import { redisInDemo } from "../../../src/cli/demo/redis.ts";
import { freePort } from "../../../src/cli/demo/source-server.ts";
import { newIdentity } from "../../../src/crypto/identity.ts";
import { holdfast, type Ran } from "../../e2e/holdfast.ts";
import { until } from "../../servers/waiting.ts";

let folder: string;
let clone: string;
let server: DemoServer;
let base: string;

const run = (...args: string[]): Promise<Ran> =>
  holdfast(args, {
    cwd: clone,
    env: { HOLDFAST_POLICIES: "policies", HOLDFAST_IDENTITY: join(folder, "runner.key") },
  });
const git = (...args: string[]) =>
  execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
    encoding: "utf8",
  }).trim();
async function keep(days: number): Promise<void> {
  const path = join(clone, "policies/retention.yaml");
  const text = await readFile(path, "utf8");
  await writeFile(
    path,
    text.replace(/name: standard, keep: \{daily: \d+/, `name: standard, keep: {daily: ${days}`),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-frozen-"));
  clone = join(folder, "clone");
  server = await redisInDemo.start(join(folder, "redis"), new AbortController().signal, () => freePort());
  const [runner, escrow] = [await newIdentity(), await newIdentity()];
  await writeFile(join(folder, "runner.key"), runner.identity, { mode: 0o600 });
  base = await pushPolicies({
    remote: join(folder, "remote.git"),
    clone,
    store: join(folder, "store"),
    port: 9,
    runner: runner.recipient,
    escrow: escrow.recipient,
    others: new Map([["redis", server.policy]]),
  });
  git("rm", "--quiet", "policies/postgresql.yaml");
  git("commit", "--quiet", "-m", "redis alone");
  base = git("rev-parse", "HEAD");
  expect((await run("apply")).status).toBe(0);
  // What apply has started may be capturing still, and one run of a policy at a time is allowed.
  await until(async () => (await run("backup", "redis")).status === 0, 60_000);
  await keep(8);
  git("commit", "--quiet", "-am", "keep eight");
  const reviewed = await run("plan", "--base", base, "--head", "HEAD", "--format", "json");
  expect(reviewed.stderr).not.toContain("error");
  await writeFile(join(folder, "review.json"), reviewed.stdout);
  expect(JSON.parse(reviewed.stdout)).toMatchObject({ catalogueKnown: true });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

const applied = () => run("apply", "--review", join(folder, "review.json"));

describe("apply of a frozen review", () => {
  it("goes through when the change was merged as it was reviewed, also behind a merge commit and a newer point", async () => {
    git("checkout", "--quiet", "-b", "main2", base);
    git("merge", "--quiet", "--no-ff", "-m", "merge", "main");
    await until(async () => (await run("backup", "redis")).status === 0, 60_000);
    expect(await applied()).toMatchObject({ status: 0 });
  });
  it("is refused when the policies are others by one number, and nothing is done", async () => {
    await keep(3);
    const ran = await applied();
    expect(ran).toMatchObject({ status: 4, stdout: "" });
    expect(ran.stderr).toContain("plan-stale: the policies are not what was reviewed");
    await keep(8);
    expect((await applied()).status).toBe(0);
  });
  it("is refused when the change moves a policy and fewer of its points are there than were", async () => {
    git("checkout", "--quiet", "--force", "-b", "moved", base);
    const path = join(clone, "policies/redis.yaml");
    await writeFile(path, (await readFile(path, "utf8")).replace("prefix: redis/", "prefix: elsewhere/"));
    const reviewed = await run("plan", "--base", base, "--format", "json");
    // A point of before counts where the base has put it; it is not proved, so there is no breach.
    const [change] = JSON.parse(reviewed.stdout).outlook.changes;
    expect(change).toMatchObject({ policy: "redis", kind: "moved" });
    expect(change.orphaned).toBeGreaterThan(1);
    await writeFile(join(folder, "review.json"), reviewed.stdout);
    git("stash", "--quiet");
    const listed = JSON.parse((await run("list", "redis", "--format", "json")).stdout) as {
      readonly points: readonly { readonly id: string }[];
    };
    const oldest = listed.points.map((p) => p.id).sort()[0] ?? "";
    expect(listed.points.length).toBeGreaterThan(1);
    const store = join(folder, "store");
    const own = (await readdir(store, { recursive: true, withFileTypes: true })).filter(
      (e) => e.isFile() && `${e.parentPath}/${e.name}`.includes(oldest),
    );
    expect(own.length).toBeGreaterThan(0);
    for (const e of own) await rm(join(e.parentPath, e.name));
    git("stash", "pop", "--quiet");
    const ran = await applied();
    expect(ran.status).toBe(4);
    expect(ran.stderr).toContain("what becomes of the stored points is not what was reviewed");
  });
  it("is refused when the file was changed by hand", async () => {
    const text = await readFile(join(folder, "review.json"), "utf8");
    await writeFile(join(folder, "review.json"), text.replace(/"points": \d+/, '"points": 99'));
    expect((await applied()).stderr).toContain("does not say what its hash is of");
  });
});
