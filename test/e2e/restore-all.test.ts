/** Everything comes back with one command, secrets first, as after the loss of a machine: into a folder that is not there yet. */
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoServer } from "../../src/cli/demo/component.ts";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { secretsInDemo } from "../../src/cli/demo/secrets.ts";
import { freePort } from "../../src/cli/demo/source-server.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import type { RestoreAllOutcome } from "../../src/operate/restore-all.ts";
import { baoProgram } from "../servers/openbao.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { holdfast, type Ran, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

describe.skipIf(baoProgram() === undefined)("everything at once, with secrets of OpenBao", () => {
  let folder: string;
  let clone: string;
  let postgres: TestPostgres;
  let secrets: DemoServer;
  let receiver: RunningHoldfast;
  const options = () => ({
    cwd: clone,
    env: { HOLDFAST_POLICIES: "policies", HOLDFAST_IDENTITY: join(folder, "escrow.key") },
  });
  const run = (...args: string[]): Promise<Ran> => holdfast(args, options());

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-all-"));
    // The restored server runs as another user.
    await chmod(folder, 0o711);
    clone = join(folder, "clone");
    postgres = await startPostgres({ major: 15, segmentBytes: 1024 * 1024 });
    await postgres.run("create table payments as select 1 as id");
    secrets = await secretsInDemo.start(join(folder, "bao"), new AbortController().signal, () => freePort());
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    await writeFile(join(folder, "escrow.key"), escrow.identity, { mode: 0o600 });
    await pushPolicies({
      remote: join(folder, "remote.git"),
      clone,
      store: join(folder, "store"),
      port: postgres.port,
      runner: runner.recipient,
      escrow: escrow.recipient,
      others: new Map([["secrets", secrets.policy]]),
    });
    receiver = startHoldfast(["wal", "postgresql"], options());
    await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
    for (const policy of ["secrets", "postgresql"]) {
      const { status, stderr } = await run("backup", policy);
      expect(status, stderr).toBe(0);
    }
  });
  afterAll(async () => {
    receiver?.child.kill("SIGTERM");
    await receiver?.ended;
    await secrets?.stop();
    await postgres?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it("leaves room for the next one, whoever its server runs as, and keeps secrets to itself", async () => {
    const to = join(folder, "site/stack");
    const ran = await run("restore", "--all", "--to", to, "--start", "--format", "json");
    const outcome = JSON.parse(ran.stdout) as RestoreAllOutcome;
    expect(outcome.policies.map((p) => [p.policy, p.failure])).toEqual([
      ["secrets", null],
      ["postgresql", null],
    ]);
    expect(outcome.policies.flatMap((p) => p.checks).filter((c) => !c.ok)).toEqual([]);
    expect(ran.status, ran.stderr).toBe(0);
    expect((await stat(join(to, "secrets"))).mode & 0o077).toBe(0);
  });

  it("refuses a place that is a file, and lists what it can while a store is away", async () => {
    const file = await run("restore", "--all", "--to", join(folder, "escrow.key"));
    expect([file.status, file.stderr]).toEqual([2, expect.stringContaining("cannot be made")]);

    const away = join(folder, "away");
    execFileSync("cp", ["-r", join(clone, "policies"), away]);
    execFileSync("sh", ["-c", `sed -i "s#prefix: secrets/#prefix: nothing/#" ${away}/secrets.yaml`]);
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
  credentials: {read: {accessKeyIdFrom: {env: HOLDFAST_NONE}, secretAccessKeyFrom: {env: HOLDFAST_NONE}}}
`,
    );
    execFileSync("sh", [
      "-c",
      `sed -i "s#{name: vault, prefix: nothing/}#{name: away, prefix: nothing/}#" ${away}/secrets.yaml`,
    ]);
    const listed = await run("list", "--policies", away, "--format", "json");
    expect(listed.stderr).toContain("not listed: secrets: the secret in variable HOLDFAST_NONE is not there");
    const { points } = JSON.parse(listed.stdout) as { points: readonly { readonly policy: string }[] };
    expect(points.map((p) => p.policy)).toEqual(["postgresql"]);
    expect(listed.status).toBe(12);
    // A snapshot that lacks a policy would let a review say that nothing of it is lost.
    const snapshot = await run("list", "--policies", away, "--format", "snapshot");
    expect([snapshot.status, snapshot.stdout]).toEqual([12, ""]);
  });
});
