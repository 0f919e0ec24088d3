/** A real key in a real file opens a real point, by the command a person gives; nothing less counts as its proof. */
import {
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
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSteps } from "../../../src/cli/console.ts";
import { wire } from "../../../src/cli/wire.ts";
import { newIdentity } from "../../../src/crypto/identity.ts";
import { silent } from "../../../src/log.ts";
import { findPolicy } from "../../../src/operate/find-policy.ts";
import { holdfast } from "../../e2e/holdfast.ts";
import { fillRedis, startRedis, type TestRedis } from "../../servers/redis.ts";

type Key = Awaited<ReturnType<typeof newIdentity>>;

describe("the proof of an escrow key", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-escrow-"));
  const [policies, store] = [join(folder, "policies"), join(folder, "store")];
  let redis: TestRedis;
  let runner: Key;
  let escrow: Key;

  beforeAll(async () => {
    redis = await startRedis();
    await redis.ask((client) => fillRedis(client, 50));
    [runner, escrow] = [await newIdentity(), await newIdentity()];
    const stranger = await newIdentity();
    for (const [name, { identity }] of Object.entries({ runner, escrow, stranger }))
      writeFileSync(join(folder, `${name}.key`), `${identity}\n`, { mode: 0o600 });
    for (const path of [policies, store]) mkdirSync(path);
    writePolicies("26w", escrow);
    expect((await run("backup", "redis")).status).toBe(0);
  }, 60_000);
  afterAll(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: readonly string[]) =>
    holdfast([...args, "--policies", policies, "--state", join(folder, "state"), "--quiet"]);
  const verify = (level: number, ...keys: readonly string[]) => {
    const identities = keys.flatMap((key) => ["--identity", join(folder, `${key}.key`)]);
    return run("verify", "redis", "--level", String(level), "--format", "json", ...identities);
  };
  const told = async (): Promise<readonly string[]> => {
    const { stdout } = await run("status", "--format", "json");
    const { policies } = JSON.parse(stdout) as {
      policies: readonly { conditions: readonly { kind: string; message: string }[] }[];
    };
    expect(policies).toHaveLength(1);
    return policies.flatMap((p) =>
      p.conditions.filter((c) => c.kind === "escrow-unproven").map((c) => c.message),
    );
  };
  const proofs = () => {
    const place = join(store, "redis/key-proofs");
    return existsSync(place) ? readdirSync(place) : [];
  };
  function writePolicies(escrowEvery: string, inTheSafe: Key): void {
    const recipients = { runner: runner.recipient, escrow: inTheSafe.recipient };
    writeFileSync(join(policies, "all.yaml"), policyText(redis, store, recipients, escrowEvery));
  }

  it("is not given by the runner's key, by a stranger's, or by a level that decrypts nothing", async () => {
    const never = ["escrow key 'escrow' has never opened a recovery point: nobody knows whether it can"];
    expect(await told()).toEqual(never);
    const report = join(folder, "report");
    await run("report", "--out", report);
    const written = readdirSync(report, { recursive: true, encoding: "utf8" }).filter((name) =>
      /W\d+\.md$/.test(name),
    );
    expect(written).toHaveLength(1);
    expect(readFileSync(join(report, written[0] ?? ""), "utf8")).toMatch(
      /escrow.*has never opened a recovery point/,
    );
    const byRunner = await verify(3, "runner");
    expect(byRunner.status).toBe(0);
    expect(JSON.parse(byRunner.stdout)).toMatchObject({ openedBy: [runner.recipient], provedKeys: [] });
    const byStranger = await verify(3, "stranger");
    expect(byStranger.status).toBe(12);
    expect(byStranger.stderr).toContain("key-wrong");
    const shallow = await verify(2, "escrow");
    expect(shallow.status).toBe(0);
    expect(JSON.parse(shallow.stdout)).not.toHaveProperty("openedBy");
    expect(await told()).toEqual(never);
    expect(proofs()).toEqual([]);
  }, 60_000);

  it("is given by the key itself and stays when the point goes", async () => {
    const { status, stdout } = await verify(3, "escrow");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ openedBy: [escrow.recipient], provedKeys: ["escrow"] });
    expect(await told()).toEqual([]);
    expect(proofs()).toEqual([`${escrow.recipient}.json`]);
    const text = readFileSync(join(store, "redis/key-proofs", `${escrow.recipient}.json`), "utf8");
    expect(text).not.toContain("AGE-SECRET-KEY");

    const world = await wire({
      policies,
      state: join(folder, "state"),
      identities: [],
      log: silent,
      steps: openSteps(true),
      signal: new AbortController().signal,
    });
    try {
      const repository = await world.repository(findPolicy(world, "redis"));
      const { manifest, manifestSha256 } = (await repository.catalogue()).points[0]!;
      expect((await run("backup", "redis", "--slot", new Date().toISOString())).status).toBe(0);
      const past = new Date(Date.now() - 1000).toISOString();
      await repository.addTombstone({
        apiVersion: "holdfast.dev/v1",
        kind: "Tombstone",
        policy: "redis",
        point: manifest.id,
        at: past,
        notBefore: past,
        reason: "expired",
        manifestSha256,
      });
      await repository.removePoint(manifest.id, Date.now());
      const left = await repository.catalogue();
      expect(left.points.map((p) => p.manifest.id)).not.toContain(manifest.id);
      expect(left).toMatchObject({ complete: true, keyProofs: [{ point: manifest.id }] });
    } finally {
      await world.close();
    }
    expect(await told()).toEqual([]);
  }, 60_000);

  it("grows too old, and is given anew also beside the runner's key", async () => {
    writePolicies("1s", escrow);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect((await told())[0]).toMatch(
      /^escrow key 'escrow' opened point \S+ .+ ago and is asked for every 1s$/,
    );
    const { stdout } = await verify(4, "runner", "escrow");
    expect(JSON.parse(stdout)).toMatchObject({
      openedBy: [runner.recipient, escrow.recipient],
      provedKeys: ["escrow"],
    });
    writePolicies("26w", escrow);
    expect(await told()).toEqual([]);
  }, 60_000);

  it("is of that key alone: another one under its name is untried", async () => {
    writePolicies("26w", await newIdentity());
    expect(await told()).toHaveLength(1);
    writePolicies("26w", escrow);
    expect(await told()).toEqual([]);
  }, 60_000);

  it("counts no more once it was overwritten, which freezes no deletion", async () => {
    writeFileSync(join(store, "redis/key-proofs", `${escrow.recipient}.json`), "{}");
    expect(await told()).toHaveLength(1);
    const { stdout } = await run("status", "--format", "json");
    expect(stdout).not.toContain("catalogue-incomplete");
  }, 60_000);
});

function policyText(
  { port, programs }: TestRedis,
  store: string,
  { runner, escrow }: { readonly runner: string; readonly escrow: string },
  escrowEvery: string,
): string {
  return `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: redis}
spec:
  component: redis
  owner: tests
  failureDomain: source
  connection: {host: 127.0.0.1, port: ${port}}
  objectives: {rpo: 75m, rto: 30m, reach: 7d}
  schedule: {cron: "0 * * * *"}
  capture: {method: rdb, options: {toolDirectory: "${programs}"}}
  store: {name: primary, prefix: redis/}
  encryption: {recipients: [runner, escrow]}
  retention: days
  verification: standard
---
apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows:
  - {name: days, keep: {days: 7}}
---
apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
escrowEvery: ${escrowEvery}
checks:
  - {name: Backup exists, level: 0, every: 1d}
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
