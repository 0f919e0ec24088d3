/** `holdfast run` where the policies ask for reviews: on a real git remote, with real points of a real Redis. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DemoServer } from "../../src/cli/demo/component.ts";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { redisInDemo } from "../../src/cli/demo/redis.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { freePort } from "../servers/ports.ts";
import { until } from "../servers/waiting.ts";
import { holdfast, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-gate-"));
const [remote, clone, store, state] = ["remote.git", "clone", "store", "state"].map((n) =>
  join(folder, n),
) as [string, string, string, string];
const key = join(folder, "runner.key");
const policies = join(clone, "policies");
let server: DemoServer;
let running: RunningHoldfast;
let port = 0;
let inForce = "";
let otherTrailer = "";

interface Status {
  readonly state: string;
  readonly ok: boolean;
  readonly revision: string;
  readonly seenCommit: string;
  readonly conditions: readonly { readonly kind: string; readonly message: string; readonly hint: string }[];
}

const git = (...args: readonly string[]): string =>
  execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
const push = (...commit: readonly string[]): string => {
  git("commit", "--quiet", "--all", "--allow-empty", ...commit);
  git("push", "--quiet", remote, "HEAD:main");
  return git("rev-parse", "HEAD");
};
const change = (file: string, from: string, to: string): void => {
  const path = join(policies, file);
  const text = readFileSync(path, "utf8");
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
};
const status = (): Status | undefined => {
  try {
    return JSON.parse(readFileSync(join(state, "status.json"), "utf8")) as Status;
  } catch {
    return undefined;
  }
};
const ask = (...args: readonly string[]) =>
  holdfast(args, {
    cwd: clone,
    env: { HOLDFAST_POLICIES: "policies", HOLDFAST_IDENTITY: key, HOLDFAST_STATE: join(folder, "desk") },
  });
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const trailerOf = async (base: string, head: string): Promise<string> => {
  const { stdout } = await ask("plan", "--base", base, "--head", head, "--format", "trailer");
  expect(stdout).toMatch(/^Holdfast-Review: [0-9a-f]{64} as-of=\S+ days=400 price=0\.023\n$/);
  return stdout.trim();
};
const refused = async (commit: string): Promise<Status> => {
  await until(() => status()?.seenCommit === commit && status()?.conditions[0] !== undefined, 30_000);
  const found = status();
  expect(found).toMatchObject({ state: "stalled", ok: false, revision: inForce });
  expect(found?.conditions[0]?.kind).toBe("review-missing");
  if (found === undefined) throw new Error("there is no status");
  return found;
};

beforeAll(async () => {
  server = await redisInDemo.start(join(folder, "redis"), new AbortController().signal, () => freePort());
  const [runner, escrow] = [await newIdentity(), await newIdentity()];
  writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
  await pushPolicies({
    ...{ remote, clone, store, port: 9, runner: runner.recipient, escrow: escrow.recipient },
    others: new Map([["redis", server.policy]]),
  });
  git("rm", "--quiet", "policies/postgresql.yaml");
  change("platform.yaml", "  pollEvery: 2s\n", "  pollEvery: 2s\n  requireReview: true\n");
  inForce = push("--message", "redis alone, changes reviewed");
  port = await freePort();
  running = startHoldfast(
    ["run", "--repository", remote, "--state", state, "--identity", key, "--listen", `127.0.0.1:${port}`],
    { deadlineMs: 300_000 },
  );
  await until(() => status()?.revision === inForce, 60_000);
  const manifests = join(store, "redis/manifests");
  await until(() => existsSync(manifests) && readdirSync(manifests).length > 0, 60_000);
  const proved = await ask("verify", "redis", "--level", "4");
  expect(proved.stdout + proved.stderr).toContain("proved at level 4");
}, 180_000);
afterAll(async () => {
  running?.child.kill("SIGTERM");
  await running?.ended;
  await server?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

it("applies a change that takes nothing away, without a review", async () => {
  const before = inForce;
  change("redis.yaml", "rto: 10m", "rto: 20m");
  inForce = push("--message", "more time to restore");
  await until(() => status()?.revision === inForce && status()?.ok === true, 30_000);
  expect(await metrics()).toMatch(/^holdfast_review_missing 0$/m);
  otherTrailer = await trailerOf(before, inForce);
});

it("does not apply one by which the proved points can be restored no more, and says so everywhere", async () => {
  change("redis.yaml", "prefix: redis/", "prefix: elsewhere/");
  const commit = push("--message", "a new place");
  const { conditions } = await refused(commit);
  expect(conditions[0]?.message).toMatch(/makes something unrestorable \(redis from .* 1 proved point/);
  expect(conditions[0]?.hint).toContain(`holdfast plan --base ${inForce.slice(0, 12)}`);
  expect(await metrics()).toMatch(/^holdfast_review_missing 1$/m);
  const shown = await holdfast([
    "status",
    "--policies",
    policies,
    "--state",
    state,
    "--identity",
    key,
    "--quiet",
  ]);
  expect(shown.status).toBe(4);
  expect(shown.stdout).toContain("review-missing");
});

it("does not apply it with the review of another plan either", async () => {
  const commit = push("--message", "with a review", "--trailer", otherTrailer);
  const { conditions } = await refused(commit);
  expect(conditions[0]?.message).toContain("is of another plan");
});

it("applies it once a commit carries its review, and not a number more than was reviewed", async () => {
  const trailer = await trailerOf(inForce, "HEAD");
  change("redis.yaml", "rto: 20m", "rto: 21m");
  const other = push("--message", "reviewed, and one number besides", "--trailer", trailer);
  expect((await refused(other)).conditions[0]?.message).toContain("is of another plan");
  git("revert", "--no-edit", "HEAD");
  git("push", "--quiet", remote, "HEAD:main");
  const commit = git("rev-parse", "HEAD");
  await until(() => status()?.revision === commit && status()?.ok === true, 30_000);
  inForce = commit;
  expect(await metrics()).toMatch(/^holdfast_review_missing 0$/m);
});

it("keeps the gate when a commit takes it away without a review", async () => {
  change("platform.yaml", "  requireReview: true\n", "");
  const { conditions } = await refused(push("--message", "no reviews any more"));
  expect(conditions[0]?.message).toContain("no more asks for reviews");
  const commit = push("--message", "reviewed", "--trailer", await trailerOf(inForce, "HEAD"));
  await until(() => status()?.revision === commit && status()?.ok === true, 30_000);
});
