/** A policy for each component, for servers that pods reach; what a source is not given for is left out. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { hostOfPods } from "./kubernetes.ts";

export interface ClusterSources {
  readonly postgresqlPort: number;
  readonly redisPort: number;
  readonly mongodbPort?: number;
  readonly clickhousePort?: number;
  readonly vaultAddress?: string;
  readonly models?: { readonly endpoint: string; readonly bucket: string };
  /** Namespace of Velero, and the one it takes. */
  readonly velero?: { readonly namespace: string; readonly production: string };
}

export interface ClusterBuckets {
  /** Of the server that has them all. */
  readonly endpoint: string;
  readonly vault: string;
  readonly replica: string;
  readonly velero: string;
}

/** Variables the policies name. */
export const variables = {
  vaultToken: "VAULT_TOKEN_OF_THE_POLICY",
  clickhousePassword: "CLICKHOUSE_PASSWORD",
  modelsId: "MODELS_KEY_ID",
  modelsSecret: "MODELS_SECRET",
  store: (use: string) => ({ id: `STORE_${use}_ID`, secret: `STORE_${use}_SECRET` }),
} as const;

interface Facts {
  readonly name: string;
  readonly component: string;
  readonly connection: string;
  readonly capture: string;
  readonly schedule?: string;
  readonly store?: string;
  readonly retention?: string;
  readonly reach?: string;
  readonly rest?: string;
}

function policy(facts: Facts): string {
  const { name, component, connection, capture } = facts;
  return `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: ${name}}
spec:
  component: ${component}
  owner: demo
  failureDomain: this-machine
  connection: ${connection}
  objectives: {rpo: 26h, rto: 10m, reach: ${facts.reach ?? "6d"}}
  schedule: ${facts.schedule ?? '{cron: "7 1 * * *", timeZone: Etc/UTC}'}
  capture: ${capture}
  store: ${facts.store ?? `{name: vault, prefix: ${name}/}`}
  encryption: {recipients: [runner, escrow]}
  retention: ${facts.retention ?? "standard"}
  verification: standard
${facts.rest ?? ""}`;
}

function factsOf(sources: ClusterSources): readonly Facts[] {
  const { mongodbPort, clickhousePort, vaultAddress, models, velero } = sources;
  const found: Facts[] = [
    {
      name: "redis",
      component: "redis",
      connection: `{host: ${hostOfPods}, port: ${sources.redisPort}}`,
      capture: "{method: rdb}",
      rest: '  assertions: [{sql: "DBSIZE > 0", database: "0"}]\n',
    },
  ];
  if (mongodbPort !== undefined)
    found.push({
      name: "mongodb",
      component: "mongodb",
      connection: `{host: ${hostOfPods}, port: ${mongodbPort}}`,
      capture: "{method: mongodump, compression: gzip, options: {oplog: true}}",
      rest: `  assertions: [{sql: '{"count": "items"} > 0', database: shop}]\n`,
    });
  if (clickhousePort !== undefined)
    found.push({
      name: "clickhouse",
      component: "clickhouse",
      connection: `{host: ${hostOfPods}, port: ${clickhousePort}, user: default, passwordFrom: {env: ${variables.clickhousePassword}}}`,
      capture: "{method: native}",
    });
  if (vaultAddress !== undefined)
    found.push({
      name: "secrets",
      component: "secrets",
      connection: `{vaultAddress: "${vaultAddress}", tokenFrom: {env: ${variables.vaultToken}}}`,
      capture: "{method: vault-export}",
    });
  if (models !== undefined)
    found.push({
      name: "models",
      component: "s3",
      connection: `{endpoint: "${models.endpoint}", bucket: ${models.bucket}, accessKeyIdFrom: {env: ${variables.modelsId}}, secretAccessKeyFrom: {env: ${variables.modelsSecret}}}`,
      capture:
        "{method: replication, options: {existingObjects: true, deletes: true, deleteMarkers: true, maxLag: 60s}}",
      schedule: "{continuous: true}",
      store: "{name: replica, prefix: holdfast/models/}",
      retention: "forever",
      reach: "forever",
      rest: '  assertions: [{sql: "count > 0"}]\n',
    });
  if (velero !== undefined)
    found.push({
      name: "kubernetes",
      component: "kubernetes",
      connection: `{namespace: ${velero.namespace}}`,
      capture: `{method: velero, options: {includedNamespaces: [${velero.production}], productionNamespaces: [${velero.production}]}}`,
      store: "{name: velero, prefix: kubernetes/}",
      rest: `  assertions: [{sql: "count secrets >= 1", database: ${velero.production}}]\n`,
    });
  return found;
}

function storeText(name: string, endpoint: string, bucket: string, uses: readonly string[]): string {
  const pair = (use: string): string => {
    const { id, secret } = variables.store(use.toUpperCase());
    return `    ${use}: {accessKeyIdFrom: {env: ${id}}, secretAccessKeyFrom: {env: ${secret}}}\n`;
  };
  return `apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: ${name}}
spec:
  type: s3
  failureDomain: ${name}-there
  endpoint: ${endpoint}
  region: us-east-1
  bucket: ${bucket}
  forcePathStyle: true
  credentials:
${uses.map(pair).join("")}`;
}

export interface ClusterPolicyPlaces {
  readonly clone: string;
  /** A bare repository that is there. */
  readonly remote: string;
  readonly runner: string;
  readonly escrow: string;
  /** Sets of credentials the stores have. */
  readonly uses: readonly string[];
}

export interface WrittenPolicies {
  readonly commit: string;
  /** After it the head of the remote's branch `main` is the commit. */
  push(): void;
}

/** After it the clone's head is one commit with the policies. */
export async function writeClusterPolicies(
  places: ClusterPolicyPlaces,
  sources: ClusterSources,
  buckets: ClusterBuckets,
): Promise<WrittenPolicies> {
  const { clone, remote, runner, escrow, uses } = places;
  const others = new Map(factsOf(sources).map((facts) => [facts.name, policy(facts)]));
  others.set(
    "stores",
    (["vault", "replica", "velero"] as const)
      .map((name) => storeText(name, buckets.endpoint, buckets[name], uses))
      .join("---\n"),
  );
  // The demo's own policies go to a remote of their own first: what the reconciler sees is one commit.
  const first = join(dirname(clone), "first.git");
  mkdirSync(dirname(clone), { recursive: true });
  const port = sources.postgresqlPort;
  await pushPolicies({ remote: first, clone, store: "/unused", port, runner, escrow, others });
  const change = (name: string, from: RegExp | string, to: string): void => {
    const path = join(clone, "policies", name);
    const text = readFileSync(path, "utf8");
    if (text.replace(from, "") === text) throw new Error(`${name} has no ${from}`);
    writeFileSync(path, text.replace(from, to));
  };
  change("postgresql.yaml", /host: 127\.0\.0\.1/, `host: ${hostOfPods}`);
  change("platform.yaml", /^apiVersion[\s\S]*? {2}path: \/unused\n---\n/, "");
  change("platform.yaml", /pollEvery: 2s\n/, "pollEvery: 2s\n  platform: {kind: kubernetes}\n");
  change("platform.yaml", first, remote);
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      encoding: "utf8",
    }).trim();
  git("commit", "--quiet", "--all", "--amend", "--message", "policies: on the cluster");
  return { commit: git("rev-parse", "HEAD"), push: () => void git("push", "--quiet", remote, "HEAD:main") };
}
