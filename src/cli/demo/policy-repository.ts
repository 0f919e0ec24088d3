/** The demo's policy repository: a bare remote, a clone, and a policy per component with all they need. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openExec } from "../../exec/system.ts";

export interface DemoPlaces {
  readonly remote: string;
  readonly clone: string;
  readonly store: string;
  readonly port: number;
  readonly runner: string;
  readonly escrow: string;
  /** Whole policy documents by name, besides PostgreSQL's. */
  readonly others?: ReadonlyMap<string, string>;
}

function documents({ remote, store, port, runner, escrow }: DemoPlaces): Readonly<Record<string, string>> {
  return {
    "postgresql.yaml": `# A base backup each night, WAL all the time.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: postgresql}
spec:
  component: postgresql
  owner: demo
  failureDomain: demo-server
  connection: {host: 127.0.0.1, port: ${port}, user: postgres, sslMode: disable}
  objectives: {rpo: 5m, rto: 1h, reach: 30d, pitrWindow: 7d}
  schedule: {cron: "0 2 * * *", timeZone: Etc/UTC}
  capture: {method: base-backup, compression: gzip}
  wal:
    mode: stream
    store: {name: vault, prefix: wal/}
    retention: postgresql-wal
    pushEvery: 1s
    slot: holdfast_demo
  store: {name: vault, prefix: postgresql/}
  encryption: {recipients: [runner, escrow]}
  retention: postgresql-full
  verification: standard
  assertions:
    - sql: select count(*) > 0 from payments
  canaryEvery: 1s
`,
    "retention.yaml": `apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows:
  - {name: standard, keep: {daily: 7, weekly: 4, monthly: 12}}
  - {name: forever, keep: {forever: true}}
  - {name: postgresql-full, keep: {daily: 7, weekly: 4, monthly: 12, yearly: 1}}
  - {name: postgresql-wal, keep: {days: 8}}
`,
    "checklist.yaml": `apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
minimumSizeRatio: 0.8
checks:
  - {name: Backup exists, level: 0, every: 1d, automated: "yes"}
  - {name: Backup size reasonable, level: 1, every: 1d, automated: "yes"}
  - {name: Checksum valid, level: 2, every: 7d, automated: "yes"}
  - {name: Checksum valid to the vendor's checker, level: 3, every: 7d, automated: "yes"}
  - {name: Restore to test env, level: 4, every: 7d, automated: "yes"}
  - {name: Full restore test, level: 5, every: 31d, automated: "yes"}
  - {name: Full restore test of the whole stack, level: 6, every: 31d, automated: "yes"}
`,
    "platform.yaml": `apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: vault}
spec:
  type: directory
  failureDomain: demo-vault
  path: ${store}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: demo}
keys:
  - {name: runner, recipient: ${runner}, role: runner}
  - {name: escrow, recipient: ${escrow}, role: escrow}
---
apiVersion: holdfast.dev/v1
kind: Reconciler
metadata: {name: holdfast}
spec:
  cluster: demo
  repository: {url: "${remote}", branch: main, path: policies}
  pollEvery: 2s
  reports: {cron: "0 6 * * 1", timeZone: Etc/UTC, path: reports, overdue: 8d}
`,
  };
}

const identity = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost"];

/** After it the remote has one commit with the policies. Resolves with its id. */
export async function pushPolicies(places: DemoPlaces): Promise<string> {
  const exec = openExec();
  const git = async (...rest: string[]) =>
    (await exec.run({ argv: ["git", ...rest] }, { deadlineMs: 30_000 })).stdout.trim();
  await git("init", "--quiet", "--bare", "--initial-branch=main", places.remote);
  await git("init", "--quiet", "--initial-branch=main", places.clone);
  await mkdir(join(places.clone, "policies"));
  const others = [...(places.others ?? [])].map(([name, text]) => [`${name}.yaml`, text] as const);
  for (const [name, text] of [...Object.entries(documents(places)), ...others])
    await writeFile(join(places.clone, "policies", name), text);
  await git("-C", places.clone, "add", "--all");
  await git(
    "-C",
    places.clone,
    ...identity,
    "commit",
    "--quiet",
    "--message",
    "policies: everything every night, WAL all the time",
  );
  await git("-C", places.clone, "push", "--quiet", places.remote, "main");
  return git("-C", places.clone, "rev-parse", "HEAD");
}
