/** What the suite does not ask of secrets: points on change, planted values that stand nowhere, the escrow key alone. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openSteps } from "../../src/cli/console.ts";
import { buildWorld } from "../../src/cli/wire.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import type { Logger } from "../../src/log.ts";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import { watch } from "../../src/operate/watch.ts";
import type { Policy, PolicySet } from "../../src/policy/model.ts";
import { mainPath } from "../e2e/holdfast.ts";
import {
  baoProgram,
  contentsOf,
  mountKeyValue,
  secretsPolicy,
  startBao,
  type TestBao,
  tokenName,
} from "../servers/openbao.ts";
import { directorySettings } from "../servers/settings.ts";
import { until } from "../servers/waiting.ts";
import { openWorld } from "../servers/world.ts";

const program = baoProgram();
const opened: { stop(): Promise<void> | void }[] = [];
const options = { toolDirectory: dirname(program ?? "/") };

afterEach(async () => {
  for (const { stop } of opened.splice(0).reverse()) await stop();
  delete process.env[tokenName];
});

async function serverWithMounts(): Promise<TestBao> {
  const bao = await startBao(program ?? "");
  opened.push(bao);
  process.env[tokenName] = bao.token;
  await mountKeyValue(bao.api, "secret", 2);
  await mountKeyValue(bao.api, "legacy", 1);
  return bao;
}

function policyOf(bao: TestBao, changes: Partial<Policy> = {}): Policy {
  const usual = secretsPolicy(bao);
  return secretsPolicy(bao, {
    capture: { ...usual.capture, options: { ...options, pollEvery: "200ms" } },
    ...changes,
  });
}

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe.skipIf(program === undefined)("secrets of OpenBao", () => {
  it("takes one point for each change, several changes of a moment together, and one that nobody watched", async () => {
    const bao = await serverWithMounts();
    await bao.api.write("secret/data/app", { data: { password: "first" } });
    const stop = new AbortController();
    const policy = policyOf(bao, {
      schedule: { kind: "change", debounceMs: 1500, atLeastEveryMs: 86_400_000 },
    });
    const test = await openWorld(policy, { signal: stop.signal });
    opened.push({ stop: () => test.close() });
    const points: string[] = [];
    const begin = (world = test.world) =>
      watch(world, policy, ({ point }, why) => void points.push(`${point} ${why}`));
    const running = begin();
    await until(() => points.length === 1);
    await Promise.all(
      [0, 1, 2, 3, 4].map((i) => bao.api.write("secret/data/app", { data: { password: `change ${i}` } })),
    );
    await until(() => points.length === 2, 30_000);
    await bao.api.write("legacy/other", { key: "value" });
    await until(() => points.length === 3, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(points).toHaveLength(3);
    stop.abort();
    await running;
    await bao.api.write("secret/data/app", { data: { password: "while nobody watched" } });
    const later = new AbortController();
    const second = await test.reopen({}, later.signal);
    const again = begin(second as typeof test.world);
    await until(() => points.length === 4, 30_000);
    expect(points[3]).toContain("since the newest point");
    later.abort();
    await again;
  });

  it("lets 40 planted values be read nowhere: store, state, output, arguments, errors, report", async () => {
    const bao = await serverWithMounts();
    const planted = Array.from({ length: 40 }, (_, i) => `planted-${i}-${"x9Kq"}"\\$/+é&<${i * 7919}`);
    const value = (i: number): string => planted[i] ?? "";
    for (let i = 0; i < 12; i += 1)
      await bao.api.write(`secret/data/app/${i}`, { data: { password: value(i) } });
    // Older versions, one of them deleted and one destroyed.
    for (let i = 12; i < 18; i += 1)
      await bao.api.write("secret/data/app/0", { data: { nested: { deep: [value(i)] } } });
    await bao.api.write("secret/delete/app/0", { versions: [3] });
    await bao.api.write("secret/destroy/app/0", { versions: [4] }, "PUT");
    for (let i = 18; i < 26; i += 1) await bao.api.write(`legacy/${i}`, { [`key ${i}`]: value(i) });
    for (let i = 26; i < 32; i += 1)
      await bao.api.write(`secret/metadata/app/${i - 25}`, { custom_metadata: { note: value(i) } });
    for (let i = 32; i < 36; i += 1)
      await bao.api.write(
        `sys/policies/acl/p${i}`,
        { policy: `# ${value(i)}\npath "x/*" { capabilities = ["read"] }` },
        "PUT",
      );
    for (let i = 36; i < 40; i += 1) await bao.api.write(`secret/data/${i}`, { data: { [value(i)]: i } });
    const folder = mkdtempSync(join(tmpdir(), "holdfast-planted-"));
    opened.push({ stop: () => rmSync(folder, { recursive: true, force: true }) });
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    writeFileSync(join(folder, "runner.key"), `${runner.identity}\n`, { mode: 0o600 });
    const policies = join(folder, "policies");
    execFileSync("mkdir", ["-p", policies, join(folder, "store")]);
    writeFileSync(
      join(policies, "all.yaml"),
      policyText(bao.address, join(folder, "store"), runner.recipient, escrow.recipient),
    );
    const seen: string[] = [];
    const sampling = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          seen.push(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
        } catch {
          // It has ended meanwhile.
        }
      }
    }, 5);
    const run = (...args: readonly string[]): Promise<void> =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          [mainPath, ...args, "--policies", policies, "--state", join(folder, "state")],
          { env: { ...process.env, PATH: `${dirname(program ?? "")}:${process.env["PATH"]}` } },
        );
        for (const stream of [child.stdout, child.stderr])
          stream.on("data", (chunk) => seen.push(String(chunk)));
        child.once("close", () => resolve());
      });
    const identity = ["--identity", join(folder, "runner.key")];
    await run("backup", "secrets", "--slot", "2026-11-20T00:00:00Z");
    await run("verify", "secrets", "--level", "4", ...identity);
    await run("list", "secrets", "--format", "json");
    await run("status", "--format", "json");
    await run("plan", "--format", "json");
    await run("report", "--output", join(folder, "reports"), ...identity);
    await run("restore", "secrets", "--print", ...identity);
    await run("doctor", ...identity);
    // A server that quotes what it was sent: a token nobody knows.
    process.env[tokenName] = value(0);
    await run("backup", "secrets", "--slot", "2026-11-21T00:00:00Z");
    clearInterval(sampling);
    const written = filesUnder(folder).map((path) => readFileSync(path, "latin1"));
    expect(seen.join("")).toMatch(/captured 20261120T000000Z[\s\S]*level 4/);
    expect(written.join("")).toContain("20261120T000000Z");
    for (const text of planted) {
      const forms = [
        text,
        JSON.stringify(text).slice(1, -1),
        encodeURIComponent(text),
        Buffer.from(text).toString("base64").replace(/=+$/, "").slice(2, -2),
        Buffer.from(text).toString("latin1"),
      ];
      for (const form of forms) {
        expect(
          seen.filter((s) => s.includes(form)).map((s) => s.slice(0, 300)),
          form,
        ).toEqual([]);
        expect(
          written.filter((s) => s.includes(form)).map((s) => s.slice(0, 300)),
          form,
        ).toEqual([]);
      }
    }
  }, 180_000);

  it("opens with the escrowed key alone", async () => {
    const bao = await serverWithMounts();
    await bao.api.write("secret/data/app", { data: { password: "kept" } });
    const wanted = await contentsOf(bao.api);
    const folder = mkdtempSync(join(tmpdir(), "holdfast-escrow-"));
    opened.push({ stop: () => rmSync(folder, { recursive: true, force: true }) });
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    const identityFile = join(folder, "escrow.key");
    writeFileSync(identityFile, `${escrow.identity}\n`, { mode: 0o600 });
    execFileSync("mkdir", [join(folder, "store")]);
    const policy = policyOf(bao, { encryption: { recipients: ["runner", "escrow"] } });
    const set: PolicySet = {
      policies: [policy],
      stores: [directorySettings(join(folder, "store"), "primary")],
      keys: [
        { name: "runner", recipient: runner.recipient, role: "runner" },
        { name: "escrow", recipient: escrow.recipient, role: "escrow" },
      ],
      retention: [],
      checklists: [],
      alerts: [],
      receivers: [],
      waivers: [],
    };
    const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const open = (identities: readonly string[]) =>
      buildWorld(
        {
          policies: "",
          state: join(folder, "state"),
          identities,
          log: quiet,
          steps: openSteps(true),
          signal: new AbortController().signal,
        },
        set,
        "",
      );
    const without = await open([]);
    opened.push({ stop: () => without.close() });
    const { point } = await backup(without, policy, { slotAtMs: Date.parse("2026-11-20T00:00:00Z") });
    await expect(verify(without, policy, { level: 4, point })).rejects.toMatchObject({
      code: expect.stringMatching(/^key-/),
    });
    const world = await open([identityFile]);
    opened.push({ stop: () => world.close() });
    const { ok } = await verify(world, policy, { level: 4, point });
    expect(ok).toBe(true);
    const restored = await restore(world, policy, {
      target: { kind: "latest" },
      directory: join(folder, "restored"),
      start: false,
    });
    expect(readdirSync(restored.directory).sort()).toEqual([
      "kv-01-legacy.json",
      "kv-02-secret.json",
      "policies.json",
    ]);
    expect(readFileSync(join(restored.directory, "kv-02-secret.json"), "utf8")).toContain("kept");
    expect(wanted).not.toBe("");
  });
});

function policyText(address: string, store: string, runner: string, escrow: string): string {
  return `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: secrets}
spec:
  component: secrets
  owner: tests
  failureDomain: source
  connection: {vaultAddress: "${address}", tokenFrom: {env: ${tokenName}}}
  objectives: {rpo: 25h, rto: 30m, reach: forever}
  schedule: {onChange: {debounce: 1s, atLeastEvery: 1d}}
  capture: {method: vault-export, options: {versions: all}}
  store: {name: primary, prefix: secrets/}
  encryption: {recipients: [runner, escrow]}
  retention: forever
  verification: standard
---
apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows:
  - {name: forever, keep: {forever: true}}
---
apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
minimumSizeRatio: 0.8
checks:
  - {name: Backup exists, level: 0, every: 1d, automated: "yes"}
  - {name: Restore to test env, level: 4, every: 7d, automated: "yes"}
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: primary}
spec: {type: directory, failureDomain: elsewhere, path: "${store}"}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: keys}
keys:
  - {name: runner, recipient: ${runner}, role: runner}
  - {name: escrow, recipient: ${escrow}, role: escrow}
`;
}
