/** One policy of a PostgreSQL on this machine, with all that it refers to: a folder as the store, one key. */
export function postgresqlPolicy(at: {
  readonly port: number;
  readonly store: string;
  readonly recipient: string;
  /** Where the server's programs are looked for first. */
  readonly toolDirectory?: string;
}): string {
  const { port, store, recipient, toolDirectory } = at;
  const options = toolDirectory === undefined ? "" : `, options: {toolDirectory: ${toolDirectory}}`;
  return `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: postgresql}
spec:
  component: postgresql
  owner: tests
  failureDomain: source
  connection: {host: 127.0.0.1, port: ${port}, user: postgres, sslMode: disable}
  objectives: {rpo: 26h, rto: 1h, reach: 7d}
  schedule: {cron: "0 2 * * *", timeZone: Etc/UTC}
  capture: {method: base-backup, compression: zstd, level: 3${options}}
  store: {name: vault, prefix: postgresql/}
  encryption: {recipients: [runner]}
  retention: full
  verification: standard
  canaryEvery: 0s
---
apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows: [{name: full, keep: {daily: 14}}]
---
apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: standard}
checks: [{name: Backup exists, level: 0, every: 1d, automated: "yes"}]
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: vault}
spec: {type: directory, failureDomain: vault, path: ${store}}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: keys}
keys: [{name: runner, recipient: ${recipient}, role: runner}]
`;
}
