/** A store in trouble, seen from the command line: clear message, right exit status, nothing half done, and well afterwards. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { newIdentity } from "../../src/crypto/identity.ts";
import { type FaultProxy, startProxy } from "../proxy/proxy.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { type S3Server, startS3Server } from "../servers/s3-server.ts";
import { holdfast, type Ran } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-store-faults-"));
chmodSync(folder, 0o711);
const small = join(folder, "small-disk");
let postgres: TestPostgres;
let s3: S3Server;
let proxy: FaultProxy;
let slot = Date.parse("2026-01-01T00:00:00Z");

function documents(port: number, recipient: string): string {
  const policy = (name: string, store: string): string => `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: ${name}}
spec:
  component: postgresql
  owner: tests
  failureDomain: source
  connection: {host: 127.0.0.1, port: ${port}, user: postgres, sslMode: disable}
  objectives: {rpo: 26h, rto: 1h, reach: 5d}
  schedule: {cron: "0 2 * * *", timeZone: Etc/UTC}
  capture: {method: base-backup, compression: zstd, level: 1}
  store: {name: ${store}, prefix: ${name}/}
  encryption: {recipients: [runner]}
  retention: few
  verification: standard
  canaryEvery: 0s
---
`;
  return `${policy("bucket", "bucket")}${policy("disk", "disk")}apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows: [{name: few, keep: {daily: 7}}]
---
apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
checks: [{name: Backup exists, level: 0, every: 1d, automated: "yes"}]
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: bucket}
spec:
  type: s3
  failureDomain: bucket
  endpoint: http://127.0.0.1:${proxy.port}
  region: us-east-1
  bucket: ${s3.bucket}
  forcePathStyle: true
  credentials:
    write: {accessKeyIdFrom: {env: TEST_KEY_ID}, secretAccessKeyFrom: {env: TEST_SECRET}}
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: disk}
spec: {type: directory, failureDomain: disk, path: ${small}}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: tests}
keys: [{name: runner, recipient: ${recipient}, role: runner}]
`;
}

beforeAll(async () => {
  postgres = await startPostgres();
  s3 = await startS3Server("seaweedfs");
  proxy = await startProxy({ target: s3.endpoint });
  mkdirSync(join(folder, "policies"));
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
  const { identity, recipient } = await newIdentity();
  writeFileSync(join(folder, "key"), `${identity}\n`, { mode: 0o600 });
  writeFileSync(join(folder, "policies/all.yaml"), documents(postgres.port, recipient));
});
afterAll(async () => {
  execFileSync("umount", [small]);
  await proxy?.stop();
  await s3?.stop();
  await postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => proxy.script([]));

async function run(args: readonly string[], secret = s3.secretAccessKey): Promise<Ran> {
  return holdfast(
    [
      ...args,
      "--policies",
      join(folder, "policies"),
      "--state",
      join(folder, "state"),
      "--identity",
      join(folder, "key"),
      "--quiet",
    ],
    {
      env: { TEST_KEY_ID: s3.accessKeyId, TEST_SECRET: secret },
    },
  );
}

async function capture(policy = "bucket", secret?: string): Promise<Ran & { readonly slot: string }> {
  slot += 3_600_000;
  const at = new Date(slot).toISOString();
  return { ...(await run(["backup", policy, "--slot", at], secret)), slot: at };
}

async function pointsOf(policy = "bucket"): Promise<readonly { readonly id: string }[]> {
  const { stdout, status, stderr } = await run(["list", policy, "--format", "json"]);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout).points;
}

it("retries what passes: 500, 503, a refused, a cut and a lost answer", async () => {
  const path = /\/data\//;
  for (const fault of [
    { kind: "answer", status: 500 },
    { kind: "answer", status: 503 },
    { kind: "refuse" },
    { kind: "cut-request", afterBytes: 1000 },
    { kind: "lose-answer" },
    { kind: "slow", bytesPerSecond: 4_000_000 },
  ] as const) {
    proxy.script([{ method: "PUT", path, fault }]);
    const ran = await capture();
    expect(ran.status, `${fault.kind}: ${ran.stderr}`).toBe(0);
    expect(proxy.faults, fault.kind).toBe(1);
  }
  proxy.script([]);
  const verified = await run(["verify", "bucket", "--level", "4"]);
  expect(verified.status, verified.stderr + verified.stdout).toBe(0);
});

it("a server that goes on failing: given up in bounded time, no point, no left-over", async () => {
  const before = await pointsOf();
  proxy.script([{ method: "PUT", path: /\/data\//, times: 1000, fault: { kind: "answer", status: 503 } }]);
  const ran = await capture();
  expect(ran.status).toBe(10);
  expect(ran.stderr).toMatch(/store-(failed|unreachable)/);
  proxy.script([]);
  expect(await pointsOf()).toEqual(before);
});

it("wrong credentials: denied at once, and no secret in the message", async () => {
  const before = await pointsOf();
  const ran = await capture("bucket", "a-wrong-but-secret-value");
  expect(ran.status).toBe(10);
  expect(ran.stderr).toMatch(/store-denied/);
  expect(ran.stderr).toContain("next:");
  expect(ran.stderr).not.toContain("a-wrong-but-secret-value");
  expect(await pointsOf()).toEqual(before);
});

it("a store that is away: unreachable, nothing half done, and well afterwards", async () => {
  const before = await pointsOf();
  await proxy.stop();
  const ran = await capture();
  expect(ran.status).toBe(10);
  expect(ran.stderr).toMatch(/store-unreachable/);
  proxy = await startProxy({ target: s3.endpoint });
  // A new port means a new policy text.
  const path = join(folder, "policies/all.yaml");
  const text = execFileSync("sed", [`s#http://127.0.0.1:[0-9]*#http://127.0.0.1:${proxy.port}#`, path], {
    encoding: "utf8",
  });
  writeFileSync(path, text);
  expect(await pointsOf()).toEqual(before);
  expect((await capture()).status).toBe(0);
});

it("a full disk: said so, no point, and the folder is usable again", async () => {
  const ran = await capture("disk");
  expect(ran.status).toBe(10);
  expect(ran.stderr).toMatch(/store-full/);
  expect(await pointsOf("disk")).toEqual([]);
  execFileSync("mount", ["-o", "remount,size=200m", small]);
  expect((await capture("disk")).status).toBe(0);
  expect(await pointsOf("disk")).toHaveLength(1);
});
